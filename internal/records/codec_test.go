package records_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/pandobase/pando/internal/cache"
	"github.com/pandobase/pando/internal/cache/cachetest"
	"github.com/pandobase/pando/internal/cache/memory"
	"github.com/pandobase/pando/internal/cache/redis"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/records"
	"github.com/pandobase/pando/internal/store/cached"
)

// TestAnswersLeaveTheProcess: another server answers from what this one put into
// the tier, to the byte, without a fill; it is counted by collection, and nothing
// secret is in it.
func TestAnswersLeaveTheProcess(t *testing.T) {
	shared := new(cachetest.Shared)
	w := newWorld(t)
	w.env.Facts.Use(cached.Options{Codec: records.Codec{}, Tier: shared})
	w.collection(t, "items", nil, `{"id":"f1","name":"title","type":"text"}`)
	w.env.Insert(t, "items", map[string]any{"id": id("a"), "title": "x"})

	mem, err := memory.New(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(mem.Close)
	other := cached.New(w.env.Store, mem, position.NewClock(w.env.Index, 0))
	other.Use(cached.Options{Codec: records.Codec{}, Tier: shared})
	second := *w
	second.Records = records.New(records.Config{Store: w.env.Store, Facts: other, Blobs: w.env.Blobs, Passwords: w.passwords})

	for _, c := range []call{
		{do: "list", collection: "items"},
		{do: "list", collection: "items", query: map[string]string{"filter": `title = "nothing"`, "sort": "-title", "fields": "items.title"}},
		{do: "list", collection: "items", page: 7},
		{do: "view", collection: "items", id: id("a")},
		{do: "view", collection: "items", id: id("none")},
		{do: "list", collection: "users", as: "root"},
		{do: "view", collection: "users", as: "ann", id: id("ann")},
		{do: "list", collection: "_superusers", as: "root"},
	} {
		first, again := w.run(t, c), second.run(t, c)
		if first != again || strings.HasPrefix(first, "500") {
			t.Errorf("%s of %s: %s\nfrom the tier: %s", c.do, c.collection, first, again)
		}
	}
	counts := other.Counts()
	if counts.Misses != 0 || counts.Tiered != 8 {
		t.Errorf("the second server: %+v; want 8 answers from the tier and none filled", counts)
	}
	labels := map[string]uint64{}
	for _, l := range other.Labels() {
		labels[l.Collection] = l.Hits
	}
	if labels["pbc_items"] != 5 || labels["pbc_users"] != 2 || len(labels) != 3 {
		t.Errorf("hits by collection: %v", labels)
	}
	secret := []byte(id("ann") + id("ann")) // of ann's token key
	for _, e := range shared.Entries() {
		if bytes.Contains(e.Value, secret) || bytes.Contains(e.Value, []byte("$2a$")) || bytes.Contains(e.Value, []byte("tokenKey")) {
			t.Errorf("an entry holds a secret: %s", e.Value)
		}
	}
}

// TestEncoding: the keys of answers and their bytes, as they lie on cache servers, are
// what they were when that format was made. Whoever has to change one of them raises
// redis.Format with it, or neighbouring versions read each other's.
func TestEncoding(t *testing.T) {
	const made = 1
	if redis.Format != made {
		t.Errorf("format %d: these are the bytes of format %d", redis.Format, made)
	}
	shared := new(cachetest.Shared)
	w := newWorld(t)
	w.env.Facts.Use(cached.Options{Codec: records.Codec{}, Tier: shared})
	w.collection(t, "items", nil, `{"id":"f1","name":"title","type":"text"}`)
	w.env.Insert(t, "items", map[string]any{"id": id("a"), "title": "x"})
	const none = "\x00\x00\x00\x00\x00\x00\x00\x00"            // the origin
	version := string(rune(2 * w.env.Store.Catalog().Version)) // as a varint
	for _, tt := range []struct {
		call       call
		key, value string
	}{
		{
			call{do: "list", collection: "items"},
			none + "\x01\x00\x00\x00\x00\x00" + version + "\tpbc_items" + "\x02<\x00",
			"\x00" + `{"items":[{"collectionId":"pbc_items","collectionName":"items","id":"a00000000000000","title":"x"}],"page":1,"perPage":30,"totalItems":1,"totalPages":1}`,
		},
		{
			call{do: "list", collection: "items", query: map[string]string{"filter": `title = "nothing"`, "sort": "-title", "fields": "items.title"}},
			none + "\x01\x00\x06-title" + "\x11title = \"nothing\"" + "\x00\x0bitems.title" + version + "\tpbc_items" + "\x02<\x00",
			"\x01" + `{"items":[],"page":1,"perPage":30,"totalItems":0,"totalPages":0}`,
		},
		{
			call{do: "view", collection: "items", id: id("a")},
			none + "\x00\x00\x00\x00\x00\x00" + version + "\tpbc_items" + "\x0fa00000000000000",
			"\x00" + `{"collectionId":"pbc_items","collectionName":"items","id":"a00000000000000","title":"x"}`,
		},
		{
			call{do: "view", collection: "items", id: id("none")},
			none + "\x00\x00\x00\x00\x00\x00" + version + "\tpbc_items" + "\x0fnone00000000000",
			"\x02The requested resource wasn't found.",
		},
	} {
		before := len(shared.Entries())
		w.run(t, tt.call)
		put := slices.DeleteFunc(shared.Entries(), func(e *cache.Entry) bool { return e.Key != tt.key })
		if len(shared.Entries()) != before+1 || len(put) != 1 || string(put[0].Value) != tt.value {
			t.Errorf("%+v: want %q: %q among", tt.call, tt.key, tt.value)
			for _, e := range shared.Entries() {
				t.Logf("%q: %q", e.Key, e.Value)
			}
		}
	}
}

// FuzzLabel: no key, whoever made it, is more than not understood; and what is
// decoded is what was encoded.
func FuzzLabel(f *testing.F) {
	f.Add([]byte("token\x001\x00auth\x00abc"))
	f.Add([]byte("file\x001\x00c\x00id\x00name"))
	f.Add([]byte("\x01\x00\x00\x00\x00\x00\x02\x03abc"))
	f.Add([]byte("\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var c records.Codec
		if label, ok := c.Label(data); ok && len(label) > len(data) {
			t.Errorf("the label of %q is %q", data, label)
		}
		value, _, err := c.Decode(data)
		if err != nil {
			return
		}
		if again, ok := c.Encode(value); !ok || !bytes.Equal(again, data) {
			t.Errorf("%q decodes, and encodes to %q, %v", data, again, ok)
		}
	})
}

// TestOtherFactsStay: who a token stands for, and where a file lies.
func TestOtherFactsStay(t *testing.T) {
	for _, key := range []string{"token\x001\x00auth\x00x", "file\x001\x00c\x00id\x00n", "", "\x02\x00", "\x00"} {
		if label, ok := (records.Codec{}).Label([]byte(key)); ok {
			t.Errorf("a fact of %q leaves the process, as one of %s", key, label)
		}
	}
	if _, ok := (records.Codec{}).Encode(struct{}{}); ok {
		t.Error("a value of another service is encoded")
	}
}
