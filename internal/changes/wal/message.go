package wal

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/pandobase/pando/internal/position"
)

// The messages of pgoutput are read here and not by pglogrepl, which allocates for
// each column, and panics where a message ends too early.

// input is the rest of a message. What is read beyond its end is empty, and makes
// it short.
type input struct {
	b     []byte
	short bool
}

func (in *input) bytes(n int) []byte {
	if n < 0 || n > len(in.b) {
		in.b, in.short = nil, true
		return nil
	}
	v := in.b[:n:n]
	in.b = in.b[n:]
	return v
}

func (in *input) byte() byte {
	if v := in.bytes(1); v != nil {
		return v[0]
	}
	return 0
}

func (in *input) uint16() uint16 {
	if v := in.bytes(2); v != nil {
		return binary.BigEndian.Uint16(v)
	}
	return 0
}

func (in *input) uint32() uint32 {
	if v := in.bytes(4); v != nil {
		return binary.BigEndian.Uint32(v)
	}
	return 0
}

func (in *input) uint64() uint64 {
	if v := in.bytes(8); v != nil {
		return binary.BigEndian.Uint64(v)
	}
	return 0
}

func (in *input) lsn() position.N { return position.N(in.uint64()) }

// text ends with a zero.
func (in *input) text() string {
	for i, c := range in.b {
		if c == 0 {
			s := string(in.b[:i])
			in.b = in.b[i+1:]
			return s
		}
	}
	in.b, in.short = nil, true
	return ""
}

// relation is what the log says of a table, before its first change and when it
// has changed.
type relation struct {
	id           uint32
	schema, name string
	columns      []string
	key          []bool // it is part of the replica identity
}

func (in *input) relation() *relation {
	r := &relation{id: in.uint32(), schema: in.text(), name: in.text()}
	in.byte() // the replica identity's kind
	for n := int(in.uint16()); n > 0 && !in.short; n-- {
		r.key = append(r.key, in.byte()&1 == 1)
		r.columns = append(r.columns, in.text())
		in.uint32() // type
		in.uint32() // its modifier
	}
	return r
}

// at is the number of a column; -1 if there is none of the name.
func (r *relation) at(name string) int {
	for i, c := range r.columns {
		if c == name {
			return i
		}
	}
	return -1
}

// cell is a value of a row; it belongs to the message.
type cell struct {
	kind byte
	text []byte
}

const (
	cellNull      = 'n'
	cellUnchanged = 'u'
	cellText      = 't'
	cellBinary    = 'b' // which we do not ask for
)

// tuple reads the values of a row into cells.
func (in *input) tuple(cells []cell) []cell {
	cells = cells[:0]
	for n := int(in.uint16()); n > 0 && !in.short; n-- {
		c := cell{kind: in.byte()}
		switch c.kind {
		case cellText, cellBinary:
			c.text = in.bytes(int(int32(in.uint32())))
		case cellNull, cellUnchanged:
		default:
			in.short = true
		}
		cells = append(cells, c)
	}
	return cells
}

var errShort = errors.New("wal: a message of the log ends too early")

func errUnexpected(kind byte, why string) error {
	return fmt.Errorf("wal: a message %q of the log %s", kind, why)
}
