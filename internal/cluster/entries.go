package cluster

import (
	"encoding/binary"

	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
)

// What of one commit goes to the members is bounded. Tags beyond that are all tags;
// of rows beyond it followers are told that there were more.
const (
	maxEntryTags = 1 << 17
	maxEntryRows = 4 << 20 // bytes
)

const (
	flagAll = 1 << iota
	flagCatalog
	flagUnlisted
)

// The least bytes that each takes, for the decoder not to be made to reserve more
// than was sent.
const (
	entrySize  = 6
	rowSize    = 4
	columnSize = 2
)

func appendEntry(b []byte, e *changes.Entry) []byte {
	tags, rows, flags := e.Tags, e.Rows, byte(0)
	if len(tags) > maxEntryTags {
		tags, flags = nil, flagAll
	}
	if rowsSize(rows) > maxEntryRows {
		rows, flags = nil, flags|flagUnlisted
	}
	if e.All {
		flags |= flagAll
	}
	if e.Catalog {
		flags |= flagCatalog
	}
	if e.Unlisted {
		flags |= flagUnlisted
	}
	b = binary.AppendUvarint(b, uint64(e.N))
	b = binary.AppendUvarint(b, e.XID)
	b = append(b, flags)
	b = binary.AppendUvarint(b, e.Version)
	b = binary.AppendUvarint(b, uint64(len(tags)))
	for _, t := range tags {
		b = binary.LittleEndian.AppendUint64(b, uint64(t))
	}
	b = binary.AppendUvarint(b, uint64(len(rows)))
	for i := range rows {
		b = appendRow(b, &rows[i])
	}
	return b
}

func decodeEntry(d *decoder, e *changes.Entry) {
	e.N, e.XID = position.N(d.uvarint()), d.uvarint()
	flags := d.byte()
	if flags >= flagUnlisted<<1 {
		d.fail()
	}
	e.All, e.Catalog, e.Unlisted = flags&flagAll != 0, flags&flagCatalog != 0, flags&flagUnlisted != 0
	e.Version = d.uvarint()
	if n := d.count(8); n > 0 {
		e.Tags = make([]position.Tag, n)
		for i := range e.Tags {
			e.Tags[i] = position.Tag(d.fixed())
		}
	}
	if n := d.count(rowSize); n > 0 {
		e.Rows = make([]changes.Row, n)
		for i := range e.Rows {
			decodeRow(d, &e.Rows[i])
		}
	}
}

var actions = [...]changes.Action{changes.Create, changes.Update, changes.Delete}

// What there is of a column.
const (
	columnNull = iota
	columnValue
	columnUnchanged
)

func appendRow(b []byte, r *changes.Row) []byte {
	action := byte(len(actions))
	for i, a := range actions {
		if a == r.Action {
			action = byte(i)
		}
	}
	b = append(b, action)
	b = appendBytes(b, r.Collection)
	b = appendBytes(b, r.ID)
	b = binary.AppendUvarint(b, uint64(len(r.Columns)))
	for _, c := range r.Columns {
		b = appendBytes(b, c.Name)
		switch {
		case c.Unchanged:
			b = append(b, columnUnchanged)
		case c.Value == nil:
			b = append(b, columnNull)
		default:
			b = append(b, columnValue)
			b = appendBytes(b, c.Value)
		}
	}
	return b
}

func decodeRow(d *decoder, r *changes.Row) {
	action := d.byte()
	if int(action) >= len(actions) {
		d.fail()
		return
	}
	r.Action, r.Collection, r.ID = actions[action], d.string(), d.string()
	n := d.count(columnSize)
	if n == 0 {
		return
	}
	r.Columns = make([]changes.Column, n)
	for i := range r.Columns {
		c := &r.Columns[i]
		c.Name = d.string()
		switch d.byte() {
		case columnNull:
		case columnValue:
			c.Value = d.bytes()
		case columnUnchanged:
			c.Unchanged = true
		default:
			d.fail()
		}
	}
}

// rowsSize is about how many bytes rows take.
func rowsSize(rows []changes.Row) (size int) {
	for i := range rows {
		size += 16 + len(rows[i].Collection) + len(rows[i].ID)
		for _, c := range rows[i].Columns {
			size += 4 + len(c.Name) + len(c.Value)
		}
	}
	return size
}

// entrySpace is about how many bytes an entry takes.
func entrySpace(e *changes.Entry) int { return 64 + 8*len(e.Tags) + rowsSize(e.Rows) }
