package cluster

import (
	"math/rand/v2"
	"time"

	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
)

// stream is the tailer's knowledge of the log. Its number tells apart what may be
// joined without a gap; C is called visible.
type stream struct {
	log    *tail // nil: there is none at the moment
	number uint64
	origin uint64     // of indexes that begin here
	sent   position.N // up to here the members were sent
	to     position.N // up to here the log was read
	want   position.N // somebody waits for it to get here

	// C: every commit up to here can be seen at the primary. What was read and is not
	// known to be seen is unseen, in order.
	visible position.N
	unseen  []commit
	looking bool
	vain    int64 // since when looks have changed nothing; 0: the last one did

	// At a log's start there may be commits that the primary has on disk, before the
	// start, and does not show yet. They are of transactions that run in any view
	// taken afterwards. C begins once all of these have ended, or come through the log.
	begun    bool
	starters map[uint64]bool // nil: no view was taken yet
	came     map[uint64]bool // through the log, before that

	safe    position.N   // S
	commits []position.N // beyond S
}

type commit struct {
	n   position.N
	xid uint64
}

// take begins with a log. x is this server's own index: what was safe by it is
// visible, as far as it is of the same log.
func (s *stream) take(t *tail, x *position.Index) {
	*s = stream{log: t, number: s.number + 1, came: map[uint64]bool{}, origin: rand.Uint64()}
	from := t.start
	if t.made(x) && x.Safe() >= t.start && t.covers(x.Safe()) {
		from = x.Safe()
		s.begun, s.visible = true, from
	}
	entries, to, _, _ := t.after(from)
	s.sent, s.to = to, to
	s.note(entries)
}

// note takes entries that were read.
func (s *stream) note(entries []changes.Entry) {
	for _, e := range entries {
		s.unseen = append(s.unseen, commit{e.N, e.XID})
		s.commits = append(s.commits, e.N)
		if s.begun {
			continue
		}
		if s.came[e.XID] = true; s.starters != nil {
			delete(s.starters, e.XID)
		}
	}
}

// see takes a view of the primary.
func (s *stream) see(v Visible, now int64) {
	if !s.begun {
		s.start(v)
	}
	n := 0
	for n < len(s.unseen) && v.Sees(s.unseen[n].xid) {
		n++
	}
	if n > 0 {
		s.vain = 0
		s.unseen = append(s.unseen[:0:0], s.unseen[n:]...)
	} else if s.vain == 0 {
		s.vain = now
	}
	s.advance()
}

func (s *stream) start(v Visible) {
	if s.starters == nil {
		s.starters = make(map[uint64]bool)
		for _, xid := range v.Running {
			if !s.came[xid] {
				s.starters[xid] = true
			}
		}
	}
	for xid := range s.starters {
		if v.Sees(xid) {
			delete(s.starters, xid)
		}
	}
	if len(s.starters) == 0 {
		s.begun, s.starters, s.came = true, nil, nil
	}
}

// advance raises C.
func (s *stream) advance() {
	switch {
	case !s.begun:
	case len(s.unseen) == 0:
		s.visible = max(s.visible, s.to)
	default:
		s.visible = max(s.visible, s.unseen[0].n-1)
	}
}

// pass forgets the commits that S has reached, and tells whether there are any.
func (s *stream) pass() bool {
	n := 0
	for n < len(s.commits) && s.commits[n] <= s.safe {
		n++
	}
	s.commits = s.commits[n:]
	return n > 0
}

// open opens the log, again and again.
func (r *reign) open() {
	r.beside.Go(func() {
		wait := r.n.cfg.Renew
		for {
			t, err := openTail(r.ctx, &r.n.cfg)
			if err == nil {
				if !r.post(func() { r.opened(t) }) {
					t.close()
				}
				return
			}
			if r.ctx.Err() != nil {
				return
			}
			r.n.log.Warn("the database's log cannot be read; trying again", "err", err)
			r.n.note("the database's log cannot be read: " + err.Error())
			if !r.n.pause(r.ctx, wait) {
				return
			}
			wait = min(2*wait, 4*r.n.cfg.Renew)
		}
	})
}

// opened takes a new log. What was between the one before and this one, nobody knows:
// every member begins anew.
func (r *reign) opened(t *tail) {
	r.stream.take(t, r.n.cfg.Clock.Index())
	r.stale = ""
	if old, run := r.primary, t.run(); run != old {
		// A primary that has crashed shows what waited for a standby when it did. That it
		// has one again is known when a renewal comes back that it was asked for.
		if r.primary = run; old != (position.Run{}) {
			r.since = r.n.now()
		}
	}
	r.seen = max(t.start, onDisk(r.to))
	if x := r.n.cfg.Clock.Index(); x.Epoch() == t.epoch {
		// Of an index that began anew by the log of a copy, the base has how far the one
		// before it was: see session.start.
		r.seen = max(r.seen, onDisk(x.Frontier()), onDisk(max(x.Base(), 1)-1))
	}
	for id, g := range r.ghosts {
		g.knows = 0
		r.ghosts[id] = g
	}
	for p := range r.peers {
		r.begin(p)
	}
	r.look()
}

// lose closes the log, and opens it anew.
func (r *reign) lose(why error) {
	t := r.log
	if t == nil {
		return
	}
	r.n.log.Warn("the database's log was lost; opening it again", "err", why)
	r.n.note("the database's log was lost: " + why.Error())
	r.log, r.begun = nil, false
	r.beside.Go(t.close)
	r.open()
}

// maxBatch bounds the entries of a batch, about.
const maxBatch = 4 << 20

// read sends on what the log brings.
func (r *reign) read() {
	entries, to, _, err := r.log.after(r.to)
	r.to = max(r.to, to)
	r.seen = max(r.seen, onDisk(r.to))
	if n := len(entries); n > 0 {
		r.seen = max(r.seen, entries[n-1].N)
	}
	r.note(entries)
	r.advance()
	for len(entries) > 0 {
		n, size := 0, 0
		for n < len(entries) && size < maxBatch {
			size += entrySpace(&entries[n])
			n++
		}
		end := entries[n-1].N
		if n == len(entries) {
			end = r.to
		}
		r.send(entries[:n], end)
		entries = entries[n:]
	}
	if r.sent < r.want && r.to >= r.want {
		r.send(nil, r.to)
	}
	if err != nil {
		r.lose(err)
		return
	}
	if len(r.unseen) > 0 {
		if len(entries) > 0 {
			r.vain = 0
		}
		r.look()
	} else {
		r.settle()
	}
}

// look asks what the primary shows, if there is something to be seen.
func (r *reign) look() {
	if r.log == nil || r.looking || r.begun && len(r.unseen) == 0 {
		return
	}
	r.looking = true
	number, wait := r.number, time.Duration(0)
	if r.vain > 0 {
		// It waits for a standby, as a rule. Whoever committed waits for this look once
		// the standby has answered, so pauses are short against what has passed. (With
		// twice the least pause, half a millisecond, answers waited 0.8 ms instead of 0.55.)
		passed := time.Duration(r.n.now() - r.vain)
		wait = min(max(passed/16, r.n.cfg.Tick/80), r.n.cfg.Tick/2)
	}
	r.beside.Go(func() {
		if wait > 0 && !r.n.pause(r.ctx, wait) {
			return
		}
		limit, cancel := r.n.ask(r.ctx)
		defer cancel()
		v, err := r.n.cfg.Registry.Visible(limit)
		r.post(func() { r.looked(number, v, err) })
	})
}

func (r *reign) looked(number uint64, v Visible, err error) {
	if r.log == nil || number != r.number {
		return // of a log before, whose stream has no look under way any more
	}
	r.looking = false
	if err != nil {
		r.n.note("the primary's view cannot be read: " + err.Error())
		return // the next tick tries again
	}
	if v.Epoch != r.log.epoch {
		return
	}
	r.see(v, r.n.now())
	r.settle()
	r.look()
}

// wants notes that somebody waits for the log to get to n.
func (r *reign) wants(n position.N) {
	news := n > r.want
	r.want = max(r.want, n)
	if r.log != nil && r.to < n {
		if news { // or it was asked already
			r.log.reader.Ask()
		}
	} else if r.sent < n {
		r.send(nil, r.to)
	}
}
