package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/field"
	"github.com/pandobase/pando/internal/store"
)

// Superusers makes and removes superusers for the command line and for the
// install page. It asks nobody's permission.
type Superusers struct {
	store     store.Store
	passwords *Passwords
	now       func() time.Time
}

// NewSuperusers needs a store and the password queue; it starts nothing.
func NewSuperusers(s store.Store, p *Passwords) *Superusers {
	return &Superusers{s, p, time.Now}
}

// Any tells whether there is a superuser.
func (s *Superusers) Any(ctx context.Context) (bool, error) {
	var any bool
	err := s.store.Read(ctx, func(r store.Reader) error {
		n, err := countSuperusers(ctx, r, 1)
		any = n > 0
		return err
	})
	return any, err
}

// Create adds a superuser. It fails with KindInvalid if the e-mail address or
// the password is not acceptable, or somebody has the address already.
func (s *Superusers) Create(ctx context.Context, email, password string) error {
	return s.create(ctx, email, password, func(store.Tx) error { return nil })
}

// CreateFirst is [Superusers.Create] in one transaction with the check that
// there is no superuser yet; if there is, it fails with KindForbidden.
func (s *Superusers) CreateFirst(ctx context.Context, email, password string) error {
	return s.create(ctx, email, password, func(tx store.Tx) error { return noneYet(ctx, tx) })
}

// Upsert adds a superuser, or gives the one of this address a new password.
func (s *Superusers) Upsert(ctx context.Context, email, password string) error {
	hash, err := s.check(ctx, email, password)
	if err != nil {
		return err
	}
	return s.write(ctx, func(tx store.Tx, c *pando.Collection) error {
		old, err := byEmail(ctx, tx, c, email)
		if err != nil {
			return err
		}
		if old == nil {
			return s.insert(ctx, tx, c, email, hash)
		}
		return s.setPassword(ctx, tx, old, hash)
	})
}

// Update gives a superuser a new password, which ends all their sessions. It
// fails with KindNotFound if there is none of this address.
func (s *Superusers) Update(ctx context.Context, email, password string) error {
	c, err := superusers(s.store.Catalog())
	if err != nil {
		return err
	}
	hash, err := s.hash(ctx, c, password)
	if err != nil {
		return err
	}
	return s.write(ctx, func(tx store.Tx, c *pando.Collection) error {
		old, err := byEmail(ctx, tx, c, email)
		if err != nil {
			return err
		}
		if old == nil {
			return unknownSuperuser(email)
		}
		return s.setPassword(ctx, tx, old, hash)
	})
}

// Delete removes a superuser. It fails with KindNotFound if there is none of
// this address, KindInvalid if it is the only one.
func (s *Superusers) Delete(ctx context.Context, email string) error {
	return s.write(ctx, func(tx store.Tx, c *pando.Collection) error {
		rec, err := byEmail(ctx, tx, c, email)
		if err != nil {
			return err
		}
		if rec == nil {
			return unknownSuperuser(email)
		}
		n, err := countSuperusers(ctx, tx, 2)
		if err != nil {
			return err
		}
		if n < 2 {
			return pando.Invalid("You can't delete the only existing superuser.")
		}
		if err := deleteTies(ctx, tx, rec, "_mfas", "_otps", "_authOrigins", "_externalAuths"); err != nil {
			return err
		}
		return tx.Delete(ctx, rec)
	})
}

func unknownSuperuser(email string) error {
	return &pando.Error{Kind: pando.KindNotFound, Message: fmt.Sprintf("Superuser with email %q doesn't exist.", email)}
}

// create adds a superuser if first, in the same transaction, lets it.
func (s *Superusers) create(ctx context.Context, email, password string, first func(store.Tx) error) error {
	hash, err := s.check(ctx, email, password)
	if err != nil {
		return err
	}
	return s.write(ctx, func(tx store.Tx, c *pando.Collection) error {
		if err := first(tx); err != nil {
			return err
		}
		return s.insert(ctx, tx, c, email, hash)
	})
}

// check judges an address and a password, and hashes the password before any
// transaction begins: it takes long.
func (s *Superusers) check(ctx context.Context, email, password string) (hash string, err error) {
	c, err := superusers(s.store.Catalog())
	if err != nil {
		return "", err
	}
	if bad := field.Check(c.Field("email"), email); bad != nil {
		return "", refusedSuperuser("email", bad)
	}
	return s.hash(ctx, c, password)
}

func (s *Superusers) hash(ctx context.Context, c *pando.Collection, password string) (string, error) {
	f := c.Field("password")
	if bad := field.Check(f, password); bad != nil {
		return "", refusedSuperuser("password", bad)
	}
	cost := 0
	if o, ok := f.Options.(*pando.PasswordOptions); ok {
		cost = o.Cost
	}
	return s.passwords.Hash(ctx, password, cost)
}

func refusedSuperuser(field string, bad *pando.FieldError) error {
	return &pando.Error{
		Kind:    pando.KindInvalid,
		Message: fmt.Sprintf("The superuser cannot be saved: %s: %s", field, bad.Message),
		Data:    pando.FieldErrors{field: bad},
	}
}

func (s *Superusers) insert(ctx context.Context, tx store.Tx, c *pando.Collection, email, hash string) error {
	now := pando.FormatTime(s.now())
	rec := pando.NewRecord(c)
	rec.Set("id", pando.NewID())
	rec.Set("email", email)
	rec.Set("password", hash)
	rec.Set("tokenKey", newTokenKey())
	rec.Set("verified", true)
	rec.Set("created", now)
	rec.Set("updated", now)
	return tx.Insert(ctx, rec)
}

// setPassword also ends every session and every login under way.
func (s *Superusers) setPassword(ctx context.Context, tx store.Tx, old *pando.Record, hash string) error {
	rec := old.Clone()
	rec.Set("password", hash)
	rec.Set("tokenKey", newTokenKey())
	rec.Set("updated", pando.FormatTime(s.now()))
	if err := deleteTies(ctx, tx, rec, "_mfas", "_otps", "_authOrigins"); err != nil {
		return err
	}
	return tx.Update(ctx, old, rec)
}

// newTokenKey is as long and made of the same characters as the field's own
// pattern asks for.
func newTokenKey() string {
	return pando.RandomString(50, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
}

func (s *Superusers) write(ctx context.Context, fn func(store.Tx, *pando.Collection) error) error {
	_, err := s.store.Write(ctx, func(tx store.Tx) error {
		c, err := superusers(tx.Catalog())
		if err != nil {
			return err
		}
		return fn(tx, c)
	})
	unique, ok := errors.AsType[*store.UniqueError](err)
	if !ok {
		return err
	}
	refused := pando.FieldErrors{}
	for _, f := range unique.Fields {
		refused[f] = &pando.FieldError{Code: "validation_not_unique", Message: "Value must be unique."}
	}
	return &pando.Error{
		Kind:    pando.KindInvalid,
		Message: "The superuser cannot be saved: email: Value must be unique.",
		Data:    refused, Err: err,
	}
}

func superusers(catalog *store.Catalog) (*pando.Collection, error) {
	c := catalog.Collection(pando.SuperusersName)
	if c == nil || !c.IsSuperusers() {
		return nil, errors.New("auth: there is no collection " + pando.SuperusersName)
	}
	return c, nil
}

// countSuperusers counts up to limit.
func countSuperusers(ctx context.Context, r store.Reader, limit int) (int, error) {
	c, err := superusers(r.Catalog())
	if err != nil {
		return 0, err
	}
	page, err := r.Find(ctx, store.Query{Collection: c, Limit: limit, IDsOnly: true})
	return len(page.Records), err
}

func byEmail(ctx context.Context, r store.Reader, c *pando.Collection, email string) (*pando.Record, error) {
	if email == "" {
		return nil, nil
	}
	page, err := r.Find(ctx, store.Query{
		Collection: c, Match: []store.Match{{Field: "email", Value: email}}, Limit: 1,
	})
	if err != nil || len(page.Records) == 0 {
		return nil, err
	}
	return page.Records[0], nil
}

// deleteTies removes what the named system collections hold of an auth record.
func deleteTies(ctx context.Context, tx store.Tx, rec *pando.Record, names ...string) error {
	for _, name := range names {
		c := tx.Catalog().Collection(name)
		if c == nil {
			continue
		}
		page, err := tx.Find(ctx, store.Query{Collection: c, Match: []store.Match{
			{Field: "collectionRef", Value: rec.Collection.ID}, {Field: "recordRef", Value: rec.ID()},
		}})
		if err != nil {
			return err
		}
		for _, tie := range page.Records {
			if err := tx.Delete(ctx, tie); err != nil {
				return err
			}
		}
	}
	return nil
}
