// Package auth knows who asks: it checks passwords, hands out tokens and tells
// whom a token stands for.
//
// A token is a JWT signed with a key that belongs to one record (its tokenKey)
// and one collection (its secret for that type of token). So a token is revoked
// by changing either, nothing has to be remembered, and whoever reads a token
// has to read its record: [Auth.Identify] keeps the two together as a fact
// (store.Facts), which costs one lookup per request.
//
// Start at [Auth], then [Passwords], the queue in front of bcrypt, and
// [Superusers], what the command line and the install page ask for.
package auth

import (
	"context"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/hook"
	"github.com/pandobase/pando/internal/store"
)

// Auth is the [pando.Auth] of one server. Its methods may be called at once.
type Auth struct {
	store     store.Store
	facts     store.Facts
	passwords *Passwords
	encode    Encoder
	hooks     *Hooks
	now       func() time.Time
}

var _ pando.Auth = (*Auth)(nil)

// Config is what an [Auth] is made of.
type Config struct {
	Store     store.Store
	Facts     store.Facts
	Passwords *Passwords
	Encode    Encoder
	Hooks     *Hooks           // nil: nobody listens
	Now       func() time.Time // nil: time.Now
}

// Encoder writes rec as JSON, with the relations of expand, as the caller of
// req may see it.
type Encoder func(ctx context.Context, r store.Reader, req *pando.Request, rec *pando.Record, expand string) ([]byte, error)

// Hooks are the extension points of this package.
type Hooks struct {
	// Login runs around every login that is about to be answered with a token:
	// the password was right and the rules allow it. Failing refuses it.
	Login hook.Chain[*LoginEvent]
}

// LoginEvent is a login that is about to succeed.
type LoginEvent struct {
	Request *pando.Request
	Record  *pando.Record // who logs in; shared, not to be changed
	Method  string        // password, refresh, impersonate
	Meta    any           // sent as "meta" in the answer if it is not nil
}

// New makes an Auth. It starts nothing of its own.
func New(c Config) *Auth {
	a := &Auth{c.Store, c.Facts, c.Passwords, c.Encode, c.Hooks, c.Now}
	if a.hooks == nil {
		a.hooks = new(Hooks)
	}
	if a.now == nil {
		a.now = time.Now
	}
	return a
}

// Ways to log in, as LoginEvent.Method and the method of an _mfas record.
const (
	methodPassword    = "password"
	methodRefresh     = "refresh"
	methodImpersonate = "impersonate"
)

// authCollection finds an auth collection.
func authCollection(catalog *store.Catalog, ref string) (*pando.Collection, error) {
	c := catalog.Collection(ref)
	if c == nil {
		return nil, noCollection()
	}
	if !c.IsAuth() || c.Auth == nil {
		return nil, notAuthCollection()
	}
	return c, nil
}

func noCollection() error {
	return &pando.Error{Kind: pando.KindNotFound, Message: "Missing or invalid collection context."}
}

func notAuthCollection() error {
	return &pando.Error{Kind: pando.KindNotFound, Message: "Missing or invalid auth collection context."}
}

func guestError() error {
	return &pando.Error{
		Kind: pando.KindUnauthenticated, Message: "The request requires valid record authorization token.",
	}
}

// CheckIP refuses a superuser who asks from an address that the settings do not
// list, with a KindForbidden error.
func (a *Auth) CheckIP(rec *pando.Record, realIP string) error {
	return checkIP(a.store.Catalog(), rec, realIP)
}

func checkIP(catalog *store.Catalog, rec *pando.Record, realIP string) error {
	if !rec.IsSuperuser() || catalog.Settings.TakesSuperuserFrom(realIP) {
		return nil
	}
	return &pando.Error{
		Kind: pando.KindForbidden, Message: "You are not allowed to perform this request.",
	}
}
