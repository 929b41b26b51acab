package server

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/web"
)

// secretParam holds the secret that positions given to clients are signed with.
// It is made once and lies in the database, so that positions outlive a restart
// and mean nothing to another database.
const secretParam = "positionSecret"

const secretLen = 32

// positions is what the edge must know to give positions to clients.
func (p *parts) positions(ctx context.Context) (*web.Positions, error) {
	secret, err := positionSecret(ctx, p.store)
	if err != nil {
		return nil, fmt.Errorf("positions of clients: %w", err)
	}
	return &web.Positions{
		Key:   position.NewKey(secret),
		Judge: p.store.judge,
		Void:  p.store.void,
		Seen:  p.store.seen,
	}, nil
}

// positionSecret is the secret of a database, made if it has none.
func positionSecret(ctx context.Context, s store.Store) (secret []byte, err error) {
	err = s.Read(ctx, func(r store.Reader) error {
		secret, err = r.Param(ctx, secretParam)
		return err
	})
	if err != nil || len(secret) >= secretLen {
		return secret, err
	}
	fresh := make([]byte, secretLen)
	rand.Read(fresh) // it cannot fail
	_, err = s.Write(ctx, func(tx store.Tx) error {
		if secret, err = tx.Param(ctx, secretParam); err != nil || len(secret) >= secretLen {
			return err // somebody else has made it meanwhile
		}
		secret = fresh
		return tx.SetParam(ctx, secretParam, fresh)
	})
	return secret, err
}
