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

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/blob"
	"github.com/pandobase/pando/internal/blob/disk"
	"github.com/pandobase/pando/internal/files"
)

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
