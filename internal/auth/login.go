package auth

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/indexdef"
	"github.com/pandobase/pando/internal/store"
)

// maxCredential bounds what is sent as identity or password, in characters.
const maxCredential = 255

// WithPassword logs in with an identity and a password. It fails with
// KindForbidden if the collection has no passwords or its authRule refuses,
// KindInvalid if the input or the credentials are wrong, [pando.MFARequired] if
// that was only the first half.
func (a *Auth) WithPassword(
	ctx context.Context, req *pando.Request, collection string, login pando.PasswordLogin, p pando.Projection,
) (pando.Answer, error) {
	req = req.With("password")
	var rec *pando.Record
	fits := "" // the hash that the password was found to fit; "": none yet
	fitting := func() bool { return rec != nil && fits != "" && rec.String("password") == fits }
	err := a.anew(func(catalog *store.Catalog) error {
		c, err := authCollection(catalog, collection)
		if err != nil {
			return err
		}
		if !c.Auth.PasswordAuth.Enabled {
			return &pando.Error{
				Kind:    pando.KindForbidden,
				Message: "The collection is not configured to allow password authentication.",
			}
		}
		if err := checkLogin(c, login); err != nil {
			return err
		}
		err = a.readAs(ctx, catalog, func(r store.Reader) error {
			var err error
			if rec, err = byIdentity(ctx, r, c, login); err != nil || !fitting() {
				return err
			}
			if err := checkIP(catalog, rec, req.RealIP); err != nil {
				return err
			}
			return a.checkAuthRule(ctx, r, req, rec)
		})
		if err != nil {
			return err
		}
		if fitting() {
			return a.checkMFA(ctx, req, catalog, rec, methodPassword)
		}
		if err := a.checkPassword(ctx, c, rec, login.Password); err != nil {
			return err
		}
		fits = rec.String("password")
		return errMoved // that took long: who is meant, and who is let in, is looked at again
	})
	if err != nil {
		return nil, err
	}
	return a.answer(ctx, &LoginEvent{Request: req, Record: rec, Method: methodPassword}, p, func() (string, error) {
		return sign(rec, typeAuth, a.now(), 0, refreshable(true))
	})
}

func checkLogin(c *pando.Collection, login pando.PasswordLogin) error {
	data := pando.FieldErrors{}
	for name, value := range map[string]string{
		"identity": login.Identity, "password": login.Password, "identityField": login.IdentityField,
	} {
		switch n := utf8.RuneCountInString(value); {
		case n == 0 && name != "identityField":
			data[name] = &pando.FieldError{Code: "validation_required", Message: "Cannot be blank."}
		case n > maxCredential:
			data[name] = &pando.FieldError{
				Code: "validation_length_out_of_range", Message: "The length must be between 1 and 255.",
				Params: map[string]any{"min": 1, "max": maxCredential},
			}
		case n > 0 && name == "identityField" && !slices.Contains(c.Auth.PasswordAuth.IdentityFields, value):
			data[name] = &pando.FieldError{Code: "validation_in_invalid", Message: "Must be a valid value."}
		}
	}
	return invalidData(data)
}

func invalidData(data pando.FieldErrors) error {
	if len(data) == 0 {
		return nil
	}
	return &pando.Error{
		Kind: pando.KindInvalid, Message: "An error occurred while validating the submitted data.", Data: data,
	}
}

// byIdentity finds who may be meant, nil if nobody: by e-mail first, since an
// e-mail address in another field must not shadow its owner; then by the other
// fields in their order. The first field that finds somebody decides.
func byIdentity(ctx context.Context, r store.Reader, c *pando.Collection, login pando.PasswordLogin) (*pando.Record, error) {
	fields := []string{login.IdentityField}
	if login.IdentityField == "" {
		fields = slices.Clone(c.Auth.PasswordAuth.IdentityFields)
		if i := slices.Index(fields, "email"); i > 0 {
			fields = slices.Insert(slices.Delete(fields, i, i+1), 0, "email")
		}
	}
	for _, f := range fields {
		page, err := r.Find(ctx, store.Query{
			Collection: c,
			Match:      []store.Match{{Field: f, Value: login.Identity, NoCase: noCase(c, f)}},
			Limit:      1,
		})
		if err != nil {
			return nil, err
		}
		if len(page.Records) > 0 {
			return page.Records[0], nil
		}
	}
	return nil, nil
}

// noCase tells whether the unique index that makes f an identity says so.
func noCase(c *pando.Collection, f string) bool {
	for _, text := range c.Indexes {
		def, err := indexdef.Parse(text)
		if err == nil && def.UniqueOn(f) {
			return strings.EqualFold(def.Columns[0].Collate, "nocase")
		}
	}
	return false
}

func (a *Auth) checkPassword(ctx context.Context, c *pando.Collection, rec *pando.Record, password string) error {
	wrong := pando.Invalid("Failed to authenticate.")
	if rec == nil {
		cost := 0
		if o, ok := c.Field("password").Options.(*pando.PasswordOptions); ok {
			cost = o.Cost
		}
		if err := a.passwords.Reject(ctx, cost, password); err != nil {
			return err
		}
		return wrong
	}
	ok, err := a.passwords.Verify(ctx, rec.String("password"), password)
	if err != nil {
		return err
	}
	if !ok {
		return wrong
	}
	return nil
}

// checkAuthRule refuses whom the collection's authRule does not let in.
func (a *Auth) checkAuthRule(ctx context.Context, r store.Reader, req *pando.Request, rec *pando.Record) error {
	refused := &pando.Error{
		Kind:    pando.KindForbidden,
		Message: "The request doesn't satisfy the collection requirements to authenticate.",
	}
	text := rec.Collection.Auth.AuthRule
	if text == nil {
		return refused
	}
	ok, err := a.holds(ctx, r, req, rec, *text)
	if err != nil && (pando.KindOf(err) == pando.KindUnavailable || ctx.Err() != nil) {
		return err
	}
	if err != nil || !ok {
		refused.Err = err
		return refused
	}
	return nil
}

// holds tells whether rec, as r shows it, meets a rule of its collection; an empty rule
// always holds.
func (a *Auth) holds(ctx context.Context, r store.Reader, req *pando.Request, rec *pando.Record, text string) (bool, error) {
	if text == "" {
		return true, nil
	}
	compiled, err := r.Catalog().Rule(rec.Collection, text)
	if err != nil {
		return false, err
	}
	return store.Condition{Rule: compiled, Request: req, Now: a.now()}.Holds(ctx, r, rec)
}
