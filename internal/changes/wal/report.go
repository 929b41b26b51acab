package wal

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/jackc/pglogrepl"

	"github.com/pandobase/pando/internal/position"
)

// Who reads the log is no standby, and must not be taken for one: where
// synchronous_standby_names has a * in it, every reader counts that has said what it
// has on disk. Commits would wait for us, who confirm them when they are visible, and
// so for ever; others would be answered because of us, and be lost with the primary.
//
// So we say that nothing is on our disk. A reader that does so does not count, but the
// server keeps the log for it. From time to time we say the truth, and take it back
// with the same breath; and only of what a synchronous commit made since has shown to
// be where it must be.

// releaseEvery is how often the server is told what it need not keep.
var releaseEvery = 5 * time.Second

// release has the server forget what was confirmed.
func (r *Reader) release() {
	tick := time.NewTicker(releaseEvery)
	defer tick.Stop()
	for released := r.start; ; {
		select {
		case <-r.life.Done():
			return
		case <-tick.C:
		}
		n := position.N(r.confirmed.Load())
		if n <= released {
			continue
		}
		wait, done := context.WithTimeout(r.life, releaseEvery)
		err := r.settle(wait)
		done()
		if err != nil {
			continue // a standby is away: the log is kept until it is back
		}
		released = n
		if err := r.report(n, false); err != nil {
			r.fail(err)
			return
		}
	}
}

// report tells the server what was read, so that it ends when it is shut down, and
// with flushed > 0 what it need not keep. With reply it says how far it is.
func (r *Reader) report(flushed position.N, reply bool) error {
	r.mu.Lock()
	to := r.pending.To
	r.mu.Unlock()
	b := make([]byte, 0, 80)
	if flushed > 0 {
		b = appendStatus(b, to, min(flushed, to), false)
	}
	b = appendStatus(b, to, 0, reply)
	r.sending.Lock()
	defer r.sending.Unlock()
	_, err := r.c.Conn().Write(b)
	return err
}

// appendStatus is a StandbyStatusUpdate in a CopyData. That of pglogrepl cannot say
// that nothing is on disk.
func appendStatus(b []byte, written, flushed position.N, reply bool) []byte {
	b = append(b, 'd')
	b = binary.BigEndian.AppendUint32(b, 4+1+3*8+8+1)
	b = append(b, pglogrepl.StandbyStatusUpdateByteID)
	b = binary.BigEndian.AppendUint64(b, uint64(written))
	b = binary.BigEndian.AppendUint64(b, uint64(flushed))
	b = binary.BigEndian.AppendUint64(b, uint64(flushed)) // applied
	b = binary.BigEndian.AppendUint64(b, 0)               // our clock, which nobody looks at
	if reply {
		return append(b, 1)
	}
	return append(b, 0)
}
