package auth

import (
	"context"
	"encoding/json"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/wire"
)

// Refresh answers with a new token for the one sent, which req.Auth was
// identified by, or with the same token if that says it must not be renewed.
// It fails with KindUnauthenticated for a guest, KindForbidden for a user of
// another collection or one whom the authRule no longer lets in.
func (a *Auth) Refresh(
	ctx context.Context, req *pando.Request, collection, token string, p pando.Projection,
) (pando.Answer, error) {
	if req.Auth == nil {
		return nil, guestError()
	}
	var rec *pando.Record
	err := a.anew(func(catalog *store.Catalog) error {
		c := catalog.Collection(collection)
		if c == nil {
			return noCollection()
		}
		if c.ID != req.Auth.Collection.ID {
			return &pando.Error{
				Kind:    pando.KindForbidden,
				Message: "The request requires auth record from " + req.Auth.Collection.Name + " collection.",
			}
		}
		return a.readAs(ctx, catalog, func(r store.Reader) error {
			rec = req.Auth
			if rec.Collection != c {
				var err error
				if rec, err = asItIs(ctx, r, c, rec.ID(), token); err != nil {
					return err
				}
			}
			asked := *req
			asked.Auth = rec
			return a.checkAuthRule(ctx, r, &asked, rec)
		})
	})
	if err != nil {
		return nil, err
	}
	return a.answer(ctx, &LoginEvent{Request: req, Record: rec, Method: methodRefresh}, p, func() (string, error) {
		if said, err := peek(token); err != nil || !said.Refreshable {
			return token, nil
		}
		return sign(rec, typeAuth, a.now(), 0, refreshable(true))
	})
}

// asItIs reads the record that a token was found to stand for, under a newer definition of
// its collection, by which the token may stand for nobody.
func asItIs(ctx context.Context, r store.Reader, c *pando.Collection, id, token string) (*pando.Record, error) {
	rec, err := r.Record(ctx, c, id)
	if err != nil && pando.KindOf(err) == pando.KindNotFound || err == nil && verify(token, rec, typeAuth) != nil {
		return nil, guestError()
	}
	return rec, err
}

// Impersonate hands a superuser a token of another record that lives for d and
// cannot be refreshed. It fails with KindUnauthenticated or KindForbidden for
// everybody else, KindNotFound if there is no such record.
func (a *Auth) Impersonate(
	ctx context.Context, req *pando.Request, collection, id string, d time.Duration, p pando.Projection,
) (pando.Answer, error) {
	if req.Auth == nil {
		return nil, guestError()
	}
	if !req.IsSuperuser() {
		return nil, &pando.Error{
			Kind: pando.KindForbidden, Message: "The authorized record is not allowed to perform this action.",
		}
	}
	c := a.store.Catalog().Collection(collection)
	if c == nil || !c.IsAuth() {
		return nil, notAuthCollection()
	}
	if d < 0 {
		return nil, invalidData(pando.FieldErrors{"duration": &pando.FieldError{
			Code: "validation_min_greater_equal_than_required", Message: "Must be no less than 0.",
			Params: map[string]any{"threshold": 0},
		}})
	}
	var rec *pando.Record
	err := a.store.Read(ctx, func(r store.Reader) error {
		var err error
		rec, err = r.Record(ctx, c, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	return a.answer(ctx, &LoginEvent{Request: req, Record: rec, Method: methodImpersonate}, p, func() (string, error) {
		return sign(rec, typeAuth, a.now(), d, refreshable(false))
	})
}

// FileToken is a short-lived token of req.Auth for protected files; a guest gets
// a KindUnauthenticated error.
func (a *Auth) FileToken(_ context.Context, req *pando.Request) (string, error) {
	if req.Auth == nil {
		return "", guestError()
	}
	return sign(req.Auth, typeFile, a.now(), 0, nil)
}

func refreshable(yes bool) jwt.MapClaims { return jwt.MapClaims{"refreshable": yes} }

// answer runs the hooks around a login and writes its answer. The record is
// shown as it sees itself, whoever asks.
func (a *Auth) answer(
	ctx context.Context, e *LoginEvent, p pando.Projection, newToken func() (string, error),
) (pando.Answer, error) {
	var body []byte
	err := a.hooks.Login.Run(ctx, e, func(ctx context.Context) error {
		token, err := newToken()
		if err != nil {
			return err
		}
		viewer := *e.Request
		viewer.Auth = e.Record
		return a.store.Read(ctx, func(r store.Reader) error {
			record, err := a.encode(ctx, r, &viewer, e.Record, p.Expand)
			if err != nil {
				return err
			}
			body, err = appendAnswer(nil, e.Meta, record, token)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return wire.Pick(body, p.Fields)
}

func appendAnswer(dst []byte, meta any, record []byte, token string) ([]byte, error) {
	dst = append(dst, '{')
	if meta != nil {
		b, err := json.Marshal(meta)
		if err != nil {
			return nil, err
		}
		dst = append(append(append(dst, `"meta":`...), b...), ',')
	}
	dst = append(append(dst, `"record":`...), record...)
	dst = wire.AppendString(append(dst, `,"token":`...), token)
	return append(dst, '}'), nil
}
