package files_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/blob"
	"github.com/pandobase/pando/internal/files"
	"github.com/pandobase/pando/internal/servicetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is a Files on a real store and a real disk. Tokens are the names of
// users.
type fixture struct {
	*servicetest.Env
	files *files.Files
	users map[string]*pando.Record
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{Env: servicetest.New(t), users: map[string]*pando.Record{}}
	f.files = files.New(files.Config{
		Store: f.Store, Facts: f.Facts, Blobs: f.Blobs, MaxPixels: 1_000_000,
		Identify: func(_ context.Context, token string) (*pando.Record, error) { return f.users[token], nil },
	})
	f.Save(t, servicetest.BaseJSON("docs",
		`{"id":"file2","name":"pub","type":"file","maxSelect":50,"thumbs":["100x50","0x50","600x0"]}`,
		`{"id":"file3","name":"prot","type":"file","protected":true,"thumbs":["20x20"]}`,
		`{"id":"text4","name":"owner","type":"text"}`))
	f.users["ada"] = f.Insert(t, "users", map[string]any{"email": "ada@b.co"})
	f.users["bob"] = f.Insert(t, "users", map[string]any{"email": "bob@b.co"})
	f.users["root"] = f.Insert(t, pando.SuperusersName, map[string]any{"email": "root@b.co"})
	return f
}

// put stores files and a record of docs that names them.
func (f *fixture) put(t *testing.T, contents map[string][]byte, protected string) *pando.Record {
	t.Helper()
	var names []string
	for name := range contents {
		if name != protected {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	rec := f.Insert(t, "docs", map[string]any{"pub": names, "prot": protected, "owner": f.users["ada"].ID()})
	for name, b := range contents {
		if err := f.Blobs.Put(t.Context(), blob.Key("pbc_docs", rec.ID(), name), bytes.NewReader(b)); err != nil {
			t.Fatal(err)
		}
	}
	return rec
}

// opened is what a request gave.
type opened struct {
	Name, Type string
	Data       []byte
}

func (f *fixture) open(t *testing.T, collection, id, name string, q pando.FileQuery) (opened, error) {
	t.Helper()
	file, err := f.files.Open(t.Context(), &pando.Request{Method: "GET"}, collection, id, name, q)
	if err != nil {
		return opened{}, err
	}
	defer file.Close()
	data, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(data)) != file.Size {
		t.Errorf("%s: size %d, %d bytes", name, file.Size, len(data))
	}
	return opened{file.Name, file.ContentType, data}, nil
}

func TestContentTypes(t *testing.T) {
	f := newFixture(t)
	rose, err := os.ReadFile("testdata/rose.webp")
	if err != nil {
		t.Fatal(err)
	}
	contents := map[string][]byte{
		"a.png": pngBytes(t), "a.webp": rose, "t.txt": []byte("hello world"), "h.html": []byte("<html><script>1</script></html>"),
		"j.json": []byte(`{"a":1}`), "d.pdf": []byte("%PDF-1.4 foo"), "s.css": []byte("a{}"), "s.js": []byte("var a=1;"),
		"x.svg": []byte(`<svg xmlns="http://www.w3.org/2000/svg"></svg>`), "c.csv": []byte("a,b\n1,2\n"),
		"m.mp3": []byte("ID3aaaa"), "noext": {1, 2, 3}, "fake.png": []byte("not a png at all"), "z.zip": []byte("PK\x03\x04aaaa"),
		"m.mp4": []byte("\x00\x00\x00\x18ftypmp42aaaa"), "empty": {},
	}
	rec := f.put(t, contents, "")
	// As seen at PocketBase 0.36.8.
	for name, want := range map[string]string{
		"a.png": "image/png", "a.webp": "image/webp", "t.txt": "text/plain; charset=utf-8",
		"h.html": "text/html; charset=utf-8", "j.json": "application/json", "d.pdf": "application/pdf", "s.css": "text/css",
		"s.js": "text/javascript", "x.svg": "image/svg+xml", "c.csv": "text/csv", "m.mp3": "audio/mpeg",
		"noext": "application/octet-stream", "fake.png": "text/plain; charset=utf-8", "z.zip": "application/zip",
		"m.mp4": "video/mp4",
	} {
		got, err := f.open(t, "docs", rec.ID(), name, pando.FileQuery{})
		if err != nil || got.Type != want || got.Name != name || !bytes.Equal(got.Data, contents[name]) {
			t.Errorf("%s: %s %q, %d bytes, %v; want %s", name, got.Name, got.Type, len(got.Data), err, want)
		}
	}
	if got, err := f.open(t, "docs", rec.ID(), "empty", pando.FileQuery{}); err != nil || len(got.Data) != 0 {
		t.Errorf("an empty file: %v, %v", got, err)
	}
}

func TestMissing(t *testing.T) {
	f := newFixture(t)
	rec := f.put(t, map[string][]byte{"a.png": pngBytes(t), "p.png": pngBytes(t)}, "p.png")
	other := f.Insert(t, "docs", map[string]any{"pub": []string{"lost.png"}})
	if err := f.Blobs.Put(t.Context(), blob.Key("pbc_docs", rec.ID(), "unnamed.png"), strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := f.open(t, "docs", rec.ID(), "a.png", pando.FileQuery{Thumb: "100x50"}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ collection, id, name, message string }{
		{"nope", rec.ID(), "a.png", "Missing or invalid collection context."},
		{"docs", "nope", "a.png", ""},
		{"docs", rec.ID(), "nope.png", ""},
		{"docs", rec.ID(), "unnamed.png", ""}, // there, but no record names it
		{"docs", other.ID(), "a.png", ""},     // another record's
		{"docs", other.ID(), "lost.png", ""},  // named, but not there
		{"docs", rec.ID(), "", ""},
		{"docs", rec.ID(), "../" + rec.ID() + "/a.png", ""},
		{"docs", rec.ID(), "..", ""},
		{"docs", rec.ID(), "thumbs_a.png/100x50_a.png", ""},
		{"docs", rec.ID(), "a.png\x00", ""},
		{"users", f.users["ada"].ID(), "ada@b.co", ""},
	} {
		_, err := f.open(t, tt.collection, tt.id, tt.name, pando.FileQuery{})
		if tt.message == "" {
			tt.message = "The requested resource wasn't found."
		}
		if err == nil || pando.KindOf(err) != pando.KindNotFound || err.Error() != tt.message {
			t.Errorf("%s/%s/%s: %v, want %q", tt.collection, tt.id, tt.name, err, tt.message)
		}
	}
	// Names compare exactly, collections in any case or by id.
	for _, ref := range []string{"DOCS", "pbc_docs"} {
		if _, err := f.open(t, ref, rec.ID(), "a.png", pando.FileQuery{}); err != nil {
			t.Errorf("%s: %v", ref, err)
		}
	}
}

func TestProtected(t *testing.T) {
	f := newFixture(t)
	rec := f.put(t, map[string][]byte{"a.png": pngBytes(t), "p.png": pngBytes(t)}, "p.png")
	text := func(s string) *string { return &s }
	for _, tt := range []struct {
		rule *string
		want []string // who may open it
	}{
		{nil, []string{"root"}},
		{text(""), []string{"", "ada", "bob", "junk", "root"}},
		{text("owner = @request.auth.id"), []string{"ada", "root"}},
		{text("@request.auth.id = ''"), []string{"", "junk", "root"}},
		{text("@request.context = 'protectedFile' && @request.method = 'GET'"), []string{"", "ada", "bob", "junk", "root"}},
		{text("@request.context = 'default'"), []string{"root"}},
		{text("nosuchfield = 1"), []string{"root"}},
	} {
		f.Change(t, "docs", func(c *pando.Collection) { c.ViewRule = tt.rule })
		var got []string
		for _, who := range []string{"", "ada", "bob", "junk", "root"} {
			for _, thumb := range []string{"", "20x20"} {
				_, err := f.open(t, "docs", rec.ID(), "p.png", pando.FileQuery{Token: who, Thumb: thumb})
				switch {
				case err == nil && thumb == "":
					got = append(got, who)
				case err != nil && pando.KindOf(err) != pando.KindNotFound:
					t.Errorf("%q: %v, want a KindNotFound error", who, err)
				case err == nil && !slices.Contains(tt.want, who):
					t.Errorf("%q got a thumb", who)
				}
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", tt.rule, diff)
		}
		if _, err := f.open(t, "docs", rec.ID(), "a.png", pando.FileQuery{}); err != nil {
			t.Errorf("a file for everybody: %v", err)
		}
	}
	// Who is logged in does not count, only the token.
	f.Change(t, "docs", func(c *pando.Collection) { c.ViewRule = new("@request.auth.id != ''") })
	_, err := f.files.Open(t.Context(), &pando.Request{Auth: f.users["root"]}, "docs", rec.ID(), "p.png", pando.FileQuery{})
	if pando.KindOf(err) != pando.KindNotFound {
		t.Errorf("without a token: %v", err)
	}
}

// A file that a view shows lies with the record that it came from.
func TestViews(t *testing.T) {
	f := newFixture(t)
	rec := f.put(t, map[string][]byte{"a.png": pngBytes(t), "p.png": pngBytes(t)}, "p.png")
	view := func(name, query string) {
		f.Save(t, `{"id":"pbc_`+name+`","name":"`+name+`","type":"view","listRule":null,"viewRule":null,"viewQuery":"`+query+`",
			"fields":[{"id":"text1","name":"id","type":"text","primaryKey":true},
			{"id":"_clone_1","name":"shown","type":"file","maxSelect":50,"thumbs":["100x50"]},
			{"id":"_clone_2","name":"hid","type":"file","protected":true}]}`)
	}
	view("one", "SELECT ('x' || d.id) AS id, d.pub AS shown, d.prot AS hid FROM docs d")
	view("two", "SELECT id, shown, hid FROM one")
	for _, v := range []string{"one", "two"} {
		id := "x" + rec.ID()
		got, err := f.open(t, v, id, "a.png", pando.FileQuery{})
		if err != nil || got.Type != "image/png" {
			t.Errorf("%s: %v, %v", v, got.Type, err)
		}
		if got, err = f.open(t, v, id, "a.png", pando.FileQuery{Thumb: "100x50"}); err != nil || got.Name != "100x50_a.png" {
			t.Errorf("%s: %v, %v", v, got.Name, err)
		}
		// The view's own rule decides, not that of docs.
		if _, err = f.open(t, v, id, "p.png", pando.FileQuery{}); pando.KindOf(err) != pando.KindNotFound {
			t.Errorf("%s: %v", v, err)
		}
		if _, err = f.open(t, v, id, "p.png", pando.FileQuery{Token: "root"}); err != nil {
			t.Errorf("%s: %v", v, err)
		}
	}
	f.Update(t, rec, map[string]any{"pub": []string{}})
	if _, err := f.open(t, "two", "x"+rec.ID(), "a.png", pando.FileQuery{}); pando.KindOf(err) != pando.KindNotFound {
		t.Errorf("a name that is gone: %v", err)
	}
}
