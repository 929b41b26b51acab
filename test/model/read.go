package model

import "fmt"

// flight is a fill under way, which others wait for.
type flight struct {
	done   bool
	fact   *fact // nil: it came to nothing
	marked bool
	upper  int
}

// reading is one read.
type reading struct {
	w     *world
	c     *session
	s     *server
	q     query
	begun float64

	was   asked
	reset bool // the client is told that something was lost

	x      *index
	marked bool
	front  int // F when the fill began
	sure   int // then, how far all that was answered goes
	blind  int // and up to where nobody knows what that was of
	tries  int
	mine   *flight
	later  bool // the flight that is waited for began later than this request

	from   *node
	life   int
	stamp  int
	upper  int
	tl     int
	val    [records]*commit
	line   *line
	keeps  bool
	how    string
	waited float64
}

// read is a question of c to s.
func (w *world) read(c *session, s *server) (step, func(bool)) {
	r := &reading{
		w: w, c: c, s: s, q: query{w.r.Intn(records + 1), c.viewer}, begun: s.clock(),
		was: w.check.asks(c, s),
	}
	return r.begin, r.end
}

func (r *reading) end(bool) {
	r.c.busy = false
	r.land(nil)
}

func (r *reading) refuse() step {
	r.w.count["refused"]++
	r.end(false)
	return nil
}

// begin takes the index, with a lease, and looks into the caches.
func (r *reading) begin() step {
	next := r.ready(r.begin)
	if next != nil || r.x == nil {
		return next
	}
	if r.x.covers(r.q) < r.required(r.x.front) {
		if r.s.clock()-r.begun > readWait {
			return r.refuse()
		}
		if r.w.r.Intn(4) > 0 {
			return r.begin // F comes soon
		}
		return r.fill
	}
	slot := &r.s.kept[r.q.what][r.w.key(r.q).viewer]
	if f := *slot; f != nil && r.w.holds(r.x, f) && r.fresh(f) {
		r.w.count["hits"]++
		return r.hit(slot, f)
	}
	return r.join
}

// ready waits for an index with a lease, and goes on without when there is no primary.
// With neither step nor index the request is at its end.
func (r *reading) ready(again step) step {
	s, w := r.s, r.w
	r.x, r.marked = s.index, false
	switch {
	case s.leased(r.x):
	case r.x != nil && r.x.had && s.degraded():
		r.marked = true
	case (w.is(Zombie) || w.is(DegradedUnheld)) && s.primary != nil && s.reaches(s.primary):
		r.x = nil
		return r.alone()
	case s.clock()-r.begun > readWait:
		r.x = nil
		return r.refuse()
	default:
		r.x = nil
		return again
	}
	return nil
}

// fresh tells whether f is as new as what this server has answered without a primary.
func (r *reading) fresh(f *fact) bool {
	_, blind := r.s.beyond(r.x)
	return max(f.stamp, r.x.front) >= blind || r.w.is(MarkedForgets)
}

// required is what the client's position asks for, beyond what is known to be asked for by
// all.
func (r *reading) required(known int) int {
	t := r.c.token
	if !r.c.keeps || t.n == 0 {
		return 0
	}
	if t.epoch != r.x.epoch {
		if t.epoch.before(r.x.epoch) {
			// What lies beyond the fork is lost, which it is told; the rest is older
			// than the base.
			r.reset = true
			return 0
		}
		return never // this server does not know of it yet
	}
	if t.n <= known {
		return 0
	}
	return t.n
}

// hit answers from the process. The stamp can be raised to what F was before the look.
func (r *reading) hit(slot **fact, f *fact) step {
	x, front := r.x, r.x.front
	restamp := func() step {
		if r.w.is(RestampLate) {
			front = x.front
		}
		if x == r.s.index && front > f.stamp && *slot == f {
			g := *f
			g.stamp = front
			*slot = &g
		}
		return nil
	}
	if r.w.is(RestampLate) && r.w.r.Intn(2) == 0 {
		r.answer(f, "a hit")
		return restamp
	}
	restamp()
	return r.answer(f, "a hit")
}

// join fills, or waits for who does.
func (r *reading) join() step {
	k := r.w.key(r.q)
	f := r.s.flights[k]
	if f == nil {
		r.mine = &flight{}
		r.s.flights[k] = r.mine
		return r.fetch
	}
	later := r.later
	r.later = true
	return func() step { return r.wait(f, later) }
}

// fetch looks into the tier, by an index that has a lease now: whoever waits for it
// takes what it finds.
func (r *reading) fetch() step {
	if next := r.ready(r.fetch); next != nil || r.x == nil {
		return next
	}
	f := r.w.get(r.x.epoch, r.q)
	unknown := !r.s.leased(r.x) && f != nil && f.stamp > r.x.front // nobody knows here what it holds
	if f == nil || !r.w.holds(r.x, f) || !r.fresh(f) || unknown && !r.w.is(TierUnknown) {
		return r.fill
	}
	r.w.count["tier hits"]++
	r.s.show(token{r.x.epoch, r.x.covers(r.q)}, 0, r.x) // another server may know a greater S
	r.keep(f)
	r.upper = 0
	r.land(f)
	return r.answer(f, "the tier")
}

// wait is for somebody else's fill: it is taken if the index confirms it, or if it began
// after this request.
func (r *reading) wait(f *flight, later bool) step {
	if !f.done {
		return func() step { return r.wait(f, later) }
	}
	if f.fact != nil && (later || r.w.holds(r.x, f.fact) || r.w.is(JoinUnjudged)) {
		r.w.count["shared"]++
		r.marked = r.marked || f.marked && !r.w.is(DegradedShared)
		r.upper = f.upper
		if !r.fresh(f.fact) {
			return r.join
		}
		return r.answer(f.fact, "another's fill")
	}
	return r.join
}

// land ends the own flight.
func (r *reading) land(f *fact) {
	if r.mine != nil {
		r.mine.done, r.mine.fact, r.mine.marked, r.mine.upper = true, f, r.marked, r.upper
		delete(r.s.flights, r.w.key(r.q))
		r.mine = nil
	}
}

// fill asks a database.
func (r *reading) fill() step {
	if next := r.ready(r.fill); next != nil || r.x == nil {
		return next
	}
	if r.tries++; r.tries > 40 || r.s.clock()-r.begun > 3*readWait {
		return r.refuse()
	}
	r.front, r.sure = r.x.front, min(r.x.front, r.x.safe)
	if n, blind := r.s.beyond(r.x); !r.w.is(MarkedForgets) {
		r.sure, r.blind = max(r.sure, n), blind
	}
	r.w.count["fills"]++
	r.from = r.w.nodes[r.w.r.Intn(3)]
	if r.w.r.Intn(4) == 0 && r.s.primary != nil {
		r.from = r.s.primary
	}
	if !r.s.reaches(r.from) {
		return r.fill
	}
	r.life = r.from.life
	if r.marked && r.from.primary {
		return r.fill // there is none, they say
	}
	if r.from == r.s.primary {
		return r.primary
	}
	return r.replica
}

// need is how far a node must be. Without a lease what lies beyond S, and was not answered,
// may be lost with the primary.
func (r *reading) need() int {
	known := r.front
	if r.marked {
		known = min(known, r.sure)
	}
	n := min(r.x.covers(r.q), r.front)
	if r.marked {
		n = r.sure
		if r.blind <= r.x.front {
			n = min(n, r.x.covers(r.q))
		}
	} else if r.blind > r.front {
		n = max(n, r.blind)
	}
	return max(n, r.required(known))
}

// replica asks how far it is, then the question, then how far it is, each in a
// statement of its own.
func (r *reading) replica() step {
	d := r.from
	if d.primary || !d.streams() && !r.marked {
		return r.fill
	}
	r.stamp, r.tl = d.replayed, d.line.timeline
	return r.at(func() step {
		v := d.view()
		copy(r.val[:], v[:records])
		r.line = d.line
		r.how = fmt.Sprintf("a replica that shows %d", d.shows)
		return r.at(func() step {
			switch {
			case d.primary && !r.w.is(FillStraddles):
				return r.fill
			case !d.streams() && !r.marked && !r.w.is(FillStraddles):
				return r.fill
			case (d.line.timeline != r.tl || r.tl != r.x.epoch.timeline) && !r.w.is(FillStraddles):
				return r.fill
			}
			r.upper = max(len(d.log), d.replayed)
			if r.w.is(ReplayIsUpper) {
				r.upper = d.replayed
			}
			if r.w.is(NoUpperStamp) {
				r.upper = r.stamp
			}
			if r.w.is(StampAfterData) {
				r.stamp = d.replayed
			}
			return r.judge()
		})
	})
}

// primary is asked when S has come far enough: it shows everything up to there.
func (r *reading) primary() step {
	d := r.from
	if r.stamp = r.x.safe; r.stamp < r.need() && !r.w.is(PrimaryByLSN) && !r.w.is(NeedUnchecked) {
		if r.s.index != r.x || r.s.clock()-r.begun > 2*readWait {
			return r.fill
		}
		return r.at(r.primary)
	}
	if r.w.is(PrimaryByLSN) {
		r.stamp = len(d.log)
	}
	return r.at(func() step {
		v := d.view()
		copy(r.val[:], v[:records])
		r.line = d.line
		r.how = "the primary"
		return r.at(func() step {
			if (!d.primary || d.line.timeline != r.x.epoch.timeline) && !r.w.is(FillStraddles) {
				return r.fill
			}
			r.upper = len(d.log)
			if r.w.is(NoUpperStamp) {
				r.upper = r.stamp
			}
			return r.judge()
		})
	})
}

// at does something on the connection, if that is still there.
func (r *reading) at(do step) step {
	return func() step {
		switch {
		case r.from.life != r.life:
			return r.fill
		case !r.s.reaches(r.from):
			if r.s.clock()-r.begun > 2*readWait {
				return r.fill
			}
			return r.at(do)
		}
		return do()
	}
}

// judge takes what was read, or asks elsewhere.
func (r *reading) judge() step {
	if (r.stamp < r.need() || r.stamp < r.x.base) && !r.w.is(NeedUnchecked) {
		return r.fill
	}
	r.waited = r.s.clock()
	return r.hold
}

// hold waits until every server knows of what was read.
func (r *reading) hold() step {
	x := r.x
	if r.s.index != x && !r.w.is(ReadUnheld) {
		return r.fill
	}
	if !r.marked && !r.w.is(ReadUnheld) {
		torn := r.from.primary && r.q.what == records && !r.w.is(PrefixUnchecked)
		o := r.upper
		if x.front >= r.upper {
			o = min(o, x.covers(r.q))
		}
		if x.safe < o || torn && x.front < r.upper {
			if r.s.clock()-r.waited > readWait {
				return r.refuse()
			}
			if r.s.clock()-r.waited < unit {
				r.w.count["held"]++
			}
			return r.hold
		}
		if torn && x.covers(r.q) > r.stamp {
			return r.fill // it may show the later of two and not the earlier
		}
	}
	f := &fact{query: r.q, epoch: x.epoch, stamp: r.stamp, val: r.val, line: r.line}
	if !r.marked || r.w.is(DegradedKept) {
		r.keep(f)
		if r.w.r.Intn(2) == 0 && r.w.holds(x, f) {
			r.w.put(f)
		}
	}
	if r.marked {
		r.s.show(token{x.epoch, r.upper}, r.upper, x)
	}
	r.land(f)
	return r.answer(f, r.how)
}

func (r *reading) keep(f *fact) { r.s.kept[r.q.what][r.w.key(r.q).viewer] = f }

// answer gives f to the client.
func (r *reading) answer(f *fact, how string) step {
	r.how = fmt.Sprintf("%s, server %d, fact of %v at %d, until %v, F %d, S %d, X %v, base %d",
		how, r.s.id, f.epoch, f.stamp, r.upper, r.x.front, r.x.safe, r.x.at, r.x.base)
	r.upper = max(r.upper, f.stamp)
	r.give(f)
	if r.c.keeps {
		r.c.keep(token{r.x.epoch, max(r.x.covers(r.q), r.upper)})
	}
	return nil
}

func (r *reading) give(f *fact) {
	r.w.say("server %d answers %v, marked %v, keeps %v %v, upper %d: %s", r.s.id, r.q, r.marked, r.c.keeps, r.c.token, r.s.shown.n, r.how)
	r.w.check.read(r.c, r.s, r.q, answer{query: f.query, val: f.val, line: f.line, marked: r.marked, how: r.how}, r.was, r.reset)
	r.end(true)
}

// alone is what is not done: without a lease the primary is read.
func (r *reading) alone() step {
	d := r.s.primary
	r.from, r.life = d, d.life
	v := d.view()
	copy(r.val[:], v[:records])
	r.line = d.line
	began := r.s.clock()
	var hold step
	hold = func() step {
		if r.w.is(Zombie) && r.s.clock()-began < lease+margin {
			return hold
		}
		r.how = "the primary, without a lease"
		r.give(&fact{query: r.q, val: r.val, line: r.line})
		return nil
	}
	return hold
}
