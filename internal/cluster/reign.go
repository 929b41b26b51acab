package cluster

import (
	"context"
	"sync"
	"time"

	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/mutant"
	"github.com/pandobase/pando/internal/position"
)

// reign is this server's time as the tailer: one term. One goroutine does all that is
// decided here (run); questions to the primary are asked beside it, and answered to it.
//
// # Why two reigns do no harm
//
// Whoever has term k+1 took it from a row that stood at (term k, beat b), at x. Be
// first the moment at which it knew the row to be so (watch.first): first < x. The
// tailer of term k began the renewal that made it so before first, and none that it
// began later succeeded, or the row would have been another one at x. What it issues
// (S and echoes), it issues only if the last renewal that succeeded was begun no more
// than D ago, and looks at that after it has made up what it issues (send). So:
//
//	from first + D on        it issues nothing more ("quiet"). What it made up before
//	                         may still arrive, late; that is as true as it was.
//	from first + D + L on    nobody has a lease by an echo of it ("clear"), since a lease
//	                         ends L after the member sent what is echoed.
//
// each with a margin for clocks that run apart. The new tailer grants no lease before
// quiet: the old one may count it out (L + margin after the last echo) and raise S
// above what it knows. And it issues no S before clear: whoever still has a lease of
// the old one, and has not come over, may not know what S covers.
//
// Neither is to be waited for if every registered member has said HELLO: each follows
// one connection only, so nothing that the old tailer issues reaches anybody any more;
// and who said HELLO with a lease counts from that moment on. A member that is not in
// the rows read after x was not registered at x. It asks who the tailer is after it has
// registered (beat.go), so it finds the new one.
//
// It does not matter for any of this how x was chosen. That is why a candidate may try
// at once when the tailer's machine says that nobody listens there any more, and need
// not watch the row for 2 D: it only has to wait, after it, what it did not before it.
type reign struct {
	n     *Node
	row   Tailer
	quiet int64
	clear int64

	ctx    context.Context
	cancel context.CancelFunc
	events chan func()
	over   chan struct{}
	beside sync.WaitGroup

	// What follows belongs to run's goroutine.
	heard   map[string]bool // who has said HELLO
	waited  map[string]bool // who is registered and has not; nil: not known
	renewed int64           // when the last renewal that succeeded began
	primary position.Run    // by whose log S is raised, or was last
	since   int64           // a renewal that began before was of another one
	resting bool            // this server stops
	stale   string          // why nothing may be issued: the primary is not what it was

	stream
	peers   map[*peer]struct{}
	ghosts  map[who]ghost
	standby *peer
	asking  bool // a probe is under way
	seen    position.N
	last    int64 // when the last batch was sent
	dead    map[string]corpse
	lonely  int64 // since when no other member is connected, though there are some
}

// crown begins a reign. first is when the row taken over was known to be as it was,
// began when the taking began: that is the first renewal.
func (n *Node) crown(ctx context.Context, row Tailer, first, began int64) {
	c := &n.cfg
	r := &reign{
		n: n, row: row,
		quiet:  first + int64(c.Deadline+c.Margin),
		clear:  first + int64(c.Deadline+c.Margin+c.Lease+c.Margin),
		events: make(chan func()), over: make(chan struct{}),
		heard: map[string]bool{}, renewed: began,
		peers: map[*peer]struct{}{}, ghosts: map[who]ghost{}, dead: map[string]corpse{},
	}
	r.ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if t := n.spare.release(); t != nil {
		r.stream.take(t, n.cfg.Clock.Index())
		r.primary = t.run()
		r.seen = onDisk(r.stream.to)
	}
	n.mu.Lock()
	if n.reign != nil {
		n.reign.cancel() // of a row that was not renewed in time, which it may not have heard
	}
	n.reign = r
	n.counts.Takeovers++
	n.mu.Unlock()
	n.wait.Go(r.run)
}

func (r *reign) run() {
	defer close(r.over)
	defer r.fall()
	r.beside.Go(r.renew)
	r.beside.Go(r.callRoll)
	if r.log == nil {
		r.open()
	}
	r.look()
	tick := time.NewTicker(r.n.cfg.Tick)
	defer tick.Stop()
	for {
		var changed <-chan struct{}
		if r.log != nil {
			changed = r.log.changed
		}
		select {
		case <-r.ctx.Done():
			return
		case f := <-r.events:
			f()
		case <-changed:
			r.read()
		case <-tick.C:
			r.tick()
		}
	}
}

// fall ends all that the reign has begun.
func (r *reign) fall() {
	r.n.mu.Lock()
	if r.n.reign == r {
		r.n.reign = nil
	}
	r.n.mu.Unlock()
	r.cancel()
	for p := range r.peers {
		p.out.stop()
	}
	r.beside.Wait()
	if r.log != nil {
		r.log.close()
	}
}

// post has f done by the reign's goroutine; false if it is over. (The channel has no
// buffer: what was taken is done.)
func (r *reign) post(f func()) bool {
	select {
	case r.events <- f:
		return true
	case <-r.ctx.Done():
		return false
	}
}

// rest has the reign issue nothing any more.
func (r *reign) rest() {
	done := make(chan struct{})
	r.post(func() { r.resting = true; close(done) })
	select {
	case <-done:
	case <-r.over:
	}
}

// end ends the reign.
func (r *reign) end() {
	r.cancel()
	<-r.over
}

// depose ends the reign from within.
func (r *reign) depose(why string) {
	if r.ctx.Err() == nil {
		r.n.log.Info("this server reads the log for the others no more", "term", r.row.Term, "why", why)
	}
	r.cancel()
}

// renew renews the row.
func (r *reign) renew() {
	n := r.n
	for n.pause(r.ctx, n.cfg.Renew) {
		began := n.now()
		limit, cancel := n.ask(r.ctx)
		ok, err := n.cfg.Registry.RenewTailer(limit, r.row)
		cancel()
		if err == nil && !ok {
			r.depose("another one does")
			return
		}
		if err != nil {
			n.note("the tailer's row cannot be renewed: " + err.Error())
			continue
		}
		if !r.post(func() { r.renewed = began }) {
			return
		}
	}
}

// lawful tells whether what was made up before now may be issued.
func (r *reign) lawful(now int64) bool {
	return !r.resting && r.stale == "" && r.renewed >= r.since && now-r.renewed <= int64(r.n.cfg.Deadline)
}

// alone tells whether nobody listens to the tailer before.
func (r *reign) alone() bool { return r.waited != nil && len(r.waited) == 0 }

func (r *reign) mayGrant(now int64) bool  { return r.alone() || now >= r.quiet }
func (r *reign) maySettle(now int64) bool { return r.alone() || now >= r.clear }

// tick does what time asks for.
func (r *reign) tick() {
	now := r.n.now()
	r.expire(now)
	r.appoint(now)
	r.look()
	r.settle()
	r.probe(now)
	if now-r.last >= int64(r.n.cfg.Tick)/2 {
		r.send(nil, r.to)
	}
	if r.log != nil {
		r.log.forget(r.safe)
	}
}

// settle raises S: to what every member that counts knows, and the primary shows. It
// is told at once if it passes a commit, which somebody may wait for.
func (r *reign) settle() {
	if !r.begun || !r.maySettle(r.n.now()) {
		return
	}
	s := r.visible
	if mutant.SafeWithoutC {
		s = r.to
	}
	for p := range r.peers {
		if p.counted {
			s = min(s, p.knows())
		}
	}
	for _, g := range r.ghosts {
		s = min(s, g.knows)
	}
	if s > r.safe {
		r.safe = s
		if r.pass() {
			r.send(nil, r.to)
		}
	}
}

// send sends a piece of the stream to all: what was read beyond r.sent, up to to.
func (r *reign) send(entries []changes.Entry, to position.N) {
	if r.log == nil {
		// There is no stream. A batch of none says that there still is a tailer.
		for p := range r.peers {
			p.out.send(p.format, batch{Term: r.row.Term})
		}
		r.last = r.n.now()
		return
	}
	m := batch{Term: r.row.Term, From: r.sent, To: max(to, r.sent), Safe: r.safe, Entries: entries}
	// Not before here: between this look and what is issued nothing is decided.
	now := r.n.now()
	lawful := r.lawful(now)
	if !lawful {
		m.Safe = 0
	}
	body := m.appendBody(nil)
	for p := range r.peers {
		if p.started != r.number {
			continue
		}
		head := batchHead{Number: r.number, Boot: p.bootNumber, Standby: p == r.standby}
		if lawful && p.counted && p.echo != 0 {
			head.Echo, head.Probe = p.echo, p.probe
			p.echo = 0
			p.until = now + int64(r.n.cfg.Lease+r.n.cfg.Margin)
		}
		p.out.put(letter{head: appendBatchHead(p.format, head, len(body)), body: body})
	}
	r.sent, r.last = m.To, now
}
