package web

import (
	"bytes"
	"context"
	"io"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/pandobase/pando"
)

// A body takes more memory than it is long: [{},{},…] of 30 MB becomes gigabytes
// once it is decoded. So what bodies will take is reckoned before it is spent,
// and all requests together share one budget. Bodies of the usual size are not
// reckoned.
const (
	defaultBodyMemory = 256 * megabyte

	freeBody  = 256 << 10 // bytes of memory that any request may take
	smallBody = 2 << 10   // length that cannot take more than that
	firstRead = 64 << 10  // room for a longer body at first

	costOfByte  = 3   // as received, decoded, and encoded again
	costOfValue = 150 // a key of a map with a boxed value, at worst

	// bodyWait is how long a request waits for others to give memory back.
	bodyWait = 2 * time.Second
)

// budget is the memory for all bodies that are being handled.
type budget struct {
	size int64
	room *semaphore.Weighted
}

func newBudget(size int64) budget {
	if size <= 0 {
		size = defaultBodyMemory
	}
	return budget{size, semaphore.NewWeighted(size)}
}

// charge takes n bytes more for the body of this call, until it ends. It fails
// with KindTooLarge if the body will never fit, KindUnavailable if there is no
// room just now.
func (c *call) charge(n int64) error {
	c.cost += n
	need := c.cost - freeBody - c.charged
	if need <= 0 {
		return nil
	}
	b := &c.h.bodies
	if c.cost > b.size {
		return &pando.Error{Kind: pando.KindTooLarge}
	}
	ctx, cancel := context.WithTimeout(c.r.Context(), bodyWait)
	defer cancel()
	if err := b.room.Acquire(ctx, need); err != nil {
		if c.r.Context().Err() != nil {
			return c.r.Context().Err()
		}
		return &pando.Error{
			Kind: pando.KindUnavailable, Err: err,
			Message: "The server is busy with other large requests. Please try again in a moment.",
		}
	}
	c.charged += need
	return nil
}

// chargeValues takes what the values of a JSON text will need, counted by the
// characters that separate them.
func (c *call) chargeValues(raw []byte) error {
	if len(raw) <= smallBody {
		return nil
	}
	n := bytes.Count(raw, []byte{','}) + bytes.Count(raw, []byte{'{'}) + bytes.Count(raw, []byte{'['})
	return c.charge(int64(n) * costOfValue)
}

// giveBack returns what the call was charged.
func (c *call) giveBack() {
	if c.charged > 0 {
		c.h.bodies.room.Release(c.charged)
		c.charged = 0
	}
}

// readCharged reads all of r, which is probably about size bytes long (-1: not
// known), and is charged for what has come, not for what was announced.
func (c *call) readCharged(r io.Reader, size int64) ([]byte, error) {
	room := int64(firstRead)
	if costOfByte*size > c.h.bodies.size {
		return nil, &pando.Error{Kind: pando.KindTooLarge}
	}
	if size >= 0 {
		room = min(room, size+1) // one more, to see the end without growing
	}
	if err := c.charge(costOfByte * room); err != nil {
		return nil, err
	}
	buf := make([]byte, 0, room)
	for {
		if len(buf) == cap(buf) {
			more := int64(cap(buf))
			if size >= int64(len(buf)) {
				more = min(more, size+1-int64(len(buf)))
			}
			if err := c.charge(costOfByte * more); err != nil {
				return nil, err
			}
			buf = append(make([]byte, 0, int64(cap(buf))+more), buf...)
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return nil, err
		}
	}
}
