package cluster

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
)

var someEpoch = position.Epoch{Database: math.MaxUint64, Incarnation: 3, Timeline: math.MaxUint32}

func someMessages() []message {
	return []message{
		hello{Oldest: 1, Newest: 2, ID: "a", Boot: "b", Term: 7, Epoch: someEpoch, Base: 8, Frontier: math.MaxUint64, Leased: true, Instance: 9},
		snapshot{Term: 1, Number: 2, Epoch: someEpoch, Base: 3, At: 4, Slots: 64, Full: true, Origin: math.MaxUint64, Instance: math.MaxUint64},
		snapshot{Term: 1, Resume: true},
		positions{From: 64, List: []position.N{0, 1, math.MaxUint64}},
		batch{
			batchHead: batchHead{Number: 1, Boot: math.MaxUint64, Echo: math.MaxInt64, Probe: 9, Standby: true},
			Term:      3, From: 4, To: 5, Safe: 6,
			Entries: []changes.Entry{
				{N: 4, XID: math.MaxUint64, Tags: []position.Tag{0, math.MaxUint64}, Catalog: true, Version: 9},
				{N: 5, All: true, Unlisted: true, Rows: []changes.Row{
					{Action: changes.Update, Collection: "c", ID: "r", Columns: []changes.Column{
						{Name: "null"}, {Name: "empty", Value: []byte{}}, {Name: "v", Value: []byte("x")}, {Name: "u", Unchanged: true},
					}},
					{Action: changes.Delete, Collection: "c", ID: "r"},
				}},
			},
		},
		batch{Term: 1},
		ack{Term: 1, Number: 2, Frontier: 3, T: 4, Want: 5},
		leave{},
		refusal{Reason: "no", Term: 4},
	}
}

func TestFrames(t *testing.T) {
	for _, m := range someMessages() {
		b := appendFrame(nil, formatNewest, m)
		if _, got, err := readFrame(bytes.NewReader(b)); err != nil || cmp.Diff(m, got, cmp.AllowUnexported(batch{})) != "" {
			t.Errorf("%T: %v\n%s", m, err, cmp.Diff(m, got, cmp.AllowUnexported(batch{})))
		}
		for cut := range len(b) {
			if _, _, err := readFrame(bytes.NewReader(b[:cut])); err == nil {
				t.Errorf("%T: %d of %d bytes are enough", m, cut, len(b))
			}
		}
		if !m.kind().timeless() {
			if _, _, err := readFrame(bytes.NewReader(appendFrame(nil, formatNewest+1, m))); err == nil || !strings.Contains(err.Error(), "format") {
				t.Errorf("%T of an unknown format: %v", m, err)
			}
		}
	}
}

func TestABatchInTwoPieces(t *testing.T) {
	m := someMessages()[4].(batch)
	body := m.appendBody(nil)
	got := append(appendBatchHead(1, m.batchHead, len(body)), body...)
	if want := appendFrame(nil, 1, m); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

func TestAFrameThatIsTooLarge(t *testing.T) {
	b := binary.BigEndian.AppendUint32(nil, maxFrame+1)
	if _, _, err := readFrame(bytes.NewReader(append(b, 1, 4))); err == nil || !strings.Contains(err.Error(), "bytes") {
		t.Errorf("got %v", err)
	}
}

// What is too much to be sent is told of in fewer words, which are true.
func TestAnEntryIsBounded(t *testing.T) {
	m := batch{Entries: []changes.Entry{
		{N: 1, Tags: make([]position.Tag, maxEntryTags+1)},
		{N: 2, Tags: []position.Tag{1}, Rows: []changes.Row{{Action: changes.Create, Columns: []changes.Column{{Value: make([]byte, maxEntryRows)}}}}},
	}}
	b := appendFrame(nil, 1, m)
	_, got, err := readFrame(bytes.NewReader(b))
	if err != nil || len(b) > 1000 {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	want := batch{Entries: []changes.Entry{{N: 1, All: true}, {N: 2, Tags: []position.Tag{1}, Unlisted: true}}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(batch{})); diff != "" {
		t.Error(diff)
	}
}

// The first words are the same in every format, and may say more in a newer one.
func TestTheFirstWordsOfANewerVersion(t *testing.T) {
	for _, m := range someMessages() {
		if !m.kind().timeless() {
			continue
		}
		b := append(appendFrame(nil, formatNewest+7, m), "and more"...)
		binary.BigEndian.PutUint32(b, uint32(len(b)-4))
		format, got, err := readFrame(bytes.NewReader(b))
		if err != nil || format != formatNewest+7 || cmp.Diff(m, got) != "" {
			t.Errorf("%T: %d, %v\n%s", m, format, err, cmp.Diff(m, got))
		}
	}
}

func TestVersionsOfPando(t *testing.T) {
	for _, c := range []struct {
		oldest, newest uint8
		want           uint8 // 0: refused
	}{{1, 1, 1}, {1, 2, 1}, {2, 3, 0}, {0, 0, 0}} {
		got, err := negotiate(hello{ID: "web7", Oldest: c.oldest, Newest: c.newest})
		if err != nil && !strings.Contains(err.Error(), "web7") {
			t.Errorf("%v does not say who", err)
		}
		if got != c.want || (err != nil) != (c.want == 0) {
			t.Errorf("%d to %d: %d, %v; want %d", c.oldest, c.newest, got, err, c.want)
		}
	}
}

// What comes from the network is read or refused, and what was read is written the
// same.
func FuzzFrame(f *testing.F) {
	for _, m := range someMessages() {
		f.Add(appendFrame(nil, 1, m))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		format, m, err := readFrame(bytes.NewReader(b))
		if err != nil {
			return
		}
		again := appendFrame(nil, format, m)
		_, n, err := readFrame(bytes.NewReader(again))
		if err != nil {
			t.Fatalf("%+v: %v", m, err)
		}
		if diff := cmp.Diff(m, n, cmp.AllowUnexported(batch{})); diff != "" {
			t.Error(diff)
		}
	})
}
