package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
)

// session is a member's connection to a tailer: it says HELLO, is told where the
// stream begins for it, applies batches and says how far it is.
type session struct {
	n   *Node
	row Tailer
	out *outbox

	term    uint64
	format  atomic.Uint32   // that the tailer talks; 0: it has not answered yet
	number  uint64          // of the snapshot that the stream now is of; 0: none yet
	loading *position.Index // filled by positions that follow a snapshot
	loaded  int
	sent    int64 // when the last ack was sent
	grants  []grant
}

// grant is a lease that begins once F has reached probe.
type grant struct {
	probe position.N
	until int64
}

var (
	errVacant = errors.New("there is no tailer any more")
	errMoved  = errors.New("another server is the tailer")
	errGap    = errors.New("a piece of the stream is missing")
	errOld    = errors.New("it has an old term")
	errAgain  = errors.New("this server has to register again")
)

// session follows the tailer on c until that, the tailer's time or ctx ends.
func (n *Node) session(ctx context.Context, c net.Conn, row Tailer) error {
	s := &session{n: n, row: row, out: newOutbox(c)}
	ctx, cancel := context.WithCancel(ctx)
	type frame struct {
		format uint8
		message
		err error
	}
	frames := make(chan frame, 16)
	ended := make(chan struct{}, 3)
	go func() {
		defer func() { ended <- struct{}{} }()
		for {
			_ = c.SetReadDeadline(time.Now().Add(n.cfg.silence()))
			format, m, err := readFrame(c)
			select {
			case frames <- frame{format, m, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	go func() {
		defer func() { ended <- struct{}{} }()
		_ = s.out.run()
	}()
	go func() {
		defer func() { ended <- struct{}{} }()
		s.breathe(ctx)
	}()
	defer func() {
		cancel()
		s.out.stop()
		<-ended
		<-ended
		<-ended
	}()

	s.out.send(formatOldest, s.hello())
	looks := time.NewTicker(n.shortly())
	defer looks.Stop()
	looked := make(chan error, 1)
	looking := false
	defer func() {
		if looking {
			<-looked // it bounds itself
		}
	}()
	for {
		var wants <-chan struct{}
		if x := n.f.index; x != nil {
			wants = x.Wants()
		}
		select {
		case f := <-frames:
			if f.err != nil {
				return f.err
			}
			s.format.Store(uint32(f.format))
			if err := s.take(ctx, f.message); err != nil {
				return err
			}
		case <-wants:
			s.wantMore()
		case <-n.again:
			return errAgain
		case <-looks.C:
			if !looking && s.doubtful() {
				looking = true
				go func() { _, err := n.look(ctx); looked <- err }()
			}
		case err := <-looked:
			looking = false
			switch {
			case err != nil:
			case n.watch.row.Term != row.Term || n.watch.row.Holder != row.Holder:
				return errMoved
			case row.Holder != n.cfg.Self.ID && n.vacant():
				return errVacant
			}
		case <-ctx.Done():
			// What was in force here is no more, before the others are told so.
			n.forsake()
			s.leave(c)
			return ctx.Err()
		}
	}
}

// say sends a message in the tailer's format, once that is known.
func (s *session) say(m message) {
	if f := s.format.Load(); f != 0 {
		s.out.send(uint8(f), m)
	}
}

// breathe says now and then that this server is there, as long as the connection lasts:
// it may be busy with something for longer than a connection may be silent, above all
// when it joins, which would be in vain then, again and again. Nothing hangs on it: an
// ack of no stream counts for nothing.
func (s *session) breathe(ctx context.Context) {
	for s.n.pause(ctx, s.n.cfg.silence()/4) {
		s.say(ack{})
	}
}

// leave says LEAVE and waits, for a moment, until it was sent.
func (s *session) leave(c net.Conn) {
	s.say(leave{})
	s.out.finish()
	_ = c.SetReadDeadline(time.Now().Add(s.n.cfg.Renew))
	var b [1 << 10]byte
	for {
		if _, err := c.Read(b[:]); err != nil {
			return
		}
	}
}

// doubtful tells whether to look whether the tailer still is the tailer: when it has
// not been heard of for a while. Whoever is ready to take its place looks always.
func (s *session) doubtful() bool {
	return s.n.spare.ready() || time.Duration(s.n.now()-s.n.f.late.Load()) > 3*s.n.shortly()
}

func (s *session) hello() hello {
	n := s.n
	h := hello{
		Oldest: formatOldest, Newest: formatNewest,
		ID: n.cfg.Self.ID, Boot: n.cfg.Self.Boot, Term: n.f.known.Load(),
	}
	if x := n.f.index; x != nil {
		h.Epoch, h.Instance, h.Base, h.Frontier, h.Leased = x.Epoch(), x.Instance(), x.Base(), x.Frontier(), x.Leased()
	}
	return h
}

func (s *session) take(ctx context.Context, m message) error {
	switch m := m.(type) {
	case snapshot:
		return s.begin(ctx, m)
	case positions:
		return s.load(ctx, m)
	case batch:
		return s.batch(ctx, m)
	case refusal:
		return fmt.Errorf("it says: %s", m.Reason)
	}
	return fmt.Errorf("a message of kind %d that is not for members", m.kind())
}

// begin takes a snapshot.
func (s *session) begin(ctx context.Context, m snapshot) error {
	f := &s.n.f
	if m.Term < f.known.Load() || m.Term < s.term {
		return errOld
	}
	f.known.Store(m.Term)
	s.term, s.number, s.grants = m.Term, m.Number, nil
	f.tailer.Store(&Tailer{Term: m.Term, Holder: s.row.Holder})
	if s.row.Holder != s.n.cfg.Self.ID {
		s.n.turns.Store(0) // one way is open: see shun
	}
	if m.Resume {
		if f.index == nil || f.index.Epoch() != m.Epoch {
			return errGap
		}
		s.n.log.Info("a tailer is followed from where this server was", "tailer", s.row.Holder, "term", m.Term, "format", s.format.Load(), "at", f.index.Frontier().LSN())
		s.n.count(func(c *Counts) { c.Resumed++ })
		s.ack(0)
		return nil
	}
	if m.Slots == 0 {
		return errors.New("a snapshot of no slots")
	}
	x := position.NewStreamIndex(m.Epoch, m.Base, int(m.Slots))
	x.SetOrigin(m.Origin)
	x.SetInstance(m.Instance)
	x.Advance(m.At)
	s.loading, s.loaded = x, 0
	if !m.Full {
		return s.start(ctx)
	}
	return nil
}

// load takes a piece of X.
func (s *session) load(ctx context.Context, m positions) error {
	if s.loading == nil || int(m.From) != s.loaded || s.loaded+len(m.List) > s.loading.Slots() || len(m.List) == 0 {
		return errGap
	}
	s.loading.Load(int(m.From), m.List)
	s.loaded += len(m.List)
	if s.loaded < s.loading.Slots() {
		return nil
	}
	return s.start(ctx)
}

// start puts the index that was loaded in force. From here on nothing is believed
// any more that the one before had a lease for, and the ack says so.
func (s *session) start(ctx context.Context) error {
	n := s.n
	x := s.loading
	s.loading = nil
	old := n.cfg.Clock.Index()
	again := old.Epoch() == x.Epoch() && old.Instance() == x.Instance()
	if old.Epoch() == x.Epoch() && !again {
		// The primary was started again, and may be a copy that lacks some of what the
		// index before knew of: what is cached by that one is judged by no other.
		x.Distrust(old.Frontier() + 1)
	}
	missed := missing(x.Frontier())
	if err := n.cfg.Apply(ctx, []changes.Entry{missed}); err != nil {
		return fmt.Errorf("the stream cannot be followed from %s: %w", x.Frontier().LSN(), err)
	}
	n.log.Info("a tailer is followed from a snapshot", "tailer", s.row.Holder, "term", s.term, "format", s.format.Load(), "at", x.Frontier().LSN(), "base", x.Base().LSN())
	n.count(func(c *Counts) { c.Joins++ })
	n.f.index, n.f.safe, n.f.pending, n.f.since, n.f.unseen = x, 0, nil, n.now(), x.Frontier()
	missed.Gap = !again || x.Frontier() > n.f.told
	if n.f.epoch != x.Epoch() {
		n.f.epoch, n.f.told = x.Epoch(), 0
	}
	n.f.told = max(n.f.told, x.Frontier())
	n.cfg.Clock.Replace(x)
	n.cfg.Deliver(x.Run(), missed)
	s.ack(0)
	return nil
}

// missing stands for all that a server has missed up to n.
func missing(n position.N) changes.Entry {
	return changes.Entry{N: n, All: true, Catalog: true, Unlisted: true}
}
