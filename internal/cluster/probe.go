package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pandobase/pando/internal/position"
)

// probe asks how far the primary's log is on disk, for the members whose acks have
// come: whoever knows all that was there after it sent its ack knows all that anybody
// can have been answered before it.
func (r *reign) probe(now int64) {
	if r.log == nil || r.asking || r.stale != "" || !r.mayGrant(now) {
		return
	}
	for p := range r.peers {
		p.probing = 0
		if p.counted && p.acked && !p.late(now, r.n.cfg.lag()) {
			p.probing = p.t
			p.t = 0
		}
	}
	r.asking = true
	number, seen := r.number, r.seen
	r.beside.Go(func() {
		limit, cancel := r.n.ask(r.ctx)
		defer cancel()
		found, err := r.n.cfg.Registry.Probe(limit)
		r.post(func() { r.probed(number, seen, found, err) })
	})
}

// probed takes the answer. seen is what had been seen of the log before it was asked
// for.
func (r *reign) probed(number uint64, seen position.N, found Probe, err error) {
	r.asking = false
	if r.log == nil || number != r.number {
		return
	}
	if err != nil {
		r.n.note("the primary does not say where its log ends: " + err.Error())
		return
	}
	ours := r.log.epoch
	switch {
	case found.Epoch == ours && found.Flush < seen:
		r.restored(seen, found.Flush)
		return
	case found.Epoch == ours:
	case found.Epoch.Database == ours.Database && found.Epoch.Incarnation == ours.Incarnation && found.Epoch.Timeline < ours.Timeline:
		// A primary of before, which has come back: it is of no interest, and whoever
		// knows which is the right one will say so.
		r.n.note(fmt.Sprintf("the primary is of timeline %d, which ended; the present one is %d", found.Epoch.Timeline, ours.Timeline))
		return
	default:
		r.lose(errors.New("another primary took its place"))
		return
	}
	r.seen = max(r.seen, found.Flush)
	waiting := false
	for p := range r.peers {
		if p.probing != 0 && p.counted {
			p.echo, p.probe = p.probing, found.Flush
			waiting = true
		}
		p.probing = 0
	}
	if !waiting {
		return
	}
	r.send(nil, r.to)
	r.wants(found.Flush)
}

// segmentUnit divides the size of each segment of a log: initdb --wal-segsize.
const segmentUnit = 1 << 20

// onDisk is how far the primary had its log on disk when the stream was at n; 0 if that is
// not known. A segment may be left before it is full, for a base backup or by
// archive_timeout. PostgreSQL reads the record that says so as one that ends with the
// segment, and logical decoding tells so as soon as the record itself is on disk. The rest
// of the segment is filled with zeros meanwhile, and until that is done the primary says
// that its log ends before, as a copy of itself would.
func onDisk(n position.N) position.N {
	if n%segmentUnit == 0 {
		return 0
	}
	return n
}

// restoreTime bounds the making of another incarnation.
const restoreTime = 5 * time.Second

// restored has found that the primary is an older copy of itself. Positions that were
// given out will be given out again, for something else: nothing may be issued before
// the store has made it another epoch.
func (r *reign) restored(seen, flush position.N) {
	n := r.n
	e := r.log.epoch
	r.stale = fmt.Sprintf("the database was restored from an older copy: its log ends at %s and had been at %s", flush.LSN(), seen.LSN())
	n.log.Error("the database was restored from an older copy under running servers; nothing is served before it is told apart from what it was",
		"at", flush.LSN(), "had been at", seen.LSN())
	n.note(r.stale)
	n.count(func(c *Counts) { c.Restored++ })
	if n.cfg.Restored == nil {
		return
	}
	r.beside.Go(func() {
		for r.ctx.Err() == nil {
			limit, cancel := context.WithTimeout(r.ctx, restoreTime)
			err := n.cfg.Restored(limit, e, seen, flush)
			cancel()
			if err == nil {
				r.post(func() { r.lose(errors.New("the database was restored from a copy")) })
				return
			}
			n.log.Error("the restored database cannot be given a new incarnation; trying again", "err", err)
			n.pause(r.ctx, time.Second)
		}
	})
}

// raise gives the reign up for one of a term above known.
func (r *reign) raise(known uint64) {
	if r.n.f.known.Load() < known {
		r.n.f.known.Store(known)
	}
	r.depose("the members have seen a higher term")
}
