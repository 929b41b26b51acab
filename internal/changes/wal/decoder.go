package wal

import (
	"bytes"
	"fmt"
	"maps"

	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
)

// decoder makes entries of the messages of pgoutput, protocol 2:
//
//	B … C         a transaction, when it is committed
//	S … E         a piece of one that still runs; pieces of several come in turn
//	c             it is committed
//	A             it is rolled back, or a subtransaction of it
//
// Between S and E each message names the part of the transaction that it is of.
type decoder struct {
	tables    *Tables
	schema    string
	names     *names
	relations map[uint32]*relation
	version   uint64 // of the catalog
	latest    uint64 // a recent transaction's number, all 64 bits of it

	cur      *transaction
	streamed bool // cur is of S … E
	streams  map[uint32]*transaction
	old, new []cell // of the present message
}

func newDecoder(tables *Tables, s State) *decoder {
	return &decoder{
		tables: tables, schema: s.Schema, names: newNames(s.Collections), relations: make(map[uint32]*relation),
		version: s.Catalog, latest: s.XID, streams: make(map[uint32]*transaction),
	}
}

// widen is a transaction's number with all its bits. The log has the lower half;
// transactions that are under way at the same time lie within 2³¹ of each other.
func (d *decoder) widen(xid uint32) uint64 {
	full := d.latest + uint64(int64(int32(xid-uint32(d.latest))))
	if full > d.latest {
		d.latest = full
	}
	return full
}

// read takes one message. ok tells that it ended a transaction that changed something.
func (d *decoder) read(message []byte) (e changes.Entry, ok bool, err error) {
	in := &input{b: message}
	kind := in.byte()
	switch kind {
	case 'B':
		in.bytes(16) // where it ends, and when it did
		err = d.begin(in.uint32())
	case 'C':
		in.bytes(9)
		e, ok, err = d.commit(in.lsn())
	case 'S':
		err = d.resume(in.uint32(), in.byte() == 1)
	case 'E':
		d.cur, d.streamed = nil, false
	case 'c':
		xid := in.uint32()
		in.bytes(9)
		e, ok, err = d.commitStreamed(xid, in.lsn())
	case 'A':
		d.abort(in.uint32(), in.uint32())
	case 'R', 'Y', 'I', 'U', 'D', 'T', 'M':
		e, ok, err = d.within(kind, in)
	case 'O': // where it came from, if it was replicated to here
	default:
		err = errUnexpected(kind, "is not of its protocol")
	}
	switch {
	case err != nil:
		return changes.Entry{}, false, err
	case in.short:
		return changes.Entry{}, false, errShort
	}
	return e, ok, nil
}

// amidst tells whether a transaction is being read that is large. Whatever comes next
// waits for the end of it, or of this piece of it.
func (d *decoder) amidst() bool {
	return d.cur != nil && (d.streamed || d.cur.tables != nil)
}

func (d *decoder) begin(xid uint32) error {
	if d.cur != nil {
		return errUnexpected('B', "begins a transaction within another")
	}
	d.cur = &transaction{xid: xid, sub: xid}
	return nil
}

func (d *decoder) commit(n position.N) (changes.Entry, bool, error) {
	t := d.cur
	if t == nil || d.streamed {
		return changes.Entry{}, false, errUnexpected('C', "ends a transaction that did not begin")
	}
	d.cur = nil
	e, ok := d.entry(t, n)
	return e, ok, nil
}

func (d *decoder) resume(xid uint32, first bool) error {
	t := d.streams[xid]
	if d.cur != nil || first != (t == nil) {
		return errUnexpected('S', "is out of order")
	}
	if first {
		t = &transaction{xid: xid, sub: xid, relations: make(map[uint32]*relation)}
		d.streams[xid] = t
	}
	d.cur, d.streamed = t, true
	return nil
}

func (d *decoder) commitStreamed(xid uint32, n position.N) (changes.Entry, bool, error) {
	t := d.streams[xid]
	if d.cur != nil || t == nil {
		return changes.Entry{}, false, errUnexpected('c', "ends a transaction that did not begin")
	}
	delete(d.streams, xid)
	maps.Copy(d.relations, t.relations)
	e, ok := d.entry(t, n)
	return e, ok, nil
}

func (d *decoder) entry(t *transaction, n position.N) (changes.Entry, bool) {
	d.names.apply(t.renamings)
	if t.catalog && t.version > 0 {
		d.version = t.version
	}
	return t.entry(d.tables, n, d.widen(t.xid))
}

func (d *decoder) abort(xid, sub uint32) {
	switch t := d.streams[xid]; {
	case t == nil:
	case xid == sub:
		delete(d.streams, xid)
	default:
		t.rollBack(sub, d.names)
	}
}

// within reads a message of a transaction.
func (d *decoder) within(kind byte, in *input) (e changes.Entry, ok bool, err error) {
	if d.streamed {
		d.cur.sub = in.uint32()
	}
	if kind == 'M' {
		return d.message(in)
	}
	t := d.cur
	if t == nil {
		return e, false, errUnexpected(kind, "is of no transaction")
	}
	switch kind {
	case 'R':
		r := in.relation()
		if t.relations != nil {
			t.relations[r.id] = r
		} else {
			d.relations[r.id] = r
		}
	case 'T':
		t.all = true
	case 'I', 'U', 'D':
		r, err := d.relation(in.uint32())
		if err != nil {
			return e, false, err
		}
		err = d.row(t, r, kind, in)
		return e, false, err
	}
	return e, false, nil
}

func (d *decoder) relation(id uint32) (*relation, error) {
	if r := d.cur.relations[id]; r != nil {
		return r, nil
	}
	if r := d.relations[id]; r != nil {
		return r, nil
	}
	return nil, fmt.Errorf("wal: the log has a change of a table that it has not described (%d)", id)
}

// message reads what was written to the log with pg_logical_emit_message. One that
// is not part of a transaction is an entry of its own.
func (d *decoder) message(in *input) (e changes.Entry, ok bool, err error) {
	transactional := in.byte()&1 == 1
	n := in.lsn()
	prefix := in.text()
	content := in.bytes(int(int32(in.uint32())))
	switch {
	case prefix != MessagePrefix || in.short:
		return e, false, nil
	case !transactional:
		return changes.Entry{N: n, Tags: []position.Tag{position.AllTag}, All: true, Unlisted: true}, true, nil
	case d.cur == nil:
		return e, false, errUnexpected('M', "is of no transaction")
	}
	if record, ok := bytes.CutPrefix(content, []byte(MessageDeleted)); ok {
		d.cur.deleted(record, d.tables.ID)
	} else if record, ok := bytes.CutPrefix(content, []byte(MessageTouched)); ok {
		d.cur.touched(record)
	} else if collection, ok := bytes.CutPrefix(content, []byte(MessageEmptied)); ok {
		d.cur.unnamed(string(collection))
	} else {
		d.cur.all = true
	}
	return e, false, nil
}
