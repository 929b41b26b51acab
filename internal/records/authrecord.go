package records

import (
	"context"

	"github.com/spf13/cast"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/field"
	"github.com/pandobase/pando/internal/store"
)

// passwordForm is what a submitted auth record says about its password.
type passwordForm struct {
	password, confirm, old string
}

func newPasswordForm(body map[string]any) passwordForm {
	text := func(key string) string { s, _ := cast.ToStringE(body[key]); return s }
	return passwordForm{text("password"), text("passwordConfirm"), text("oldPassword")}
}

func blank() *pando.FieldError {
	return &pando.FieldError{Code: "validation_required", Message: "Cannot be blank."}
}

func mismatch() *pando.FieldError {
	return &pando.FieldError{Code: "validation_values_mismatch", Message: "Values don't match."}
}

// checkAuthForm says what is wrong with what was submitted for an auth record,
// before the record itself is looked at: passwords must be repeated, and only
// managers may touch what proves who a user is.
func (s *Records) checkAuthForm(
	ctx context.Context, r store.Reader, req *pando.Request, o *op, old, rec *pando.Record,
) (pando.FieldErrors, error) {
	subject := rec
	if old != nil {
		subject = old
	}
	manager, err := s.manages(ctx, r, req, o.p, subject, old != nil)
	if err != nil {
		return nil, err
	}
	errs := pando.FieldErrors{}
	if !manager {
		if old == nil && rec.Bool("verified") || old != nil && old.Bool("verified") != rec.Bool("verified") {
			errs["verified"] = mismatch()
		}
		if old != nil && old.String("email") != rec.String("email") {
			errs["email"] = mismatch()
		}
	}
	f := o.draft.form
	if f.password == "" && (old == nil || f.confirm != "" || f.old != "") {
		errs["password"] = blank()
	}
	switch {
	case f.confirm == "" && (old == nil || f.password != "" || f.old != ""):
		errs["passwordConfirm"] = blank()
	case f.confirm != f.password:
		errs["passwordConfirm"] = mismatch()
	}
	if old != nil && !manager && (f.password != "" || f.confirm != "") {
		if err := o.checkOldPassword(old, errs); err != nil {
			return nil, err
		}
	}
	return errs, nil
}

// checkOldPassword asks for the submitted old password to be compared with the
// stored hash, which takes too long for a transaction.
func (o *op) checkOldPassword(old *pando.Record, errs pando.FieldErrors) error {
	if o.draft.form.old == "" {
		errs["oldPassword"] = blank()
		return nil
	}
	hash := old.String("password")
	ok, known := o.verified[hash]
	if !known {
		return &need{op: o, verify: hash}
	}
	if !ok {
		errs["oldPassword"] = &pando.FieldError{
			Code: "validation_invalid_old_password", Message: "Missing or invalid old password.",
		}
	}
	return nil
}

// rotateTokenKey gives rec a new token key, so that every token of it is void,
// unless the caller set one.
func (o *op) rotateTokenKey(old, rec *pando.Record) {
	if rec.String("tokenKey") == old.String("tokenKey") {
		rec.Set("tokenKey", o.generated("tokenKey"))
	}
}

// credentialsChanged tells which of the things that prove who a user is differ.
func credentialsChanged(old, rec *pando.Record) (email, password bool) {
	return old.String("email") != rec.String("email"), old.String("password") != rec.String("password")
}

// afterAuthUpdate removes what a change of rec's credentials voids: waiting
// one-time passwords, and with a new password also half-done logins and known
// places.
func (s *Records) afterAuthUpdate(ctx context.Context, tx store.Tx, old, rec *pando.Record) error {
	email, password := credentialsChanged(old, rec)
	if !email && !password {
		return nil
	}
	names := []string{"_otps"}
	if password {
		names = append(names, "_mfas", "_authOrigins")
	}
	return s.deleteRefs(ctx, tx, rec, names...)
}

// verifiedNow handles a record that has just become verified: OAuth2 links of
// before were made by who knows whom, and go, with the tokens they gave.
func (s *Records) verifiedNow(ctx context.Context, tx store.Tx, o *op, old, rec *pando.Record) error {
	if old.Bool("verified") || !rec.Bool("verified") {
		return nil
	}
	refs, err := refsOf(ctx, tx, "_externalAuths", old)
	if err != nil || len(refs) == 0 {
		return err
	}
	o.rotateTokenKey(old, rec)
	return s.deleteRefs(ctx, tx, rec, "_externalAuths")
}

// refCollections are the system collections whose records belong to an auth
// record.
var refCollections = []string{"_externalAuths", "_mfas", "_otps", "_authOrigins"}

// refsOf finds the records of a system collection that belong to rec.
func refsOf(ctx context.Context, r store.Reader, name string, rec *pando.Record) ([]*pando.Record, error) {
	c := r.Catalog().Collection(name)
	if c == nil || c.Field("recordRef") == nil || c.Field("collectionRef") == nil {
		return nil, nil
	}
	page, err := r.Find(ctx, store.Query{Collection: c, Match: []store.Match{
		{Field: "recordRef", Value: rec.ID()},
		{Field: "collectionRef", Value: rec.Collection.ID},
	}})
	return page.Records, err
}

func (s *Records) deleteRefs(ctx context.Context, tx store.Tx, rec *pando.Record, names ...string) error {
	for _, name := range names {
		refs, err := refsOf(ctx, tx, name, rec)
		if err != nil {
			return err
		}
		for _, ref := range refs {
			deletion, err := s.beforeDelete(ctx, tx, ref)
			if err != nil {
				return err
			}
			if err := tx.Delete(deletion, ref); err != nil {
				return err
			}
		}
	}
	return nil
}

// isAuthIDTaken tells whether a record of another auth collection has the id.
func isAuthIDTaken(ctx context.Context, r store.Reader, own *pando.Collection, id string) (bool, error) {
	for _, c := range r.Catalog().Collections {
		if !c.IsAuth() || c.ID == own.ID {
			continue
		}
		_, err := r.Record(ctx, c, id)
		if err == nil {
			return true, nil
		}
		if !isNotFound(err) {
			return false, err
		}
	}
	return false, nil
}

// generated is a text for the named field, drawn once for all tries.
func (o *op) generated(name string) string {
	if s, ok := o.drawn[name]; ok {
		return s
	}
	s := ""
	if f := o.p.coll.Field(name); f != nil {
		if t, ok := f.Options.(*pando.TextOptions); ok {
			s, _ = field.Generate(t.AutogeneratePattern)
		}
	}
	if o.drawn == nil {
		o.drawn = map[string]string{}
	}
	o.drawn[name] = s
	return s
}
