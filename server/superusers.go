package server

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/pandobase/pando/internal/auth"
)

// Superusers makes, changes and removes superusers of a data directory, beside
// a running server or without one.
type Superusers struct {
	users     *auth.Superusers
	passwords *auth.Passwords
	closeData func() error
}

// OpenSuperusers opens a data directory, making it if it is not there. The
// caller closes it.
func OpenSuperusers(dir string) (*Superusers, error) {
	if dir == "" {
		dir = DefaultDir
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, unusableDir(dir, err)
	}
	db, err := openStore(Config{}.withDefaults(), dir, limits{readers: 1}, nil, nil)
	if err != nil {
		return nil, err
	}
	passwords := auth.NewPasswords(auth.PasswordsConfig{Workers: 1})
	return &Superusers{auth.NewSuperusers(db, passwords), passwords, db.Close}, nil
}

// Create adds a superuser; it fails with a KindInvalid error if there is one of
// this address, or the address or the password will not do.
func (s *Superusers) Create(ctx context.Context, email, password string) error {
	return s.users.Create(ctx, email, password)
}

// Upsert adds a superuser, or gives the one of this address a new password.
func (s *Superusers) Upsert(ctx context.Context, email, password string) error {
	return s.users.Upsert(ctx, email, password)
}

// Update gives a superuser a new password, which ends all their sessions; a
// KindNotFound error if there is none of this address.
func (s *Superusers) Update(ctx context.Context, email, password string) error {
	return s.users.Update(ctx, email, password)
}

// Delete removes a superuser, but not the last one.
func (s *Superusers) Delete(ctx context.Context, email string) error {
	return s.users.Delete(ctx, email)
}

// Close closes the data directory.
func (s *Superusers) Close() error {
	return errors.Join(s.passwords.Close(), s.closeData())
}
