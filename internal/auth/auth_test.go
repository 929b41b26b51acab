package auth_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/auth"
	"github.com/pandobase/pando/internal/servicetest"
	"github.com/pandobase/pando/internal/store"
)

// fixture is an Auth on a real store, with a clock that tests turn.
type fixture struct {
	*servicetest.Env
	auth      *auth.Auth
	hooks     *auth.Hooks
	passwords *auth.Passwords
	clock     time.Time
	ada, bob  *pando.Record // users; their passwords are "ada-password" and "bob-password"
	root      *pando.Record // superuser; "root-password"
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{Env: servicetest.New(t), hooks: new(auth.Hooks), clock: time.Now()}
	f.passwords = passwords(t, auth.PasswordsConfig{})
	f.auth = auth.New(auth.Config{
		Store: f.Store, Facts: f.Facts, Passwords: f.passwords, Encode: servicetest.Encode, Hooks: f.hooks,
		Now: func() time.Time { return f.clock },
	})
	f.ada = f.user(t, "users", "ada")
	f.bob = f.user(t, "users", "bob")
	f.root = f.user(t, pando.SuperusersName, "root")
	return f
}

func (f *fixture) user(t *testing.T, collection, name string) *pando.Record {
	t.Helper()
	hash, err := f.passwords.Hash(t.Context(), name+"-password", 4)
	if err != nil {
		t.Fatal(err)
	}
	return f.Insert(t, collection, map[string]any{"email": name + "@example.com", "password": hash})
}

type answer struct {
	Meta   any
	Record map[string]any
	Token  string
}

func (f *fixture) login(t *testing.T, req *pando.Request, collection string, l pando.PasswordLogin) (answer, error) {
	t.Helper()
	body, err := f.auth.WithPassword(t.Context(), req, collection, l, pando.Projection{})
	var a answer
	if err == nil {
		if jerr := json.Unmarshal(body, &a); jerr != nil {
			t.Fatalf("%v in %s", jerr, body)
		}
	}
	return a, err
}

func (f *fixture) mustLogin(t *testing.T, collection, name string) answer {
	t.Helper()
	a, err := f.login(t, &pando.Request{}, collection, pando.PasswordLogin{
		Identity: name + "@example.com", Password: name + "-password",
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// wantID tells whom a token must stand for; "" is a guest.
func (f *fixture) wantID(t *testing.T, token, want string) {
	t.Helper()
	for range 2 { // read, and from the cache
		rec, err := f.auth.Identify(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if rec != nil {
			got = rec.ID()
		}
		if got != want {
			t.Errorf("Identify = %q, want %q", got, want)
		}
	}
}

func claimsOf(t *testing.T, token string) map[string]any {
	t.Helper()
	c := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(token, c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLogin(t *testing.T) {
	f := newFixture(t)
	a := f.mustLogin(t, "users", "ada")
	want := map[string]any{
		"collectionId": "pbc_users", "collectionName": "users", "id": f.ada.ID(), "email": "ada@example.com",
		"emailVisibility": false, "verified": false, "name": "", "created": "", "updated": "",
	}
	if diff := cmp.Diff(want, a.Record); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
	wantClaims := map[string]any{
		"type": "auth", "id": f.ada.ID(), "collectionId": "pbc_users", "refreshable": true,
		"exp": float64(f.clock.Add(604800 * time.Second).Unix()),
	}
	if diff := cmp.Diff(wantClaims, claimsOf(t, a.Token)); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	if head, _, _ := strings.Cut(a.Token, "."); head != "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9" {
		t.Errorf("header %s", head)
	}
	f.wantID(t, a.Token, f.ada.ID())
	if _, present := f.mustLogin(t, pando.SuperusersName, "root").Record["extra"]; !present {
		t.Error("a superuser does not see their hidden fields")
	}
}

func TestLoginFailures(t *testing.T) {
	f := newFixture(t)
	f.Save(t, servicetest.AuthJSON("closed"))
	f.Change(t, "closed", func(c *pando.Collection) { c.Auth.PasswordAuth.Enabled = false })
	f.Save(t, servicetest.AuthJSON("nobody"))
	f.Change(t, "nobody", func(c *pando.Collection) { c.Auth.AuthRule = nil })
	f.user(t, "nobody", "ada")
	long := strings.Repeat("ä", 256)
	blank := &pando.FieldError{Code: "validation_required", Message: "Cannot be blank."}
	tooLong := &pando.FieldError{
		Code: "validation_length_out_of_range", Message: "The length must be between 1 and 255.",
		Params: map[string]any{"min": 1, "max": 255},
	}
	const invalid = "An error occurred while validating the submitted data."
	for _, tt := range []struct {
		name, collection string
		login            pando.PasswordLogin
		kind             pando.Kind
		message          string
		data             pando.FieldErrors
	}{
		{"no such collection", "nope", pando.PasswordLogin{}, pando.KindNotFound, "Missing or invalid collection context.", nil},
		{"no auth collection", "_mfas", pando.PasswordLogin{}, pando.KindNotFound, "Missing or invalid auth collection context.", nil},
		{
			"no passwords", "closed", pando.PasswordLogin{}, pando.KindForbidden,
			"The collection is not configured to allow password authentication.", nil,
		},
		{
			"nothing", "users", pando.PasswordLogin{}, pando.KindInvalid, invalid,
			pando.FieldErrors{"identity": blank, "password": blank},
		},
		{
			"long", "users", pando.PasswordLogin{Identity: long, Password: long, IdentityField: long}, pando.KindInvalid, invalid,
			pando.FieldErrors{"identity": tooLong, "password": tooLong, "identityField": tooLong},
		},
		{
			"wrong field", "users", pando.PasswordLogin{Identity: "x", Password: "x", IdentityField: "name"}, pando.KindInvalid, invalid,
			pando.FieldErrors{"identityField": &pando.FieldError{Code: "validation_in_invalid", Message: "Must be a valid value."}},
		},
		{
			"wrong password", "users", pando.PasswordLogin{Identity: "ada@example.com", Password: "bob-password"},
			pando.KindInvalid, "Failed to authenticate.", nil,
		},
		{
			"unknown", "users", pando.PasswordLogin{Identity: "eve@example.com", Password: "ada-password"},
			pando.KindInvalid, "Failed to authenticate.", nil,
		},
		{
			"another case", "users", pando.PasswordLogin{Identity: "ADA@example.com", Password: "ada-password"},
			pando.KindInvalid, "Failed to authenticate.", nil,
		},
		{
			"no authRule", "nobody", pando.PasswordLogin{Identity: "ada@example.com", Password: "ada-password"},
			pando.KindForbidden, "The request doesn't satisfy the collection requirements to authenticate.", nil,
		},
		{
			"no authRule, wrong password", "nobody", pando.PasswordLogin{Identity: "ada@example.com", Password: "x"},
			pando.KindInvalid, "Failed to authenticate.", nil,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := f.login(t, &pando.Request{}, tt.collection, tt.login)
			e, ok := errors.AsType[*pando.Error](err)
			if !ok || e.Kind != tt.kind || e.Message != tt.message {
				t.Fatalf("%v, want kind %d and %q", err, tt.kind, tt.message)
			}
			if diff := cmp.Diff(tt.data, e.Data); diff != "" {
				t.Errorf("data (-want +got):\n%s", diff)
			}
		})
	}
}

func TestIdentities(t *testing.T) {
	f := newFixture(t)
	f.Save(t, servicetest.AuthJSON("people", `{"id":"text9","name":"username","type":"text"}`, `{"id":"text10","name":"nick","type":"text"}`))
	f.Change(t, "people", func(c *pando.Collection) {
		c.Indexes = append(c.Indexes,
			"CREATE UNIQUE INDEX idx_u ON people (username COLLATE NOCASE) WHERE username != ''",
			"CREATE UNIQUE INDEX idx_n ON people (nick) WHERE nick != ''")
		c.Auth.PasswordAuth.IdentityFields = []string{"username", "nick", "email"}
	})
	hash := func(s string) string {
		h, err := f.passwords.Hash(t.Context(), s, 4)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	one := f.Insert(t, "people", map[string]any{"email": "one@y.co", "username": "x@y.co", "nick": "Uno", "password": hash("one-password")})
	two := f.Insert(t, "people", map[string]any{"email": "x@y.co", "username": "two", "password": hash("two-password")})
	for _, tt := range []struct {
		identity, field, password string
		want                      *pando.Record
	}{
		{"x@y.co", "", "two-password", two}, // the e-mail address goes first
		{"x@y.co", "", "one-password", nil}, // and what it found decides
		{"x@y.co", "username", "one-password", one},
		{"X@Y.co", "", "one-password", one}, // only the username has NOCASE
		{"TWO", "", "two-password", two},
		{"Uno", "", "one-password", one},
		{"uno", "", "one-password", nil},
		{"one@y.co", "username", "one-password", nil},
		{"", "", "one-password", nil},
	} {
		a, err := f.login(t, &pando.Request{}, "people", pando.PasswordLogin{
			Identity: tt.identity, IdentityField: tt.field, Password: tt.password,
		})
		if got := a.Record["id"]; err == nil && (tt.want == nil || got != tt.want.ID()) || err != nil && tt.want != nil {
			t.Errorf("%q %q: %v, %v", tt.identity, tt.field, got, err)
		}
	}
}

func TestAnswerForm(t *testing.T) {
	f := newFixture(t)
	f.hooks.Login.Add(func(ctx context.Context, e *auth.LoginEvent, next func(context.Context) error) error {
		e.Meta = map[string]any{"from": e.Method}
		return next(ctx)
	})
	for fields, want := range map[string]string{
		"record.email,meta": `{"meta":{"from":"refresh"},"record":{"email":"ada@example.com"}}`,
		"record.email":      `{"record":{"email":"ada@example.com"}}`,
		"nothing":           `{}`,
	} {
		body, err := f.auth.Refresh(t.Context(), &pando.Request{Auth: f.ada}, "users", "x", pando.Projection{Fields: fields})
		if err != nil || string(body) != want {
			t.Errorf("%s: %s, %v; want %s", fields, body, err, want)
		}
	}
	if _, err := f.auth.Refresh(t.Context(), &pando.Request{Auth: f.ada}, "users", "x",
		pando.Projection{Fields: "record.email:nope()"}); pando.KindOf(err) != pando.KindInvalid {
		t.Errorf("an unknown modifier: %v", err)
	}
}

func TestLoginHookRefuses(t *testing.T) {
	f := newFixture(t)
	no := pando.Invalid("Not today.")
	f.hooks.Login.Add(func(context.Context, *auth.LoginEvent, func(context.Context) error) error { return no })
	if _, err := f.login(t, &pando.Request{}, "users", pando.PasswordLogin{
		Identity: "ada@example.com", Password: "ada-password",
	}); !errors.Is(err, no) {
		t.Errorf("%v", err)
	}
}

func TestMethods(t *testing.T) {
	f := newFixture(t)
	get := func() string {
		body, err := f.auth.Methods(t.Context(), "USERS", "")
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	if got, want := get(), `{"password":{"identityFields":["email"],"enabled":true},"oauth2":{"providers":[],"enabled":false},`+
		`"mfa":{"enabled":false,"duration":0},"otp":{"enabled":false,"duration":0},"authProviders":null,`+
		`"usernamePassword":false,"emailPassword":true}`; got != want {
		t.Errorf("\n%s, want\n%s", got, want)
	}
	f.Change(t, "users", func(c *pando.Collection) {
		c.Auth.PasswordAuth.Enabled = false
		c.Auth.MFA = pando.MFA{Enabled: true, Duration: 100}
		c.Auth.OTP = pando.OTP{Enabled: true, Duration: 180}
	})
	if got, want := get(), `{"password":{"identityFields":[],"enabled":false},"oauth2":{"providers":[],"enabled":false},`+
		`"mfa":{"enabled":true,"duration":100},"otp":{"enabled":true,"duration":180},"authProviders":null,`+
		`"usernamePassword":false,"emailPassword":false}`; got != want {
		t.Errorf("\n%s, want\n%s", got, want)
	}
	for _, ref := range []string{"nope", "_mfas"} {
		if _, err := f.auth.Methods(t.Context(), ref, ""); pando.KindOf(err) != pando.KindNotFound {
			t.Errorf("%s: %v", ref, err)
		}
	}
}

func TestMFA(t *testing.T) {
	f := newFixture(t)
	f.Change(t, "users", func(c *pando.Collection) { c.Auth.MFA = pando.MFA{Enabled: true, Duration: 100} })
	try := func(mfaID string) error {
		req := &pando.Request{Body: map[string]any{"mfaId": mfaID}}
		_, err := f.login(t, req, "users", pando.PasswordLogin{Identity: "ada@example.com", Password: "ada-password"})
		return err
	}
	first, ok := errors.AsType[*pando.MFARequired](try(""))
	if !ok || len(first.ID) != pando.IDLength {
		t.Fatalf("%v, want an MFARequired with an id", first)
	}
	add := func(method, recordID string, made time.Time) string {
		return f.Insert(t, "_mfas", map[string]any{
			"method": method, "collectionRef": "pbc_users", "recordRef": recordID, "created": pando.FormatTime(made),
		}).ID()
	}
	for _, tt := range []struct{ name, id, want string }{
		{"the same method again", first.ID, "A different authentication method is required."},
		{"unknown", "nope", "Invalid or expired MFA session."},
		{"expired", add("otp", f.ada.ID(), f.clock.Add(-101*time.Second)), "Invalid or expired MFA session."},
		{"of somebody else", add("otp", f.bob.ID(), f.clock), "Invalid MFA session."},
	} {
		if e, ok := errors.AsType[*pando.Error](try(tt.id)); !ok || e.Kind != pando.KindInvalid || e.Message != tt.want {
			t.Errorf("%s: %v, want %q", tt.name, e, tt.want)
		}
	}
	other := add("otp", f.ada.ID(), f.clock)
	if err := try(other); err != nil {
		t.Errorf("the second half: %v", err)
	}
	if err := try(other); pando.KindOf(err) != pando.KindInvalid {
		t.Errorf("the second half twice: %v", err)
	}
}

func TestCheckIP(t *testing.T) {
	f := newFixture(t)
	set := func(list ...string) {
		s := *f.Store.Catalog().Settings
		s.SuperuserIPs = list
		f.Write(t, func(tx store.Tx) error { return tx.SaveSettings(t.Context(), &s) })
	}
	for _, tt := range []struct {
		list []string
		ip   string
		want bool
	}{
		{nil, "1.2.3.4", true},
		{[]string{"1.2.3.4"}, "1.2.3.4", true},
		{[]string{"1.2.3.4"}, "::ffff:1.2.3.4", true},
		{[]string{"1.2.3.4"}, "1.2.3.5", false},
		{[]string{"9.9.9.9", "1.2.0.0/16"}, "1.2.3.5", true},
		{[]string{"1.2.0.0/16"}, "1.3.3.5", false},
		{[]string{"2001:db8::/32"}, "2001:db8::7", true},
		{[]string{"1.2.3.4"}, "", false},
		{[]string{"1.2.3.4"}, "junk", false},
	} {
		set(tt.list...)
		err := f.auth.CheckIP(f.root, tt.ip)
		if (err == nil) != tt.want || err != nil && pando.KindOf(err) != pando.KindForbidden {
			t.Errorf("%v %q: %v", tt.list, tt.ip, err)
		}
		if err := f.auth.CheckIP(f.ada, tt.ip); err != nil {
			t.Errorf("a plain user: %v", err)
		}
		if err := f.auth.CheckIP(nil, tt.ip); err != nil {
			t.Errorf("a guest: %v", err)
		}
		_, err = f.login(t, &pando.Request{RealIP: tt.ip}, pando.SuperusersName,
			pando.PasswordLogin{Identity: "root@example.com", Password: "root-password"})
		if (err == nil) != tt.want {
			t.Errorf("login from %q with %v: %v", tt.ip, tt.list, err)
		}
	}
}
