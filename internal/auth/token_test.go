package auth_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando"
)

func TestTokensThatStandForNobody(t *testing.T) {
	f := newFixture(t)
	good := f.mustLogin(t, "users", "ada").Token
	f.wantID(t, good, f.ada.ID())
	parts := strings.Split(good, ".")
	key := []byte(f.ada.String("tokenKey") + f.Store.Catalog().Collection("users").Auth.AuthToken.Secret)
	forge := func(method jwt.SigningMethod, key any, edit func(jwt.MapClaims)) string {
		c := jwt.MapClaims{
			"type": "auth", "id": f.ada.ID(), "collectionId": "pbc_users", "exp": f.clock.Add(time.Hour).Unix(),
		}
		if edit != nil {
			edit(c)
		}
		s, err := jwt.NewWithClaims(method, c).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	f.wantID(t, forge(jwt.SigningMethodHS256, key, nil), f.ada.ID()) // the forger's tools are sound
	for name, token := range map[string]string{
		"nothing":          "",
		"junk":             "junk",
		"dots":             "..",
		"huge":             strings.Repeat("x", 10_000),
		"no signature":     parts[0] + "." + parts[1] + ".",
		"other signature":  parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2])),
		"none":             forge(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil),
		"another method":   forge(jwt.SigningMethodHS512, key, nil),
		"another key":      forge(jwt.SigningMethodHS256, []byte("x"), nil),
		"empty key":        forge(jwt.SigningMethodHS256, []byte{}, nil),
		"another type":     forge(jwt.SigningMethodHS256, key, func(c jwt.MapClaims) { c["type"] = "file" }),
		"no type":          forge(jwt.SigningMethodHS256, key, func(c jwt.MapClaims) { delete(c, "type") }),
		"another record":   forge(jwt.SigningMethodHS256, key, func(c jwt.MapClaims) { c["id"] = f.bob.ID() }),
		"no such record":   forge(jwt.SigningMethodHS256, key, func(c jwt.MapClaims) { c["id"] = "nobody" }),
		"collection name":  forge(jwt.SigningMethodHS256, key, func(c jwt.MapClaims) { c["collectionId"] = "users" }),
		"other collection": forge(jwt.SigningMethodHS256, key, func(c jwt.MapClaims) { c["collectionId"] = "pbc__superusers" }),
		"base collection":  forge(jwt.SigningMethodHS256, key, func(c jwt.MapClaims) { c["collectionId"] = "pbc__mfas" }),
		"expired":          forge(jwt.SigningMethodHS256, key, func(c jwt.MapClaims) { c["exp"] = f.clock.Unix() }),
		"no expiry":        forge(jwt.SigningMethodHS256, key, func(c jwt.MapClaims) { delete(c, "exp") }),
		"expiry in words":  forge(jwt.SigningMethodHS256, key, func(c jwt.MapClaims) { c["exp"] = "soon" }),
	} {
		t.Run(name, func(t *testing.T) { f.wantID(t, token, "") })
	}
	if unkept := f.Facts.Counts().Unkept; unkept == 0 {
		t.Error("junk tokens were kept")
	}
}

func TestTokensEnd(t *testing.T) {
	f := newFixture(t)
	token := f.mustLogin(t, "users", "ada").Token
	other := f.mustLogin(t, "users", "bob").Token
	f.wantID(t, token, f.ada.ID())

	t.Run("a change of the record shows", func(t *testing.T) {
		f.Update(t, f.ada, map[string]any{"name": "Ada L."})
		rec, err := f.auth.Identify(t.Context(), token)
		if err != nil || rec == nil || rec.String("name") != "Ada L." {
			t.Errorf("%v, %v", rec, err)
		}
	})
	t.Run("expiry", func(t *testing.T) {
		f.clock = f.clock.Add(604800*time.Second - time.Second)
		f.wantID(t, token, f.ada.ID())
		f.clock = f.clock.Add(2 * time.Second)
		f.wantID(t, token, "")
	})
	token = f.mustLogin(t, "users", "ada").Token
	other = f.mustLogin(t, "users", "bob").Token
	t.Run("another tokenKey", func(t *testing.T) {
		f.Update(t, f.ada, map[string]any{"tokenKey": pando.RandomString(50, "abc")})
		f.wantID(t, token, "")
		f.wantID(t, other, f.bob.ID())
	})
	token = f.mustLogin(t, "users", "ada").Token
	f.wantID(t, token, f.ada.ID())
	t.Run("another secret", func(t *testing.T) {
		f.Change(t, "users", func(c *pando.Collection) { c.Auth.AuthToken.Secret = strings.Repeat("s", 40) })
		f.wantID(t, token, "")
		f.wantID(t, other, "")
	})
	token = f.mustLogin(t, "users", "ada").Token
	f.wantID(t, token, f.ada.ID())
	t.Run("the record goes", func(t *testing.T) {
		f.Delete(t, f.ada)
		f.wantID(t, token, "")
	})
}

// A verified token must cost a lookup, not a signature.
func TestVerifiedTokensAreKept(t *testing.T) {
	f := newFixture(t)
	token := f.mustLogin(t, "users", "ada").Token
	f.wantID(t, token, f.ada.ID())
	before := f.Facts.Counts()
	for range 10 {
		f.wantID(t, token, f.ada.ID())
	}
	after := f.Facts.Counts()
	if hits, misses := after.Hits-before.Hits, after.Misses-before.Misses; hits != 20 || misses != 0 {
		t.Errorf("20 uses: %d hits, %d misses", hits, misses)
	}
}

func TestFileTokens(t *testing.T) {
	f := newFixture(t)
	if _, err := f.auth.FileToken(t.Context(), &pando.Request{}); pando.KindOf(err) != pando.KindUnauthenticated {
		t.Errorf("a guest: %v", err)
	}
	token, err := f.auth.FileToken(t.Context(), &pando.Request{Auth: f.ada})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"type": "file", "id": f.ada.ID(), "collectionId": "pbc_users", "exp": float64(f.clock.Unix() + 180),
	}
	if diff := cmp.Diff(want, claimsOf(t, token)); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	rec, err := f.auth.IdentifyFile(t.Context(), token)
	if err != nil || rec == nil || rec.ID() != f.ada.ID() {
		t.Errorf("%v, %v", rec, err)
	}
	f.wantID(t, token, "") // it is good for files only
	rec, err = f.auth.IdentifyFile(t.Context(), f.mustLogin(t, "users", "ada").Token)
	if err != nil || rec != nil {
		t.Errorf("an auth token opens files: %v, %v", rec, err)
	}
}

func TestRefresh(t *testing.T) {
	f := newFixture(t)
	token := f.mustLogin(t, "users", "ada").Token
	refresh := func(who *pando.Record, collection, token string) (answer, error) {
		body, err := f.auth.Refresh(t.Context(), &pando.Request{Auth: who}, collection, token, pando.Projection{})
		var a answer
		if err == nil {
			err = json.Unmarshal(body, &a)
		}
		return a, err
	}
	f.clock = f.clock.Add(time.Hour)
	a, err := refresh(f.ada, "users", token)
	if err != nil || a.Token == token {
		t.Errorf("%v, the same token: %v", err, a.Token == token)
	}
	f.wantID(t, a.Token, f.ada.ID())

	body, err := f.auth.Impersonate(t.Context(), &pando.Request{Auth: f.root}, "users", f.ada.ID(), time.Minute, pando.Projection{})
	if err != nil {
		t.Fatal(err)
	}
	var lent answer
	if err := json.Unmarshal(body, &lent); err != nil {
		t.Fatal(err)
	}
	if a, err = refresh(f.ada, "users", lent.Token); err != nil || a.Token != lent.Token {
		t.Errorf("a token that cannot be refreshed: %v, the same: %v", err, a.Token == lent.Token)
	}
	for _, tt := range []struct {
		who        *pando.Record
		collection string
		kind       pando.Kind
		message    string
	}{
		{nil, "users", pando.KindUnauthenticated, "The request requires valid record authorization token."},
		{nil, "nope", pando.KindUnauthenticated, "The request requires valid record authorization token."},
		{f.ada, "nope", pando.KindNotFound, "Missing or invalid collection context."},
		{f.root, "users", pando.KindForbidden, "The request requires auth record from _superusers collection."},
		{f.ada, "_superusers", pando.KindForbidden, "The request requires auth record from users collection."},
	} {
		_, err := refresh(tt.who, tt.collection, token)
		if e, ok := errors.AsType[*pando.Error](err); !ok || e.Kind != tt.kind || e.Message != tt.message {
			t.Errorf("%v, want %q", err, tt.message)
		}
	}
}

func TestImpersonate(t *testing.T) {
	f := newFixture(t)
	as := func(who *pando.Record, collection, id string, d time.Duration) (answer, error) {
		body, err := f.auth.Impersonate(t.Context(), &pando.Request{Auth: who}, collection, id, d, pando.Projection{})
		var a answer
		if err == nil {
			err = json.Unmarshal(body, &a)
		}
		return a, err
	}
	for d, life := range map[time.Duration]int64{0: 604800, 100 * time.Second: 100} {
		a, err := as(f.root, "users", f.ada.ID(), d)
		if err != nil {
			t.Fatal(err)
		}
		f.wantID(t, a.Token, f.ada.ID())
		c := claimsOf(t, a.Token)
		if c["refreshable"] != false || c["exp"] != float64(f.clock.Unix()+life) {
			t.Errorf("%v: claims %v", d, c)
		}
	}
	for _, tt := range []struct {
		who            *pando.Record
		collection, id string
		d              time.Duration
		kind           pando.Kind
	}{
		{nil, "users", f.ada.ID(), 0, pando.KindUnauthenticated},
		{f.ada, "users", f.ada.ID(), 0, pando.KindForbidden},
		{f.root, "nope", f.ada.ID(), 0, pando.KindNotFound},
		{f.root, "_mfas", f.ada.ID(), 0, pando.KindNotFound},
		{f.root, "users", "nope", 0, pando.KindNotFound},
		{f.root, "users", f.ada.ID(), -1, pando.KindInvalid},
	} {
		if _, err := as(tt.who, tt.collection, tt.id, tt.d); err == nil || pando.KindOf(err) != tt.kind {
			t.Errorf("%s/%s: %v, want kind %d", tt.collection, tt.id, err, tt.kind)
		}
	}
}
