package wal

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// counted counts reads.
type counted struct {
	net.Conn
	reads int
}

func (c *counted) Read(p []byte) (int, error) {
	c.reads++
	return c.Conn.Read(p)
}

// trickle has what was sent since the last read, as a kernel's buffer does.
type trickle struct {
	net.Conn
	sent  []byte
	began time.Time
	taken int
}

// perPacket is how often a packet of one byte comes.
const perPacket = 10 * time.Microsecond

func (c *trickle) Read(p []byte) (int, error) {
	if c.taken == len(c.sent) {
		return 0, io.EOF
	}
	due := int(time.Since(c.began) / perPacket)
	if due <= c.taken {
		<-time.After(perPacket)
		due = c.taken + 1
	}
	n := copy(p, c.sent[c.taken:min(due, len(c.sent))])
	c.taken += n
	return n, nil
}

// A flood is read in few pieces, what is no flood as it comes, and nothing of either is
// lost when one becomes the other.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := make([]byte, 30_000)
		for i := range sent {
			sent[i] = byte(rand.Int())
		}
		source := &counted{Conn: &trickle{sent: sent, began: time.Now()}}
		f := &flood{Conn: source}
		got := make([]byte, 0, len(sent))
		read := func(upTo int) (reads int, longest time.Duration) {
			before := source.reads
			for len(got) < upTo {
				at := time.Now()
				n, err := f.Read(got[len(got):min(len(got)+700, cap(got))])
				if err != nil {
					t.Fatal(err)
				}
				got, longest = got[:len(got)+n], max(longest, time.Since(at))
			}
			return source.reads - before, longest
		}
		if n, longest := read(100); n != 100 || longest > perPacket {
			t.Errorf("calm: %d reads, one of them %v long; want one a packet", n, longest)
		}
		f.rising = true
		if n, longest := read(20_000); n > 210 || longest > lull+perPacket {
			t.Errorf("rising: %d reads of some 100 packets each, one of them %v long", n, longest)
		}
		f.rising = false
		if _, longest := read(len(sent)); longest > perPacket {
			t.Errorf("falling: a read was %v long", longest)
		}
		if !bytes.Equal(got, sent) {
			t.Error("what was read is not what was sent")
		}
		f.rising = true
		if _, err := f.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("at the end: %v", err)
		}
	})
}
