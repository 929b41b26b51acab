package redis

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pandobase/pando/internal/cache"
	"github.com/pandobase/pando/internal/position"
)

var testEpoch = position.Epoch{Database: 1 << 60, Incarnation: 2, Timeline: 1<<32 - 1}

func testPacker(t testing.TB) *packer {
	t.Helper()
	_, s, err := derive([]byte("a secret of the cluster"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPacker(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	return p
}

// TestPack: what was packed is unpacked; text is compressed from 1 KB on, and noise is not.
func TestPack(t *testing.T) {
	p := testPacker(t)
	noise := make([]byte, 4000)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	text := bytes.Repeat([]byte(`{"id":"abc","title":"a title"},`), 100)
	for _, tt := range []struct {
		name        string
		value       []byte
		tags        int
		least, most int
	}{
		{"nothing", nil, 0, 0, 80},
		{"short text is left alone", text[:900], 2, 900, 1000},
		{"text", text, 3, 0, 400},
		{"noise", noise, 32, 4000, 4400},
		{"the largest", bytes.Repeat(noise, cache.MaxEntry/len(noise)), 1, 0, cache.MaxEntry},
	} {
		e := &cache.Entry{Key: tt.name, Epoch: testEpoch, S: 1<<64 - 1, Value: tt.value}
		for i := range tt.tags {
			e.Tags = append(e.Tags, position.Tag(rand.Uint64()))
			e.Search = e.Tags[i]
		}
		data, err := p.pack(e)
		if err != nil {
			t.Fatal(err)
		}
		if len(data) < tt.least || len(data) > tt.most {
			t.Errorf("%s: %d bytes, want %d to %d", tt.name, len(data), tt.least, tt.most)
		}
		got, err := p.unpack(data, testEpoch, []byte(tt.name))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		} else if diff := cmp.Diff(e, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

// TestLayout: an entry lies on a server as it did when its format was made. Whoever has
// to change these bytes raises Format with them (seal.go), or neighbouring versions read
// each other's.
func TestLayout(t *testing.T) {
	const (
		made = 1
		head = "01000000000000000010" + "0200000000000000" + "ffffffff"
		text = "ac0202" + "0807060504030201" + "1817161514131211" + "02" + "76616c7565"
	)
	if Format != made {
		t.Errorf("format %d: these are the bytes of format %d", Format, made)
	}
	p := testPacker(t)
	e := &cache.Entry{Key: "k", Epoch: testEpoch, S: 300, Tags: []position.Tag{0x0102030405060708, 0x1112131415161718}, Search: 0x1112131415161718, Value: []byte("value")}
	data, err := p.pack(e)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := p.sealer.open(data[headSize:], append(bytes.Clone(data[:headSize]), e.Key...))
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(data[:headSize]); got != head {
		t.Errorf("in the open: %s, want %s", got, head)
	}
	if got := hex.EncodeToString(opened); got != text {
		t.Errorf("sealed: %s, want %s", got, text)
	}
}

// FuzzUnpack: no bytes, whoever made them, do more than not open.
func FuzzUnpack(f *testing.F) {
	p := testPacker(f)
	good, err := p.pack(&cache.Entry{Key: "k", Epoch: testEpoch, S: 3, Tags: []position.Tag{1, 2}, Search: 2, Value: bytes.Repeat([]byte("v"), 2000)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good[:len(good)-5])
	f.Add(append(good[:len(good)-5:len(good)-5], "other"...))
	f.Add(good[:headSize])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		if e, err := p.unpack(data, testEpoch, []byte("k")); err == nil {
			t.Errorf("%x opens to %+v", data, e)
		}
	})
}

// FuzzSealed: neither do those that were sealed by a Pando gone mad.
func FuzzSealed(f *testing.F) {
	p := testPacker(f)
	f.Add([]byte{3, 1, 1, 2, 3, 4, 5, 6, 7, 8, 1, 'v'}, byte(0))
	f.Add([]byte{3, 0, 0, 0x28, 0xb5, 0x2f, 0xfd}, byte(flagCompressed))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, byte(0))
	f.Fuzz(func(t *testing.T, text []byte, flags byte) {
		head, err := p.pack(&cache.Entry{Epoch: testEpoch})
		if err != nil {
			t.Fatal(err)
		}
		head = append(head[:headSize:headSize], 0)[:headSize]
		head[1] = flags & flagCompressed
		sealed, err := p.sealer.seal(bytes.Clone(head), text, append(bytes.Clone(head), 'k'))
		if err != nil {
			t.Fatal(err)
		}
		e, err := p.unpack(sealed, testEpoch, []byte("k"))
		if err == nil && len(e.Tags) > len(text)/8 {
			t.Errorf("%d tags in %d bytes", len(e.Tags), len(text))
		}
	})
}

func BenchmarkPack(b *testing.B) {
	p := testPacker(b)
	e := &cache.Entry{Key: "k", Epoch: testEpoch, S: 3, Tags: []position.Tag{1, 2}, Value: bytes.Repeat([]byte(`{"id":"abc","title":"a title"},`), 20)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.pack(e); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnpack(b *testing.B) {
	p := testPacker(b)
	data, err := p.pack(&cache.Entry{Key: "k", Epoch: testEpoch, S: 3, Tags: []position.Tag{1, 2}, Value: bytes.Repeat([]byte(`{"id":"abc","title":"a title"},`), 20)})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.unpack(data, testEpoch, []byte("k")); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkName(b *testing.B) {
	n, _, err := derive([]byte("a secret of the cluster"))
	if err != nil {
		b.Fatal(err)
	}
	key := bytes.Repeat([]byte("k"), 80)
	b.ReportAllocs()
	for b.Loop() {
		n.of(testEpoch, key)
	}
}
