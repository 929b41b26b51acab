package files_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/blob"
	"github.com/pandobase/pando/internal/blob/disk"
	"github.com/pandobase/pando/internal/files"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/servicetest"
	"github.com/pandobase/pando/internal/store"
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

// webpBomb is a webp that claims to be 1 by 1 in front, and holds a picture of
// 2048 by 1024 in a few bytes: of one colour, a pixel takes no bits at all.
func webpBomb() []byte {
	chunk := func(name string, data []byte) []byte {
		b := binary.LittleEndian.AppendUint32([]byte(name), uint32(len(data)))
		return append(append(b, data...), make([]byte, len(data)%2)...)
	}
	picture := []byte{0x2f, 0xff, 0xc7, 0xff, 0}      // 14 bits for each side less one; no alpha, version 0
	picture = append(picture, 0x88, 0x88, 0x08, 0, 0) // no transform, no cache, one group; five codes of one symbol
	body := append(chunk("VP8X", make([]byte, 10)), chunk("VP8L", picture)...)
	return chunk("RIFF", append([]byte("WEBP"), body...))
}

// picture is 300 by 200, with a gradient.
func picture() *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, 300, 200))
	for y := range 200 {
		for x := range 300 {
			m.SetNRGBA(x, y, color.NRGBA{uint8(x * 255 / 300), uint8(y * 255 / 200), 80, 255})
		}
	}
	return m
}

func encoded(t *testing.T, encode func(io.Writer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func pngBytes(t *testing.T) []byte {
	return encoded(t, func(w io.Writer) error { return png.Encode(w, picture()) })
}

// bomb is a small png that claims to be large.
func bomb(t *testing.T) []byte {
	b := slices.Clone(pngBytes(t))
	copy(b[16:], []byte{0, 1, 0, 0, 0, 1, 0, 0}) // 65536 by 65536
	sum := crc32.ChecksumIEEE(b[12:29])
	copy(b[29:], []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
	return b
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

func TestThumbs(t *testing.T) {
	f := newFixture(t)
	rose, err := os.ReadFile("testdata/rose.webp")
	if err != nil {
		t.Fatal(err)
	}
	contents := map[string][]byte{
		"a.png":     pngBytes(t),
		"a.jpg":     encoded(t, func(w io.Writer) error { return jpeg.Encode(w, picture(), nil) }),
		"a.gif":     encoded(t, func(w io.Writer) error { return gif.Encode(w, picture(), nil) }),
		"a.webp":    rose,
		"fake.png":  []byte("not a png at all"),
		"bad.png":   pngBytes(t)[:200],
		"bomb.png":  bomb(t),
		"bomb.webp": webpBomb(),
		"large.png": encoded(t, func(w io.Writer) error { return png.Encode(w, image.NewGray(image.Rect(0, 0, 1001, 1000))) }),
		"t.txt":     []byte("hello"),
	}
	rec := f.put(t, contents, "")
	for _, tt := range []struct {
		name, thumb   string
		format        string // "": the original is served
		width, height int
	}{
		{"a.png", "100x50", "png", 100, 50},
		{"a.png", "100x100", "png", 100, 100},
		{"a.png", "0x50", "png", 75, 50},
		{"a.png", "600x0", "png", 600, 400},
		{"a.jpg", "100x50", "jpeg", 100, 50},
		{"a.gif", "100x50", "gif", 100, 50},
		{"a.webp", "100x50", "png", 100, 50},
		{"a.png", "99x99", "", 0, 0},
		{"a.png", "100x100f", "", 0, 0},
		{"a.png", "junk", "", 0, 0},
		{"fake.png", "100x50", "", 0, 0},
		{"bad.png", "100x50", "", 0, 0},
		{"bomb.png", "100x50", "", 0, 0},
		{"bomb.webp", "100x50", "", 0, 0},
		{"large.png", "100x50", "", 0, 0},
		{"t.txt", "100x50", "", 0, 0},
	} {
		for range 2 { // made, and found
			got, err := f.open(t, "docs", rec.ID(), tt.name, pando.FileQuery{Thumb: tt.thumb})
			if err != nil {
				t.Errorf("%s %s: %v", tt.name, tt.thumb, err)
				continue
			}
			if tt.format == "" {
				if got.Name != tt.name || !bytes.Equal(got.Data, contents[tt.name]) {
					t.Errorf("%s %s: %s, which is not the original", tt.name, tt.thumb, got.Name)
				}
				continue
			}
			c, format, err := image.DecodeConfig(bytes.NewReader(got.Data))
			if err != nil || format != tt.format || c.Width != tt.width || c.Height != tt.height {
				t.Errorf("%s %s: %s %dx%d, %v", tt.name, tt.thumb, format, c.Width, c.Height, err)
			}
			if got.Name != tt.thumb+"_"+tt.name || got.Type != "image/"+format {
				t.Errorf("%s %s: name %s, type %s", tt.name, tt.thumb, got.Name, got.Type)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(f.Dir, "storage", "pbc_docs", rec.ID(), "thumbs_a.png", "100x50_a.png")); err != nil {
		t.Error(err)
	}
	if left, err := f.Blobs.Pending(t.Context()); err != nil || len(left) != 0 {
		t.Errorf("notes are left: %v, %v", left, err)
	}
}

// Many who ask for one thumb at once all get it, whole. A server makes it once, and if
// several are asked at that moment, none makes it again later.
func TestThumbIsMadeOnce(t *testing.T) {
	for _, servers := range []int{1, 3} {
		f := newFixture(t)
		blobs := &counted{Store: f.Blobs}
		var web []*fixture
		for range servers {
			web = append(web, f.another(blobs))
		}
		rec := f.put(t, map[string][]byte{"a.png": pngBytes(t)}, "")
		all := func() (results [20]opened) {
			var wg sync.WaitGroup
			for i := range results {
				wg.Go(func() {
					var err error
					if results[i], err = web[i%servers].open(t, "docs", rec.ID(), "a.png", pando.FileQuery{Thumb: "100x50"}); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			return results
		}
		results := all()
		for _, r := range results[1:] {
			if diff := cmp.Diff(results[0], r); diff != "" {
				t.Fatalf("(-first +another):\n%s", diff)
			}
		}
		if results[0].Name != "100x50_a.png" {
			t.Errorf("got %s", results[0].Name)
		}
		made := blobs.thumbs.Load()
		if made < 1 || made > int64(servers) {
			t.Errorf("%d servers that were asked at once made it %d times", servers, made)
		}
		if all(); blobs.thumbs.Load() != made {
			t.Errorf("it was made %d times, and then %d times more", made, blobs.thumbs.Load()-made)
		}
	}
}

// A thumb that has come since somebody looked for it is not made again, whoever has made it.
func TestThumbThatCameMeanwhile(t *testing.T) {
	f := newFixture(t)
	blobs := &counted{Store: f.Blobs}
	one, two := f.another(blobs), f.another(blobs)
	for name, other := range map[string]*fixture{"the same server": one, "another server": two} {
		rec := f.put(t, map[string][]byte{"a.png": pngBytes(t)}, "")
		ask := func(f *fixture) {
			if got, err := f.open(t, "docs", rec.ID(), "a.png", pando.FileQuery{Thumb: "100x50"}); err != nil || got.Name != "100x50_a.png" {
				t.Errorf("%s: %s, %v", name, got.Name, err)
			}
		}
		before := blobs.thumbs.Load()
		blobs.missed = func() { ask(other) }
		ask(one)
		if made := blobs.thumbs.Load() - before; made != 1 {
			t.Errorf("%s has made it meanwhile: it was made %d times", name, made)
		}
	}
}

// another is one more server on the same store, with its files in blobs.
func (f *fixture) another(blobs blob.Store) *fixture {
	return &fixture{Env: f.Env, users: f.users, files: files.New(files.Config{Store: f.Store, Facts: f.Facts, Blobs: blobs})}
}

// counted counts the thumbs that are put into a store.
type counted struct {
	blob.Store
	thumbs atomic.Int64
	missed func() // happens once, when a thumb was not there
}

func isThumb(key string) bool { return strings.Contains(key, "/thumbs_") }

func (c *counted) Put(ctx context.Context, key string, r io.Reader) error {
	if isThumb(key) {
		c.thumbs.Add(1)
	}
	return c.Store.Put(ctx, key, r)
}

func (c *counted) Open(ctx context.Context, key string) (blob.Object, error) {
	o, err := c.Store.Open(ctx, key)
	if do := c.missed; do != nil && err != nil && isThumb(key) {
		c.missed = nil
		do()
	}
	return o, err
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

func TestRecover(t *testing.T) {
	f := newFixture(t)
	rec := f.put(t, map[string][]byte{"kept.png": pngBytes(t)}, "")
	ctx := t.Context()
	key := func(parts ...string) string { return strings.Join(parts, "/") }
	keep := []string{key("pbc_docs", rec.ID(), "kept.png"), key("pbc_docs", rec.ID(), "thumbs_kept.png", "100x50_kept.png")}
	lose := []string{
		key("pbc_docs", rec.ID(), "lost.png"),                           // its update did not happen
		key("pbc_docs", rec.ID(), "thumbs_lost.png", "100x50_lost.png"), //
		key("pbc_docs", "neverwasborn000", "a.png"),                     // its create did not
		key("pbc_gone", "x", "a.png"),                                   // its collection went
		key("docs", rec.ID(), "kept.png"),                               // files lie under ids
		key("pbc_docs", "kept.png"),                                     // what is this?
	}
	missing := key("pbc_docs", rec.ID(), "never-written.png")
	dropped := key("pbc_dropped", "x", "a.png") // noted by its collection's id alone
	for _, k := range append(slices.Clone(keep), append(lose, dropped)...) {
		if err := f.Blobs.Put(ctx, k, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	before, err := disk.Open(filepath.Join(f.Dir, "storage")) // by the process that crashed
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	if err := before.Undecided(ctx, []string{"pbc_docs", "pbc_dropped"}); err != nil {
		t.Fatal(err)
	}
	lose = append(lose, dropped)
	if err := before.Undecided(ctx, append(append(slices.Clone(keep), lose[:len(lose)-1]...), missing)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := f.files.Recover(ctx); err != nil {
			t.Fatal(err)
		}
	}
	exists := func(k string) bool {
		o, err := f.Blobs.Open(ctx, k)
		if err == nil {
			o.Close()
		}
		return err == nil
	}
	for _, k := range keep {
		if !exists(k) {
			t.Errorf("%s went", k)
		}
	}
	for _, k := range lose {
		if exists(k) {
			t.Errorf("%s stayed", k)
		}
	}
	if left, err := f.Blobs.Pending(ctx); err != nil || len(left) != 0 {
		t.Errorf("notes are left: %v, %v", left, err)
	}
}

// What a server without a primary knows decides nothing: it may lack the record that
// names a file.
func TestRecoverWaitsForThePrimary(t *testing.T) {
	f := newFixture(t)
	key := blob.Key("pbc_docs", "notyetshown0000", "a.png")
	if err := f.Blobs.Put(t.Context(), key, strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	if err := f.Blobs.Undecided(t.Context(), []string{key}); err != nil {
		t.Fatal(err)
	}
	then := time.Now().Add(-blob.Stale - time.Minute)
	notes, err := f.Blobs.Pending(t.Context())
	if err != nil || len(notes) != 1 {
		t.Fatalf("notes %v, %v", notes, err)
	}
	if err := os.Chtimes(filepath.Join(f.Dir, "storage", notes[0].ID), then, then); err != nil {
		t.Fatal(err)
	}
	clock := position.NewClock(position.NewIndex(0), 0)
	db := &turning{Store: f.Store}
	fs := files.New(files.Config{Store: db, Facts: f.Facts, Blobs: f.Blobs, Clock: clock})
	off := func() { clock.Degrade(false) }
	for _, c := range []struct {
		name           string
		before, during func()
		stays          bool
	}{
		{"there is no primary", func() { clock.Degrade(true) }, func() {}, true},
		{"and one comes meanwhile", func() { clock.Degrade(true) }, off, true},
		{"it goes meanwhile", off, func() { clock.Degrade(true) }, true},
		{"it goes and comes meanwhile", off, func() { clock.Degrade(true); off() }, true},
		{"it is there", off, func() {}, false},
	} {
		c.before()
		db.during = c.during
		if err := fs.Recover(t.Context()); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		o, err := f.Blobs.Open(t.Context(), key)
		if err == nil {
			o.Close()
		}
		if (err == nil) != c.stays {
			t.Errorf("%s: the file: %v", c.name, err)
		}
	}
}

// turning is a store around whose reads something happens.
type turning struct {
	store.Store
	during func()
}

func (s *turning) Read(ctx context.Context, fn func(store.Reader) error) error {
	defer s.during()
	return s.Store.Read(ctx, fn)
}

// A thumb that one server has made is there for all: no other makes it again.
func TestThumbsAreMadeOnceForAll(t *testing.T) {
	f := newFixture(t)
	dir := filepath.Join(t.TempDir(), "shared")
	rec := f.put(t, map[string][]byte{"a.png": pngBytes(t)}, "")
	var stores []*disk.Store
	for _, name := range []string{"one", "two"} {
		s, err := disk.OpenShared(dir, name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		stores = append(stores, s)
	}
	key := blob.Key("pbc_docs", rec.ID(), "a.png")
	if err := stores[0].Put(t.Context(), key, bytes.NewReader(pngBytes(t))); err != nil {
		t.Fatal(err)
	}
	read := func(s *disk.Store) []byte {
		t.Helper()
		file, err := files.New(files.Config{Store: f.Store, Facts: f.Facts, Blobs: s}).Open(
			t.Context(), &pando.Request{}, "docs", rec.ID(), "a.png", pando.FileQuery{Thumb: "100x50"})
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		b, err := io.ReadAll(file)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	read(stores[0])
	marked := []byte("the thumb that was made")
	if err := stores[0].Put(t.Context(), blob.Thumbs(key)+"/100x50_a.png", bytes.NewReader(marked)); err != nil {
		t.Fatal(err)
	}
	if got := read(stores[1]); !bytes.Equal(got, marked) {
		t.Errorf("the other server made one of its own, %d bytes", len(got))
	}
}

// Of several servers that share a store, each settles what a crash of its own has
// left, and what nobody can be about any more.
func TestRecoverLeavesOthersAlone(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	dir := filepath.Join(t.TempDir(), "shared")
	open := func(server string) *disk.Store {
		s, err := disk.OpenShared(dir, server)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	old := func(server, key string, age time.Duration) {
		then := time.Now().Add(-age)
		if err := os.Chtimes(filepath.Join(dir, ".pending", "@"+server, key), then, then); err != nil {
			t.Fatal(err)
		}
	}
	const grace = 10 * time.Second
	crashed, other := open("me"), open("other")
	if err := crashed.Undecided(ctx, []string{"own-old", "own-new"}); err != nil {
		t.Fatal(err)
	}
	old("me", "own-old", grace+time.Second)
	if err := other.Undecided(ctx, []string{"other-new", "other-old", "other-stale"}); err != nil {
		t.Fatal(err)
	}
	old("other", "other-old", blob.Stale-time.Minute)
	old("other", "other-stale", blob.Stale+time.Second)
	me := open("me")
	if err := me.Undecided(ctx, []string{"held", "held-stale"}); err != nil {
		t.Fatal(err)
	}
	old("me", "held", grace+time.Second)
	old("me", "held-stale", blob.Stale+time.Second)
	all := []string{"held", "held-stale", "other-new", "other-old", "other-stale", "own-new", "own-old"}
	for _, c := range all { // none of these is a collection
		if err := me.Put(ctx, c+"/r/a", strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	fs := files.New(files.Config{Store: f.Store, Facts: f.Facts, Blobs: me, Grace: grace})
	if err := fs.Recover(ctx); err != nil {
		t.Fatal(err)
	}
	stay := []string{"held", "other-new", "other-old", "own-new"}
	var noted, there []string
	notes, err := me.Pending(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range notes {
		noted = append(noted, n.Key)
	}
	for _, c := range all {
		if o, err := me.Open(ctx, c+"/r/a"); err == nil {
			o.Close()
			there = append(there, c)
		}
	}
	slices.Sort(noted)
	if diff := cmp.Diff(stay, noted); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(stay, there); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}
