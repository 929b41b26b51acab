package server

import (
	"context"
	"errors"

	"github.com/pandobase/pando/internal/auth"
)

// Superusers makes, changes and removes superusers of a place, beside
// a running server or without one.
type Superusers struct {
	users     *auth.Superusers
	passwords *auth.Passwords
	closeData func() error
}

// OpenSuperusers opens a place, making its directory if it is not there. The
// caller closes it.
func OpenSuperusers(place Place) (*Superusers, error) {
	place, err := place.absolute()
	if err != nil {
		return nil, err
	}
	db, err := openDatabase(Config{}.withDefaults(), place, limits{readers: 1}, nil, nil, nil)
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
