package cluster

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/pandobase/pando/internal/neighbour"
)

// A frame is the length of what follows (four bytes), the format that it is written
// in, its kind, and its message. The first frame of a connection is the HELLO, which
// is the same in every format; the answer to it is in the newest one that both sides
// know, and so is all that follows. A refusal, too, is the same in every format: it is
// for those who know no other.
const (
	frameHead = 6
	maxFrame  = 16 << 20
)

// format is that of this version of Pando. It also speaks the one before, so that
// servers of two neighbouring versions are one cluster, and nothing older: a version
// that changes what is said raises format by one, and writes for each member in that
// member's format. See neighbours.go.
const format = 1

var (
	formatNewest = uint8(newest(neighbour.Format))
	formatOldest = max(1, formatNewest-1)
)

func newest(other int) int {
	if other != 0 {
		return other
	}
	return format
}

type kind uint8

const (
	kindHello kind = iota + 1
	kindSnapshot
	kindPositions
	kindBatch
	kindAck
	kindLeave
	kindRefusal
)

// message is what a frame holds.
type message interface {
	kind() kind
	append(b []byte) []byte
}

// appendFrame writes m in a format.
func appendFrame(b []byte, format uint8, m message) []byte {
	at := len(b)
	b = m.append(appendHead(b, format, m.kind()))
	if m.kind() == kindHello {
		b = neighbour.Hello(b)
	}
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return b
}

// appendHead writes what a frame begins with; its length is put in later.
func appendHead(b []byte, format uint8, k kind) []byte {
	b = append(b, 0, 0, 0, 0, format, byte(k))
	if k.timeless() {
		return b
	}
	return neighbour.Begin(b, format)
}

// timeless tells whether it is the same in every format, and may say more in a newer one.
func (k kind) timeless() bool { return k == kindHello || k == kindRefusal }

// readFrame reads the next message. What it returns does not share memory with a
// later one.
func readFrame(r io.Reader) (format uint8, m message, err error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size < 2 || size > maxFrame {
		return 0, nil, fmt.Errorf("cluster: a frame of %d bytes", size)
	}
	body := make([]byte, size-2)
	if _, err := io.ReadFull(r, body); err != nil {
		return 0, nil, err
	}
	m, err = decode(head[4], kind(head[5]), body)
	return head[4], m, err
}

func decode(format uint8, k kind, body []byte) (message, error) {
	d := &decoder{b: body}
	if !k.timeless() {
		if format < formatOldest || format > formatNewest {
			return nil, fmt.Errorf("cluster: a frame of format %d; %d to %d are known", format, formatOldest, formatNewest)
		}
		var ok bool
		if d.b, ok = neighbour.Cut(body, format); !ok {
			d.fail()
		}
	}
	var m message
	switch k {
	case kindHello:
		m = decodeHello(d)
	case kindSnapshot:
		m = decodeSnapshot(d)
	case kindPositions:
		m = decodePositions(d)
	case kindBatch:
		m = decodeBatch(d)
	case kindAck:
		m = decodeAck(d)
	case kindLeave:
		m = leave{}
	case kindRefusal:
		m = refusal{Reason: d.string(), Term: d.uvarint()}
	default:
		return nil, fmt.Errorf("cluster: a frame of unknown kind %d", k)
	}
	if !k.timeless() && len(d.b) > 0 {
		d.fail()
	}
	if d.err != nil {
		return nil, fmt.Errorf("cluster: frame of kind %d: %w", k, d.err)
	}
	return m, nil
}

// negotiate is the format that a tailer talks to who said HELLO in.
func negotiate(h hello) (uint8, error) {
	format := min(h.Newest, formatNewest)
	if format < formatOldest || format < h.Oldest {
		return 0, fmt.Errorf("the versions of Pando are too far apart: server %s speaks formats %d to %d of the cluster's language, the one that reads the log %d to %d; update one version at a time",
			h.ID, h.Oldest, h.Newest, formatOldest, formatNewest)
	}
	return format, nil
}

// decoder takes a message apart. After a failure everything is zero.
type decoder struct {
	b   []byte
	err error
}

var errShort = errors.New("it does not hold what it must")

func (d *decoder) fail() {
	if d.err == nil {
		d.err = errShort
	}
	d.b = nil
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail()
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

func (d *decoder) bool() bool {
	v := d.byte()
	if v > 1 {
		d.fail()
	}
	return v == 1
}

func (d *decoder) fixed() uint64 {
	if len(d.b) < 8 {
		d.fail()
		return 0
	}
	v := binary.LittleEndian.Uint64(d.b)
	d.b = d.b[8:]
	return v
}

func (d *decoder) bytes() []byte {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.fail()
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) string() string { return string(d.bytes()) }

// count reads how many things of at least size bytes each follow.
func (d *decoder) count(size int) int {
	n := d.uvarint()
	if n > uint64(len(d.b)/size) {
		d.fail()
		return 0
	}
	return int(n)
}

func appendBytes[T string | []byte](b []byte, v T) []byte {
	b = binary.AppendUvarint(b, uint64(len(v)))
	return append(b, v...)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}
