package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

// InstallLife is how long an install token can be used.
const InstallLife = 30 * time.Minute

// installParam holds the one install token there may be.
const installParam = "install"

// installNote is what is kept of an install token: not the token itself, so
// that a copy of the database does not let anybody in.
type installNote struct {
	Hash    []byte    `json:"hash"`
	Expires time.Time `json:"expires"`
}

// InstallToken makes the token of a one-time link by which the first superuser
// is created, valid for [InstallLife]; one made before is void. It fails with
// KindForbidden if there is a superuser.
func (s *Superusers) InstallToken(ctx context.Context) (string, error) {
	token := pando.RandomString(40, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
	sum := sha256.Sum256([]byte(token))
	note, err := json.Marshal(installNote{sum[:], s.now().Add(InstallLife).UTC()})
	if err != nil {
		return "", err
	}
	_, err = s.store.Write(ctx, func(tx store.Tx) error {
		if err := noneYet(ctx, tx); err != nil {
			return err
		}
		return tx.SetParam(ctx, installParam, note)
	})
	return token, err
}

// CheckInstallToken fails, with KindForbidden, if [Superusers.Install] would not
// take the token.
func (s *Superusers) CheckInstallToken(ctx context.Context, token string) error {
	return s.store.Read(ctx, func(r store.Reader) error { return s.checkInstall(ctx, r, token) })
}

// Install creates the first superuser and uses the token up, both or neither.
// It fails with KindForbidden if the token is not valid or there is a superuser,
// KindInvalid, with the token still valid, if the input is not acceptable.
func (s *Superusers) Install(ctx context.Context, token, email, password string) error {
	// Ahead of the transaction as well, so that strangers cannot make the server
	// hash passwords.
	if err := s.CheckInstallToken(ctx, token); err != nil {
		return err
	}
	return s.create(ctx, email, password, func(tx store.Tx) error {
		if err := s.checkInstall(ctx, tx, token); err != nil {
			return err
		}
		return tx.SetParam(ctx, installParam, nil)
	})
}

func (s *Superusers) checkInstall(ctx context.Context, r store.Reader, token string) error {
	if err := noneYet(ctx, r); err != nil {
		return err
	}
	b, err := r.Param(ctx, installParam)
	if err != nil {
		return err
	}
	var note installNote
	if b != nil {
		if err := json.Unmarshal(b, &note); err != nil {
			return fmt.Errorf("auth: install token: %w", err)
		}
	}
	sum := sha256.Sum256([]byte(token))
	if subtle.ConstantTimeCompare(sum[:], note.Hash) != 1 || !s.now().Before(note.Expires) {
		return &pando.Error{
			Kind: pando.KindForbidden,
			Message: "The install link is not valid or has expired. " +
				"Restart the server for a new one, or run: pando superuser upsert EMAIL PASS",
		}
	}
	return nil
}

func noneYet(ctx context.Context, r store.Reader) error {
	n, err := countSuperusers(ctx, r, 1)
	if err != nil {
		return err
	}
	if n > 0 {
		return &pando.Error{Kind: pando.KindForbidden, Message: "There is a superuser already."}
	}
	return nil
}
