package auth

import (
	"context"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

// mfasName is the system collection of logins that wait for their second half.
const mfasName = "_mfas"

// checkMFA lets a login by method pass if one is enough for rec, or if it is
// the second half of an earlier one by another method. Else it notes the login
// and fails with [pando.MFARequired].
func (a *Auth) checkMFA(
	ctx context.Context, req *pando.Request, catalog *store.Catalog, rec *pando.Record, method string,
) error {
	o := rec.Collection.Auth.MFA
	mfas := catalog.Collection(mfasName)
	if !o.Enabled || mfas == nil {
		return nil
	}
	var wanted bool
	err := a.readAs(ctx, catalog, func(r store.Reader) error {
		var err error
		wanted, err = a.holds(ctx, r, req, rec, o.Rule)
		return err
	})
	if err != nil || !wanted {
		return err
	}
	if id := mfaID(req); id != "" {
		return a.endMFA(ctx, mfas, rec, id, method)
	}
	now := pando.FormatTime(a.now())
	first := pando.NewRecord(mfas)
	for field, value := range map[string]string{
		"id": pando.NewID(), "collectionRef": rec.Collection.ID, "recordRef": rec.ID(), "method": method,
		"created": now, "updated": now,
	} {
		first.Set(field, value)
	}
	if _, err := a.store.Write(ctx, func(tx store.Tx) error { return tx.Insert(ctx, first) }); err != nil {
		return err
	}
	return &pando.MFARequired{ID: first.ID()}
}

// endMFA takes the first half of a login away, if it fits the second.
func (a *Auth) endMFA(ctx context.Context, mfas *pando.Collection, rec *pando.Record, id, method string) error {
	_, err := a.store.Write(ctx, func(tx store.Tx) error {
		first, err := tx.Record(ctx, mfas, id)
		if err != nil {
			if pando.KindOf(err) == pando.KindNotFound {
				return pando.Invalid("Invalid or expired MFA session.")
			}
			return err
		}
		life := time.Duration(rec.Collection.Auth.MFA.Duration) * time.Second
		made, err := time.Parse(pando.TimeLayout, first.String("created"))
		switch {
		case err != nil || a.now().Sub(made) >= life:
			return pando.Invalid("Invalid or expired MFA session.")
		case first.String("collectionRef") != rec.Collection.ID || first.String("recordRef") != rec.ID():
			return pando.Invalid("Invalid MFA session.")
		case first.String("method") == method:
			return pando.Invalid("A different authentication method is required.")
		}
		return tx.Delete(ctx, first)
	})
	return err
}

// mfaID is sent in the body or in the query.
func mfaID(req *pando.Request) string {
	if id, ok := req.Body["mfaId"].(string); ok && id != "" {
		return id
	}
	if req.Query != nil {
		id, _ := req.Query("mfaId")
		return id
	}
	return ""
}
