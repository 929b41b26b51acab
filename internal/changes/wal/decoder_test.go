package wal

import (
	"encoding/binary"
	"testing"

	"github.com/pandobase/pando/internal/position"
)

var testTables = Tables{
	Collections: "_pando_collections", Meta: "_pando_meta", Settings: "_pando_settings", Params: "_pando_params",
	ParamTag: func(key string) position.Tag { return position.RecordTag("_pando", key) }, ID: "id",
}

func testDecoder() *decoder {
	return newDecoder(&testTables, State{
		Schema: "public", XID: 1<<32 + 10, Collections: []Collection{{"1", "c1", "things"}},
	})
}

// message builds one of pgoutput.
type message []byte

func msg(kind byte) message             { return message{kind} }
func (m message) u8(v byte) message     { return append(m, v) }
func (m message) u16(v uint16) message  { return binary.BigEndian.AppendUint16(m, v) }
func (m message) u32(v uint32) message  { return binary.BigEndian.AppendUint32(m, v) }
func (m message) u64(v uint64) message  { return binary.BigEndian.AppendUint64(m, v) }
func (m message) text(s string) message { return append(append(m, s...), 0) }
func (m message) cells(values ...string) message {
	m = m.u16(uint16(len(values)))
	for _, v := range values {
		switch v {
		case "NULL":
			m = m.u8('n')
		case "same":
			m = m.u8('u')
		default:
			m = append(m.u8('t').u32(uint32(len(v))), v...)
		}
	}
	return m
}

func begin(xid uint32) message { return msg('B').u64(0).u64(0).u32(xid) }
func commit(n uint64) message  { return msg('C').u8(0).u64(n - 1).u64(n).u64(0) }

func describe(id uint32, name string, columns ...string) message {
	m := msg('R').u32(id).text("public").text(name).u8('d').u16(uint16(len(columns)))
	for _, c := range columns {
		flag := byte(0)
		if c == "id" || c == "key" || c == "seq" {
			flag = 1
		}
		m = m.u8(flag).text(c).u32(25).u32(0)
	}
	return m
}

// inStream puts the part of a transaction into a message.
func (m message) inStream(sub uint32) message {
	return append(msg(m[0]).u32(sub), m[1:]...)
}

func feed(t *testing.T, d *decoder, list ...message) (entries []string) {
	t.Helper()
	for _, m := range list {
		e, ok, err := d.read(m)
		if err != nil {
			t.Fatalf("%q: %v", m, err)
		}
		if ok {
			text := position.N(e.N).LSN()
			for _, r := range e.Rows {
				text += " " + string(r.Action) + " " + r.Collection + "/" + r.ID
			}
			if e.All {
				text += " all"
			}
			entries = append(entries, text)
		}
	}
	return entries
}

// A transaction's number has all its bits, on both sides of where the log's begin
// anew.
func TestWiden(t *testing.T) {
	d := testDecoder()
	for _, tt := range []struct {
		xid  uint32
		want uint64
	}{
		{10, 1<<32 + 10}, {1<<32 - 5, 1<<32 - 5}, {12, 1<<32 + 12}, {1 << 31, 1<<32 + 1<<31}, {1<<32 - 5, 2<<32 - 5}, {3, 2<<32 + 3}, {1<<32 - 4, 2<<32 - 4},
	} {
		if got := d.widen(tt.xid); got != tt.want {
			t.Errorf("%d is %d, want %d", tt.xid, got, tt.want)
		}
	}
}

// Two streamed transactions and one that is not, of which one renames a collection.
func TestStreams(t *testing.T) {
	d := testDecoder()
	things := describe(7, "things", "id", "title")
	insert := func(id string) message { return msg('I').u32(7).u8('N').cells(id, "x") }
	got := feed(t, d,
		msg('S').u32(100).u8(1), things.inStream(100), insert("a").inStream(100), insert("lost").inStream(101), msg('E'),
		begin(102), things, insert("b"), commit(50),
		msg('S').u32(103).u8(1), describe(9, "_pando_collections", "seq", "id", "name").inStream(103),
		msg('U').u32(9).u8('N').cells("1", "c1", "renamed").inStream(103), describe(8, "renamed", "id", "title").inStream(103),
		msg('I').u32(8).u8('N').cells("c", "x").inStream(103), msg('E'),
		begin(104), insert("still things"), commit(60),
		msg('S').u32(100).u8(0), insert("d").inStream(105), msg('E'),
		msg('A').u32(100).u32(101),
		msg('c').u32(100).u8(0).u64(69).u64(70).u64(0),
		msg('c').u32(103).u8(0).u64(79).u64(80).u64(0),
		begin(106), describe(8, "renamed", "id", "title"), msg('D').u32(8).u8('K').cells("c", "NULL"), commit(90),
		begin(107), things, insert("no collection any more"), commit(100),
	)
	want := []string{
		"0/32 create c1/b", "0/3C create c1/still things", "0/46 create c1/a create c1/d", "0/50 create c1/c all",
		"0/5A delete c1/c", "0/64",
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("entry %d of\n%q, want\n%q", i, got, want)
		}
	}
}

// Collections that trade their names, in the two steps that this takes.
func TestNames(t *testing.T) {
	n := newNames([]Collection{{"1", "a", "x"}, {"2", "b", "y"}})
	n.apply([]renaming{{row: Collection{"1", "a", "y"}}, {row: Collection{"2", "b", "x"}}})
	if n.ids["x"] != "b" || n.ids["y"] != "a" {
		t.Errorf("%v", n.ids)
	}
	n.apply([]renaming{{row: Collection{Seq: "2"}, removed: true}})
	if n.ids["x"] != "" || n.ids["y"] != "a" {
		t.Errorf("%v", n.ids)
	}
}

// FuzzDecoder: no bytes make it panic, and none make it keep more than they are.
func FuzzDecoder(f *testing.F) {
	join := func(list ...message) (b []byte) {
		for _, m := range list {
			b = append(binary.BigEndian.AppendUint16(b, uint16(len(m))), m...)
		}
		return b
	}
	things := describe(7, "things", "id", "title")
	f.Add(join(begin(1), things, msg('I').u32(7).u8('N').cells("a", "x"), msg('U').u32(7).u8('K').cells("a", "NULL").u8('N').cells("b", "same"), commit(9)))
	f.Add(join(begin(1), things, msg('D').u32(7).u8('K').cells("a", "NULL"),
		append(msg('M').u8(1).u64(5).text("pando").u32(50), `deleted {"collection":"c1","columns":{"id":"a"}}  `...), commit(9)))
	f.Add(join(msg('S').u32(1).u8(1), things.inStream(1), msg('T').u32(1).u32(1).u8(0).u32(7), msg('E'), msg('A').u32(1).u32(2), msg('c').u32(1).u8(0).u64(1).u64(2).u64(3)))
	f.Add(join(begin(1), describe(3, "_pando_collections", "seq", "id", "name"), msg('I').u32(3).u8('N').cells("2", "c2", "more"), msg('D').u32(3).u8('K').cells("1"), commit(9)))
	f.Add(join(begin(1), describe(4, "_pando_meta", "id", "catalog"), msg('U').u32(4).u8('N').cells("1", "7"), describe(5, "_pando_params", "key"), msg('D').u32(5).u8('K').cells("k"), commit(9)))
	f.Fuzz(func(t *testing.T, b []byte) {
		d := testDecoder()
		for len(b) >= 2 {
			n := min(int(binary.BigEndian.Uint16(b)), len(b)-2)
			e, ok, err := d.read(b[2 : 2+n])
			b = b[2+n:]
			if err != nil {
				return
			}
			if ok && len(e.Tags) == 0 {
				t.Fatalf("an entry without a tag: %+v", e)
			}
			for _, r := range e.Rows {
				if r.Collection == "" {
					t.Fatalf("a row of no collection: %+v", r)
				}
			}
		}
	})
}
