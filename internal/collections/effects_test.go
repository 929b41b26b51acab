package collections_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/blob/disk"
	"github.com/pandobase/pando/internal/collections"
	"github.com/pandobase/pando/internal/field"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/store/sqlite"
)

func must(t *testing.T, s *collections.Service, calls ...string) {
	t.Helper()
	for _, line := range calls {
		if got := call(t, s, line); got != "ok" && !strings.HasPrefix(got, `{"`) {
			t.Fatalf("%s: %s", line, got)
		}
	}
}

// insert adds a record with these values.
func insert(t *testing.T, s store.Store, collection string, values map[string]any) *pando.Record {
	t.Helper()
	c := s.Catalog().Collection(collection)
	r := pando.NewRecord(c)
	r.Set("id", pando.NewID())
	for name, v := range values {
		r.Set(name, field.Cast(c.Field(name), v))
	}
	_, err := s.Write(t.Context(), func(tx store.Tx) error { return tx.Insert(t.Context(), r) })
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func count(t *testing.T, s store.Store, collection string) int {
	t.Helper()
	var page store.Page
	err := s.Read(t.Context(), func(r store.Reader) error {
		var err error
		page, err = r.Find(t.Context(), store.Query{Collection: r.Catalog().Collection(collection), Total: true})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return page.Total
}

func TestSecretsStayAndRotate(t *testing.T) {
	s, db := open(t)
	must(t, s, `create {"name":"people","type":"auth","oauth2":{"enabled":true,"providers":[{"name":"google","clientId":"a","clientSecret":"hush"}]}}`)
	secrets := func() []string {
		o := db.Catalog().Collection("people").Auth
		var list []string
		for _, token := range o.Tokens() {
			list = append(list, token.Secret)
		}
		return append(list, o.OAuth2.Providers[0].ClientSecret)
	}
	before := secrets()
	seen := map[string]bool{}
	for _, secret := range before[:5] {
		if len(secret) != 50 || seen[secret] {
			t.Errorf("secret %q is short or shared", secret)
		}
		seen[secret] = true
	}
	must(t, s, `update people {"authToken":{"duration":100},"oauth2":{"providers":[{"name":"google","clientId":"b"}]}}`)
	if diff := cmp.Diff(before, secrets()); diff != "" {
		t.Errorf("an update that names no secret changed them (-before +after):\n%s", diff)
	}
	must(t, s, `update people {"authRule":"verified = true"}`)
	after := secrets()
	if after[0] == before[0] {
		t.Error("the auth secret stayed although the rule for logging in changed")
	}
	if diff := cmp.Diff(before[1:], after[1:]); diff != "" {
		t.Errorf("other secrets changed with the rule:\n%s", diff)
	}
	own := strings.Repeat("x", 40)
	must(t, s, `update people {"authRule":"","authToken":{"secret":"`+own+`"}}`)
	if got := secrets()[0]; got != own {
		t.Errorf("a secret that was sent became %q", got)
	}
	for _, line := range []string{"view people ", "list"} {
		if got := call(t, s, line); strings.Contains(got, own) || strings.Contains(got, "hush") {
			t.Errorf("%s shows a secret: %s", line, got)
		}
	}
}

func TestUniqueIndexOverDuplicates(t *testing.T) {
	s, db := open(t)
	must(t, s, `create {"name":"zz","fields":[{"name":"a","type":"text"}]}`)
	insert(t, db, "zz", map[string]any{"a": "same"})
	insert(t, db, "zz", map[string]any{"a": "same"})
	got := call(t, s, `update zz {"indexes":["create index i0 on zz (id)","create unique index i1 on zz (a)"]}`)
	if !strings.Contains(got, `{"indexes":{"1":{"code":"validation_invalid_index_expression","message":"Failed to create index i1 - `) {
		t.Error(got)
	}
	if indexes := db.Catalog().Collection("zz").Indexes; len(indexes) != 0 {
		t.Errorf("half of a refused update is there: %v", indexes)
	}
}

func TestSchemaChangesKeepTheData(t *testing.T) {
	s, db := open(t)
	must(t, s, `create {"name":"zz","fields":[{"name":"a","type":"text"},{"name":"s","type":"select","values":["x","y"],"maxSelect":1},{"name":"gone","type":"text"}]}`)
	rec := insert(t, db, "zz", map[string]any{"a": "kept", "s": "y", "gone": "soon"})
	must(t, s, `update zz {"name":"yy","fields":[{"id":"text3904355907","name":"b","type":"text"},{"name":"s","type":"select","values":["x","y"],"maxSelect":2},{"name":"n","type":"number"}]}`)
	err := db.Read(t.Context(), func(r store.Reader) error {
		got, err := r.Record(t.Context(), r.Catalog().Collection("yy"), rec.ID())
		if err != nil {
			return err
		}
		if diff := cmp.Diff([]any{rec.ID(), "kept", []string{"y"}, 0.0}, got.Values); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// withFiles is open with a place for files and a way to delete records.
func withFiles(t *testing.T, clear func(context.Context, store.Tx, *pando.Collection) ([]string, error)) (*collections.Service, store.Store, *disk.Store) {
	t.Helper()
	dir := t.TempDir()
	db, err := sqlite.Open(sqlite.Options{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := collections.Bootstrap(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	blobs, err := disk.Open(filepath.Join(dir, "storage"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { blobs.Close() })
	return collections.New(collections.Config{Store: db, Blobs: blobs, Clear: clear}), db, blobs
}

func TestRecordsGoWithTheirFilesAndCompanions(t *testing.T) {
	for _, verb := range []string{"truncate", "delete"} {
		t.Run(verb, func(t *testing.T) {
			s, db, blobs := withFiles(t, nil)
			users := db.Catalog().Collection("users")
			rec := insert(t, db, "users", map[string]any{"email": "a@example.com", "tokenKey": strings.Repeat("k", 40), "avatar": "a.png"})
			key := users.ID + "/" + rec.ID() + "/a.png"
			if err := blobs.Put(t.Context(), key, bytes.NewReader([]byte("x"))); err != nil {
				t.Fatal(err)
			}
			insert(t, db, "_otps", map[string]any{"collectionRef": users.ID, "recordRef": rec.ID(), "password": "x"})
			insert(t, db, "_otps", map[string]any{"collectionRef": "other", "recordRef": "r", "password": "x"})
			must(t, s, verb+" users")
			if _, err := blobs.Open(t.Context(), key); pando.KindOf(err) != pando.KindNotFound {
				t.Errorf("the file is still there: %v", err)
			}
			if n := count(t, db, "_otps"); n != 1 {
				t.Errorf("%d one-time passwords are left, want the other collection's", n)
			}
			wantNoNotes(t, blobs)
			if verb == "truncate" && count(t, db, "users") != 0 {
				t.Error("records are left")
			}
		})
	}
}

func TestTruncateAsksReferrers(t *testing.T) {
	asked := 0
	refuse := false
	clear := func(ctx context.Context, tx store.Tx, c *pando.Collection) ([]string, error) {
		asked++
		if refuse {
			return nil, pando.Invalid("It is part of a required relation.")
		}
		return []string{"other/r/f"}, tx.Truncate(ctx, c)
	}
	s, db, blobs := withFiles(t, clear)
	must(t, s, `create {"name":"tgt","id":"tgtid"}`, `create {"name":"ref","fields":[{"name":"r","type":"relation","collectionId":"tgtid"}]}`)
	if err := blobs.Put(t.Context(), "other/r/f", bytes.NewReader([]byte("x"))); err != nil {
		t.Fatal(err)
	}
	insert(t, db, "tgt", nil)
	must(t, s, "truncate tgt")
	if asked != 0 {
		t.Error("referrers were asked although there are none")
	}
	first := insert(t, db, "tgt", nil)
	insert(t, db, "ref", map[string]any{"r": first.ID()})
	refuse = true
	want := "Failed to truncate collection (most likely due to required cascade delete record references)."
	if got := call(t, s, "truncate tgt"); got != want {
		t.Errorf("truncate: %s", got)
	}
	if count(t, db, "tgt") != 1 {
		t.Error("a refused truncate removed records")
	}
	refuse = false
	must(t, s, "truncate tgt")
	if _, err := blobs.Open(t.Context(), "other/r/f"); pando.KindOf(err) != pando.KindNotFound {
		t.Errorf("the file of a record that went along is still there: %v", err)
	}
	wantNoNotes(t, blobs)
}

func wantNoNotes(t *testing.T, blobs *disk.Store) {
	t.Helper()
	if keys, err := blobs.Pending(t.Context()); err != nil || len(keys) > 0 {
		t.Errorf("notes are left: %v %v", keys, err)
	}
}

// A failed import leaves nothing behind, and one that removes collections
// removes their files.
func TestImportIsAllOrNothing(t *testing.T) {
	s, db, blobs := withFiles(t, nil)
	must(t, s, `create {"name":"old","id":"oldid"}`)
	if err := blobs.Put(t.Context(), "oldid/r/f", bytes.NewReader([]byte("x"))); err != nil {
		t.Fatal(err)
	}
	version := db.Catalog().Version
	items := []json.RawMessage{json.RawMessage(`{"id":"a","name":"aa"}`), json.RawMessage(`{"id":"b","name":"bb","listRule":"nope = 1"}`)}
	var e *pando.Error
	if err := s.Import(t.Context(), items, true); !errors.As(err, &e) || e.Kind != pando.KindInvalid {
		t.Fatalf("import: %v", err)
	}
	if db.Catalog().Version != version || db.Catalog().Collection("old") == nil || db.Catalog().Collection("aa") != nil {
		t.Error("a failed import changed the catalog")
	}
	if _, err := blobs.Open(t.Context(), "oldid/r/f"); err != nil {
		t.Errorf("a failed import removed a file: %v", err)
	}
	if err := s.Import(t.Context(), items[:1], true); err != nil {
		t.Fatal(err)
	}
	if _, err := blobs.Open(t.Context(), "oldid/r/f"); pando.KindOf(err) != pando.KindNotFound {
		t.Errorf("the file of a removed collection is there: %v", err)
	}
	wantNoNotes(t, blobs)
}

func TestFieldsThatCannotBePickedAreRefusedFirst(t *testing.T) {
	s, db := open(t)
	if _, err := s.Create(t.Context(), []byte(`{"name":"zz"}`), "name:nope(1)"); pando.KindOf(err) != pando.KindInvalid {
		t.Errorf("create: %v", err)
	}
	if db.Catalog().Collection("zz") != nil {
		t.Error("the collection was created although the call failed")
	}
}

func TestScaffolds(t *testing.T) {
	s, _ := open(t)
	a, err := s.Scaffolds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := decode(t, string(a))
	auth := all["auth"].(map[string]any)
	first := auth["indexes"].([]any)[0].(string)
	if !strings.HasPrefix(first, "CREATE UNIQUE INDEX `idx_tokenKey_") || !strings.HasSuffix(first, "` ON `` (`tokenKey`)") {
		t.Errorf("index of the auth scaffold: %s", first)
	}
	// What a scaffold holds is accepted with nothing but a name.
	for typ, scaffold := range all {
		c := scaffold.(map[string]any)
		if c["id"] != "" || c["type"] != typ {
			t.Errorf("%s: id %v, type %v", typ, c["id"], c["type"])
		}
		c["name"] = "from_" + typ
		if typ == "view" {
			c["viewQuery"] = "select id from users"
		}
		must(t, s, "create "+encode(t, c))
	}
}
