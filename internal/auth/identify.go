package auth

import (
	"context"
	"strconv"
	"sync"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

// identity is what a token that was found true stands for. It is kept as a
// fact that depends on the record; the expiry is judged at each use.
type identity struct {
	record  *pando.Record
	expires int64 // unix seconds
}

// Identify is the record that an auth token stands for, nil for a guest.
func (a *Auth) Identify(ctx context.Context, token string) (*pando.Record, error) {
	return a.identify(ctx, typeAuth, token)
}

// IdentifyFile is the record that a file token stands for, nil for a guest.
func (a *Auth) IdentifyFile(ctx context.Context, token string) (*pando.Record, error) {
	return a.identify(ctx, typeFile, token)
}

var keys = sync.Pool{New: func() any { return new([]byte) }}

func (a *Auth) identify(ctx context.Context, kind, token string) (*pando.Record, error) {
	if token == "" || len(token) > maxToken {
		return nil, nil
	}
	buf := keys.Get().(*[]byte)
	defer keys.Put(buf)
	key := append((*buf)[:0], "token\x00"...)
	key = strconv.AppendUint(key, a.store.Catalog().Version, 36)
	key = append(append(key, 0), kind...)
	key = append(append(key, 0), token...)
	*buf = key

	v, err := a.facts.Read(store.One(ctx), key, func(ctx context.Context, r store.Reader) (any, int, error) {
		return identityOf(ctx, r, kind, token)
	})
	if err != nil {
		return nil, err
	}
	id, _ := v.(*identity)
	if id == nil || id.expires <= a.now().Unix() {
		return nil, nil
	}
	return id.record, nil
}

// identityOf finds out whom a token stands for. What is not a true token is not
// kept (size -1): anybody can make up any number of them.
func identityOf(ctx context.Context, r store.Reader, kind, token string) (any, int, error) {
	c, err := peek(token)
	if err != nil || c.Type != kind {
		return nil, -1, nil
	}
	col := r.Catalog().Collection(c.CollectionID)
	if col == nil || col.ID != c.CollectionID || !col.IsAuth() {
		return nil, -1, nil
	}
	rec, err := r.Record(ctx, col, c.ID)
	if pando.KindOf(err) == pando.KindNotFound && err != nil {
		return nil, -1, nil
	}
	if err != nil {
		return nil, -1, err
	}
	if verify(token, rec, kind) != nil {
		return nil, -1, nil
	}
	id := &identity{rec, c.Expires.Unix()}
	return id, len(token) + store.SizeOf(rec), nil
}
