package auth_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/auth"
	"github.com/pandobase/pando/internal/servicetest"
	"github.com/pandobase/pando/internal/store"
)

type superuserFixture struct {
	*fixture
	su *auth.Superusers
}

func newSuperusers(t *testing.T) *superuserFixture {
	t.Helper()
	f := &fixture{Env: servicetest.New(t), passwords: passwords(t, auth.PasswordsConfig{})}
	f.auth = auth.New(auth.Config{Store: f.Store, Facts: f.Facts, Passwords: f.passwords, Encode: servicetest.Encode})
	return &superuserFixture{f, auth.NewSuperusers(f.Store, f.passwords)}
}

func (f *superuserFixture) canLogIn(t *testing.T, email, password string, want bool) {
	t.Helper()
	a, err := f.login(t, &pando.Request{}, pando.SuperusersName, pando.PasswordLogin{Identity: email, Password: password})
	if (err == nil) != want {
		t.Errorf("login as %s: %v", email, err)
	}
	if err == nil && a.Record["verified"] != true {
		t.Errorf("%s is not verified", email)
	}
}

func TestSuperusers(t *testing.T) {
	f := newSuperusers(t)
	ctx := t.Context()
	if any, err := f.su.Any(ctx); any || err != nil {
		t.Errorf("Any = %v, %v", any, err)
	}
	check := func(what string, err error, kind pando.Kind, text string) {
		t.Helper()
		if err == nil || pando.KindOf(err) != kind || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v, want kind %d and %q", what, err, kind, text)
		}
	}
	ok := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	check("no address", f.su.Create(ctx, "", "12345678"), pando.KindInvalid, "email")
	check("no true address", f.su.Create(ctx, "bad", "12345678"), pando.KindInvalid, "email")
	check("a short password", f.su.Create(ctx, "a@b.co", "1234567"), pando.KindInvalid, "at least 8")
	check("a long password", f.su.Create(ctx, "a@b.co", strings.Repeat("x", 80)), pando.KindInvalid, "password")
	ok("create", f.su.Create(ctx, "a@b.co", "12345678"))
	f.canLogIn(t, "a@b.co", "12345678", true)
	if any, err := f.su.Any(ctx); !any || err != nil {
		t.Errorf("Any = %v, %v", any, err)
	}
	check("twice", f.su.Create(ctx, "a@b.co", "12345678"), pando.KindInvalid, "unique")
	check("the only one", f.su.Delete(ctx, "a@b.co"), pando.KindInvalid, "You can't delete the only existing superuser.")
	check("delete unknown", f.su.Delete(ctx, "x@b.co"), pando.KindNotFound, `"x@b.co" doesn't exist`)
	check("update unknown", f.su.Update(ctx, "x@b.co", "12345678"), pando.KindNotFound, `"x@b.co" doesn't exist`)
	check("update to a short password", f.su.Update(ctx, "a@b.co", "1"), pando.KindInvalid, "password")

	token := f.mustToken(t, "a@b.co", "12345678")
	ok("update", f.su.Update(ctx, "a@b.co", "87654321"))
	f.canLogIn(t, "a@b.co", "12345678", false)
	f.canLogIn(t, "a@b.co", "87654321", true)
	f.wantID(t, token, "")

	ok("upsert of a new one", f.su.Upsert(ctx, "c@d.co", "12345678"))
	f.canLogIn(t, "c@d.co", "12345678", true)
	ok("upsert of an old one", f.su.Upsert(ctx, "c@d.co", "abcdefgh"))
	f.canLogIn(t, "c@d.co", "abcdefgh", true)
	check("upsert of a bad one", f.su.Upsert(ctx, "c@d", "12345678"), pando.KindInvalid, "email")

	f.tie(t, "c@d.co")
	ok("delete", f.su.Delete(ctx, "c@d.co"))
	f.canLogIn(t, "c@d.co", "abcdefgh", false)
	if n := f.count(t, "_authOrigins"); n != 0 {
		t.Errorf("%d ties are left", n)
	}
}

func (f *superuserFixture) mustToken(t *testing.T, email, password string) string {
	t.Helper()
	a, err := f.login(t, &pando.Request{}, pando.SuperusersName, pando.PasswordLogin{Identity: email, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	return a.Token
}

// tie gives a superuser a record in a system collection.
func (f *superuserFixture) tie(t *testing.T, email string) {
	t.Helper()
	c := f.Store.Catalog().Collection(pando.SuperusersName)
	var id string
	if err := f.Store.Read(t.Context(), func(r store.Reader) error {
		page, err := r.Find(t.Context(), store.Query{Collection: c, Match: []store.Match{{Field: "email", Value: email}}})
		if err == nil {
			id = page.Records[0].ID()
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	f.Insert(t, "_authOrigins", map[string]any{"collectionRef": c.ID, "recordRef": id})
}

func (f *superuserFixture) count(t *testing.T, collection string) int {
	t.Helper()
	n := 0
	if err := f.Store.Read(t.Context(), func(r store.Reader) error {
		page, err := r.Find(t.Context(), store.Query{Collection: f.Store.Catalog().Collection(collection), IDsOnly: true})
		n = len(page.Records)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

// Of many who want to be the first, one succeeds.
func TestCreateFirst(t *testing.T) {
	f := newSuperusers(t)
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() { errs[i] = f.su.CreateFirst(t.Context(), string(rune('a'+i))+"@b.co", "12345678") })
	}
	wg.Wait()
	made := 0
	for _, err := range errs {
		switch {
		case err == nil:
			made++
		case pando.KindOf(err) != pando.KindForbidden:
			t.Errorf("%v, want a KindForbidden error", err)
		}
	}
	if n := f.count(t, pando.SuperusersName); made != 1 || n != 1 {
		t.Errorf("%d succeeded, there are %d superusers", made, n)
	}
}

func TestInstall(t *testing.T) {
	f := newSuperusers(t)
	ctx := t.Context()
	refused := func(what string, err error) {
		t.Helper()
		if pando.KindOf(err) != pando.KindForbidden || err == nil {
			t.Errorf("%s: %v, want a KindForbidden error", what, err)
		}
	}
	refused("without a link", f.su.Install(ctx, "", "a@b.co", "12345678"))
	old, err := f.su.InstallToken(ctx)
	if err != nil {
		t.Fatal(err)
	}
	token, err := f.su.InstallToken(ctx)
	if err != nil {
		t.Fatal(err)
	}
	refused("an old link", f.su.Install(ctx, old, "a@b.co", "12345678"))
	refused("a made-up link", f.su.CheckInstallToken(ctx, token+"x"))
	if err := f.su.CheckInstallToken(ctx, token); err != nil {
		t.Error(err)
	}
	if err := f.su.Install(ctx, token, "a@b.co", "short"); pando.KindOf(err) != pando.KindInvalid {
		t.Errorf("a short password: %v", err)
	}
	var wg sync.WaitGroup
	errs := make([]error, 5)
	for i := range errs {
		wg.Go(func() { errs[i] = f.su.Install(ctx, token, string(rune('a'+i))+"@b.co", "12345678") })
	}
	wg.Wait()
	made := 0
	for _, err := range errs {
		if err == nil {
			made++
		} else {
			refused("used up", err)
		}
	}
	if n := f.count(t, pando.SuperusersName); made != 1 || n != 1 {
		t.Errorf("%d succeeded, there are %d superusers", made, n)
	}
	refused("afterwards", f.su.CheckInstallToken(ctx, token))
	if _, err := f.su.InstallToken(ctx); pando.KindOf(err) != pando.KindForbidden {
		t.Errorf("a link although there is a superuser: %v", err)
	}
}

func TestInstallLinkExpires(t *testing.T) {
	f := newSuperusers(t)
	now := time.Now()
	f.su.SetClock(func() time.Time { return now })
	token, err := f.su.InstallToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(auth.InstallLife - time.Second)
	if err := f.su.CheckInstallToken(t.Context(), token); err != nil {
		t.Error(err)
	}
	now = now.Add(time.Second)
	if err := f.su.Install(t.Context(), token, "a@b.co", "12345678"); pando.KindOf(err) != pando.KindForbidden || err == nil {
		t.Errorf("%v, want a KindForbidden error", err)
	}
}
