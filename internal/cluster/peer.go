package cluster

import (
	"encoding/binary"
	"net"
	"time"

	"github.com/pandobase/pando/internal/mutant"
	"github.com/pandobase/pando/internal/position"
)

// peer is a member's connection to the tailer.
//
// A member counts (its F holds S back) while it may have a lease. One that joins does
// not, until its ack has reached S, or what had been sent lag ago at most: nobody waits for
// one that is slow to join, but S goes on with those who are nearer, and an ack from afar
// may never reach it. A member is given leases only from then on, by probes that are asked
// since: they are beyond S, and so is F when it has the lease. One that counts and is late
// is given none, until it has caught up; L + margin after the last echo was sent to it,
// it counts no more.
type peer struct {
	who
	out        *outbox
	format     uint8
	bootNumber uint64
	address    string

	started uint64     // the number of the stream that it was sent the beginning of
	acked   bool       // it has said that it is there
	f       position.N // F, if so

	counted bool
	until   int64 // it may have a lease until then

	t       int64 // its clock, when it sent the last ack
	probing int64 // t of before the probe that is under way
	echo    int64 // t that may be echoed with probe
	probe   position.N

	mark   position.N // it has to have come here
	marked int64      // since then
}

// who is a process of a member.
type who struct{ id, boot string }

// ghost is a member that went without LEAVE: it may have a lease for a while.
type ghost struct {
	knows position.N
	until int64
}

// knows is what may be taken for known to it.
func (p *peer) knows() position.N {
	if !p.acked {
		return 0
	}
	return p.f
}

// late tells whether it has not yet got where it should have got a while ago.
func (p *peer) late(now, lag int64) bool { return p.f < p.mark && now-p.marked > lag }

// serve is a connection's life.
func (r *reign) serve(c net.Conn, h hello, format uint8) {
	p := &peer{who: who{h.ID, h.Boot}, out: newOutbox(c), format: format, bootNumber: bootNumber(h.Boot)}
	if h.ID == r.n.cfg.Self.ID {
		p.out.wait(4*r.n.cfg.KeepBytes, outboxTime) // in our own memory
	}
	if a := c.RemoteAddr(); a != nil {
		p.address = a.String()
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_ = p.out.run()
	}()
	defer func() {
		p.out.stop()
		<-sent
	}()
	if !r.post(func() { r.join(p, h) }) {
		return
	}
	for {
		_ = c.SetReadDeadline(time.Now().Add(r.n.cfg.silence()))
		_, m, err := readFrame(c)
		if err != nil {
			break
		}
		switch m := m.(type) {
		case ack:
			if !r.post(func() { r.heed(p, m) }) {
				return
			}
			continue
		case leave:
			r.post(func() { r.part(p) })
		default:
			r.n.log.Warn("a member says what is not for the tailer", "server", p.id, "kind", m.kind())
		}
		break
	}
	r.post(func() { r.drop(p) })
}

// join takes in a member that has said HELLO.
func (r *reign) join(p *peer, h hello) {
	now := r.n.now()
	if h.Term > r.row.Term {
		// A restored database has forgotten terms: ours has to be above all that were.
		r.raise(h.Term)
		return
	}
	for old := range r.peers {
		if old.who == p.who {
			r.drop(old)
			old.out.stop()
		}
	}
	r.heard[p.id] = true
	delete(r.waited, p.id)
	g := r.ghosts[p.who]
	delete(r.ghosts, p.who)
	if h.Leased {
		g.until = max(g.until, now+int64(r.n.cfg.Lease+r.n.cfg.Margin))
	}
	// A HELLO that was long under way does not know of leases that were given since.
	p.counted, p.until = g.until >= now, g.until
	r.peers[p] = struct{}{}
	if r.log == nil {
		return // opened begins
	}
	if h.Epoch == r.log.epoch {
		r.seen = max(r.seen, onDisk(h.Frontier))
		// What is too much to be queued would cut it off, again and again: it takes our
		// index instead. Our own follower has no other to take, and loses it to nobody.
		own := p.id == r.n.cfg.Self.ID
		if h.Frontier > 0 && h.Instance == r.log.instance && (r.log.covers(h.Frontier) || mutant.GapIgnored) && (own || r.log.space(h.Frontier) <= maxBatch) {
			r.resume(p, h)
			return
		}
	}
	r.begin(p)
}

// resume goes on where the member is. It counts with that from now on.
func (r *reign) resume(p *peer, h hello) {
	p.started, p.acked, p.f = r.number, true, h.Frontier
	p.mark, p.marked = r.sent, r.n.now()
	p.out.send(p.format, snapshot{Term: r.row.Term, Number: r.number, Epoch: r.log.epoch, Base: h.Base, At: h.Frontier, Resume: true})
	r.catchUp(p, h.Frontier)
}

// begin gives a member a new index: ours, if it is of this stream, or an empty one.
// If it counts, that is for a lease that ends with its first ack of the new one.
func (r *reign) begin(p *peer) {
	p.started, p.acked, p.f = r.number, false, 0
	p.t, p.probing, p.echo = 0, 0, 0
	p.mark, p.marked = r.sent, r.n.now()
	s := snapshot{
		Term: r.row.Term, Number: r.number, Epoch: r.log.epoch,
		Base: r.sent, At: r.sent, Slots: uint32(r.n.cfg.Slots), Origin: r.origin, Instance: r.log.instance,
	}
	// F before X: the index goes on meanwhile.
	x := r.n.cfg.Clock.Index()
	if at := x.Frontier(); p.id != r.n.cfg.Self.ID && r.log.made(x) && at > 0 && r.log.covers(at) {
		s.Base, s.At, s.Slots, s.Full, s.Origin = x.Base(), at, uint32(x.Slots()), true, x.Origin()
		// Until it counts. It reads all collections when it has the index, and what comes
		// meanwhile waits: to be cut off would have it begin again with all of that.
		p.out.wait(4*r.n.cfg.KeepBytes, joinTime)
		p.out.put(letter{head: appendFrame(nil, p.format, s), index: x, format: p.format})
	} else {
		p.out.send(p.format, s)
	}
	r.catchUp(p, s.At)
}

// catchUp sends a member what the others have been sent beyond at.
func (r *reign) catchUp(p *peer, at position.N) {
	if at >= r.sent {
		return
	}
	entries, _, _, _ := r.log.after(at)
	for len(entries) > 0 && entries[len(entries)-1].N > r.sent {
		entries = entries[:len(entries)-1]
	}
	for {
		n, size := 0, 0
		for n < len(entries) && size < maxBatch {
			size += entrySpace(&entries[n])
			n++
		}
		to := r.sent
		if n < len(entries) {
			to = entries[n-1].N
		}
		m := batch{batchHead: batchHead{Number: r.number, Boot: p.bootNumber}, Term: r.row.Term, From: at, To: to, Entries: entries[:n]}
		p.out.send(p.format, m)
		if entries, at = entries[n:], to; len(entries) == 0 {
			return
		}
	}
}

// heed takes an ack.
func (r *reign) heed(p *peer, a ack) {
	if _, ok := r.peers[p]; !ok || r.log == nil || a.Number != r.number || a.Term != r.row.Term {
		return
	}
	now := r.n.now()
	if !p.acked {
		// It has a new index, and no lease for the one before.
		p.acked, p.counted = true, false
	}
	p.f, p.t = max(p.f, a.Frontier), a.T
	lag, came := r.n.cfg.lag(), false
	if p.f >= p.mark {
		came = now-p.marked <= lag
		p.mark, p.marked = r.sent, now
	}
	if !p.counted && (came || p.f >= r.safe && !p.late(now, lag)) {
		p.counted = true
		if p.id != r.n.cfg.Self.ID {
			p.out.wait(outboxBytes, outboxTime)
		}
		p.until = now + int64(r.n.cfg.Lease+r.n.cfg.Margin)
		p.probing, p.echo = 0, 0
	}
	if a.Want > 0 {
		r.wants(a.Want)
	}
	r.settle()
}

// part takes out a member that has no lease any more, by its own word.
func (r *reign) part(p *peer) {
	p.counted = false
	delete(r.ghosts, p.who)
	r.drop(p)
	r.settle()
}

// drop takes out a connection. What its member may have, it may have for a while.
func (r *reign) drop(p *peer) {
	if _, ok := r.peers[p]; !ok {
		return
	}
	delete(r.peers, p)
	if r.standby == p {
		r.standby = nil
	}
	if p.counted {
		r.ghosts[p.who] = ghost{knows: p.knows(), until: p.until}
	}
}

// expire counts out who has no lease any more.
func (r *reign) expire(now int64) {
	for p := range r.peers {
		if p.counted && now > p.until {
			p.counted, p.echo = false, 0
			if !r.lawful(now) {
				continue // nobody is given a lease, however soon he answers
			}
			r.n.count(func(c *Counts) { c.Dropped++ })
			r.n.log.Warn("a member is late, and not waited for any more", "server", p.id, "at", p.f.LSN(), "of", r.sent.LSN())
		}
	}
	for id, g := range r.ghosts {
		if now > g.until {
			delete(r.ghosts, id)
		}
	}
}

// appoint chooses who is to be ready to be the next tailer. While nobody is given a
// lease whoever it is stays it: it is needed most when that is over.
func (r *reign) appoint(now int64) {
	if r.standby != nil && (r.standby.counted || !r.lawful(now)) {
		return
	}
	r.standby = nil
	for p := range r.peers {
		if p.counted && p.id != r.n.cfg.Self.ID && (r.standby == nil || p.id < r.standby.id) {
			r.standby = p
		}
	}
}

// appendBatchHead is the frame of a batch whose body of size bytes is sent behind it.
func appendBatchHead(format uint8, h batchHead, size int) []byte {
	b := h.append(appendHead(make([]byte, 0, 48), format, kindBatch))
	binary.BigEndian.PutUint32(b, uint32(len(b)-4+size))
	return b
}
