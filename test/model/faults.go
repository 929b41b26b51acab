package model

// Fault is a kind of what befalls somebody.
type Fault int

// The faults.
const (
	ServerFrozen Fault = iota
	TailerFrozen
	ServerRestarted
	TailerRestarted
	LinkCut
	TierWiped
	TierCopied
	TierRestored
	ReplicaFrozen
	PrimaryFrozen
	PrimaryCrashed
	DatabaseRestored
	faults
)

// fault is something that befalls somebody, or its end.
func (w *world) fault() {
	i := Fault(w.r.Intn(int(faults)))
	if w.rates.fault[i] == 0 || w.r.Intn(4) >= w.rates.fault[i] {
		return
	}
	s := w.sv[w.r.Intn(servers)]
	d := w.nodes[w.r.Intn(3)]
	w.say("fault %d at server %d or node %d", i, s.id, w.indexOf(d))
	switch i {
	case ServerFrozen:
		s.frozen = true
	case TailerFrozen:
		if w.tailing() != nil {
			w.tailing().frozen = true
		}
	case ServerRestarted:
		w.count["restarts"]++
		s.frozen = false
		s.end()
		s.start()
	case TailerRestarted:
		if t := w.tailing(); t != nil {
			t.frozen = false
			t.end()
			t.start()
		}
	case LinkCut:
		w.cut[s.id][w.r.Intn(servers+3)] = true
	case TierWiped:
		w.tier.now = nil
	case TierCopied:
		w.tier.old = map[int]*fact{}
		for k, f := range w.tier.now {
			w.tier.old[k] = f
		}
	case TierRestored:
		for k, f := range w.tier.old {
			w.put(f)
			_ = k
		}
	case ReplicaFrozen:
		if d.answers() && !d.primary {
			d.frozen, d.since = true, w.now
		}
	case PrimaryFrozen:
		if d := w.main(); d.answers() && (w.sync || w.r.Intn(2) == 0) {
			d.frozen, d.since = true, w.now
		}
	case PrimaryCrashed:
		if d := w.main(); !d.down {
			w.crash(d)
		}
	case DatabaseRestored:
		w.restore()
	}
}

// mend ends something, or promotes a replica.
func (w *world) mend() {
	s := w.sv[w.r.Intn(servers)]
	d := w.nodes[w.r.Intn(3)]
	switch w.r.Intn(6) {
	case 0:
		s.frozen = false
	case 1:
		if w.r.Intn(2) == 0 {
			w.cut[s.id] = [servers + 3]bool{}
		} else { // one way after the other
			w.cut[s.id][w.r.Intn(servers+3)] = false
		}
	case 2:
		d.frozen = false
	case 3, 4:
		w.promote()
	case 5:
		w.revive(d)
	}
}

// main is the primary of the latest line.
func (w *world) main() *node {
	var last *node
	for _, d := range w.nodes {
		if d.primary && (last == nil || d.line.id > last.line.id) {
			last = d
		}
	}
	return last
}

// tailing is a server that takes itself for the tailer.
func (w *world) tailing() *server {
	for _, s := range w.sv {
		if s.tailer != nil {
			return s
		}
	}
	return nil
}

// crash is the end of a primary's processes. What is on its disk is there again when it
// starts, and everybody sees it.
func (w *world) crash(d *node) {
	w.count["crashes"]++
	d.down, d.frozen, d.since = true, false, w.now
	d.life++
}

func (d *node) showAll() {
	for _, c := range d.hidden {
		c.shown = true
	}
	d.hidden = nil
}

// revive starts a node that is down, or makes one that has been left behind a replica.
func (w *world) revive(d *node) {
	main := w.main()
	switch {
	case d == main:
		if d.down {
			d.down = false
			d.showAll()
		}
	case d.primary || d.upstream == nil: // of an older line
		if !main.down && w.r.Intn(3) == 0 {
			d.life++
			d.primary, d.down, d.frozen, d.upstream, d.line, d.hidden = false, false, false, main, main.line, nil
			d.log = append([]entry{}, main.log...)
			d.shows, d.replayed = len(d.log), len(d.log)
		}
	}
}

// promote makes a replica the primary of a new line, if the primary has been away for
// long. With synchronous replication it is the one that has most. Without, the old
// primary is fenced.
func (w *world) promote() {
	old := w.main()
	if old.answers() || w.now-old.since < failover {
		return
	}
	var next *node
	for _, d := range w.nodes {
		if d.upstream != old || d.line != old.line {
			continue
		}
		if next == nil || len(d.log) > len(next.log) || !w.sync && w.r.Intn(2) == 0 {
			next = d
		}
	}
	if next == nil || !next.answers() {
		return
	}
	if w.sync && len(next.log) < old.line.fork {
		return // Patroni counts nobody as synchronous who has not come as far as its primary began
	}
	w.count["failovers"]++
	if !w.sync {
		old.down, old.frozen = true, false
		old.life++
	}
	fork := len(next.log)
	w.say("node %d is promoted, fork %d", w.indexOf(next), fork)
	l := &line{id: len(w.lines), timeline: old.line.timeline + 1, incarnation: old.line.incarnation, parent: old.line, fork: fork}
	w.lines = append(w.lines, l)
	w.check.lost(old.line, fork, false)
	next.line, next.primary, next.upstream = l, true, nil
	next.log = next.log[:fork:fork]
	l.log = next.log
	next.shows, next.replayed = fork, fork
	for _, c := range old.hidden {
		if c.n <= fork {
			c.shown = true // on this one; the old one is behind, or frozen
		}
	}
	for _, d := range w.nodes {
		if d != next && !d.primary && d.upstream != nil {
			d.upstream = next
		}
	}
}

// restore brings the database back as it was some time ago, under the same numbers.
// That takes longer than any lease; whoever opens it notices that it lies behind what
// was seen, and calls it another incarnation.
func (w *world) restore() {
	old := w.main()
	if !old.down || w.now-old.since < failover+lease || len(old.log) < 20 {
		return
	}
	w.count["restores"]++
	left := len(old.log) - 1 - w.r.Intn(15)
	l := &line{id: len(w.lines), timeline: old.line.timeline, incarnation: old.line.incarnation + 1, parent: old.line, fork: left}
	w.lines = append(w.lines, l)
	log := append([]entry{}, old.log[:left]...)
	l.log = log
	w.check.lost(old.line, left, true)
	for _, d := range w.nodes {
		d.life++
		d.down, d.frozen, d.hidden = false, false, nil
		d.line = l
		d.log = append([]entry{}, log...)
		d.shows, d.replayed = left, left
		d.primary, d.upstream = d == old, nil
		if d != old {
			d.upstream = old
		}
	}
	for _, e := range log {
		e.shown = true
	}
}
