package model

// epoch is what positions are of, as servers know it.
type epoch struct{ incarnation, timeline int }

// before tells whether e is an earlier one.
func (e epoch) before(o epoch) bool {
	return e.incarnation < o.incarnation || e.incarnation == o.incarnation && e.timeline < o.timeline
}

// index is one server's knowledge of the log.
type index struct {
	epoch epoch
	at    [records]int // X
	base  int
	front int // F
	safe  int // S
	until float64
	had   bool    // a lease, at some time
	later []grant // leases that begin when F has come so far
}

type grant struct {
	probe int
	until float64
}

// covers is the last change of what q depends on.
func (x *index) covers(q query) int {
	n := x.base
	from, to := q.tags()
	for i := from; i < to; i++ {
		n = max(n, x.at[i])
	}
	return n
}

// server is one web server; process is one life of it.
type server struct {
	w      *world
	id     int
	rate   float64
	offset float64
	frozen bool
	*process
}

func (s *server) clock() float64 { return s.offset + s.w.now*s.rate }
func (s *server) runs() bool     { return !s.frozen && !s.process.dead }

type process struct {
	server *server
	boot   int
	dead   bool

	primary  *node   // as far as is known
	life     int     // the connection to it is to this life
	met      float64 // when it was last seen
	row      *commit // the tailer's, as last read
	since    float64 // for how long it has been so
	joined   *commit // its own row, under way or there
	joinedAt *node

	index   *index
	term    int
	termOf  epoch // terms are counted in an epoch: a failover can lose one
	tailers *server
	conn    *conn
	sent    float64 // the last ACK
	claimed int     // mutant AckBeforeApply

	kept    [records + 1][viewers]*fact
	flights map[query]*flight
	shown   token // how far answers went beyond S
	blind   int   // and up to where nobody knows what they were of

	tailer  *tailer
	standby *reader
	taking  *taking
}

func (s *server) start() {
	boot := 1
	if s.process != nil {
		boot = s.process.boot + 1
		s.offset += (s.w.r.Float64() - 0.5) * 20 * lease // clocks begin anew
	}
	s.process = &process{server: s, boot: boot, flights: map[query]*flight{}, met: s.clock(), since: s.clock()}
}

// end is a crash, or a stop: connections are closed.
func (s *server) end() {
	p := s.process
	p.dead = true
	p.index = nil
	if p.conn != nil {
		p.conn.closed = true
	}
	if p.tailer != nil {
		p.tailer.end()
	}
}

// leased tells whether the index may be taken for the newest.
func (s *server) leased(x *index) bool {
	return x != nil && (s.clock() < x.until || s.w.is(NoLease) && x.had)
}

// degraded tells whether reads go on without a lease: there has been no primary for long.
func (s *server) degraded() bool { return s.clock()-s.met > lonely }

func (s *server) reaches(d *node) bool { return d.answers() && !s.w.cut[s.id][servers+s.w.indexOf(d)] }

func (w *world) indexOf(d *node) int {
	for i := range w.nodes {
		if w.nodes[i] == d {
			return i
		}
	}
	panic("model: no such node")
}

// step does some of what a server has to do.
func (s *server) step() {
	switch s.w.r.Intn(6) {
	case 0:
		s.watch()
	case 1:
		s.member()
	default:
		for range 1 + s.w.r.Intn(3) {
			s.pump()
		}
		for range 1 + s.w.r.Intn(6) {
			if s.tailer != nil {
				s.tailer.step()
			}
		}
	}
	if s.taking != nil {
		s.take()
	}
	if s.standby != nil {
		s.standby.step()
	}
}

// watch looks for the primary.
func (s *server) watch() {
	d := s.w.nodes[s.w.r.Intn(3)]
	if s.w.r.Intn(2) == 0 && s.primary != nil {
		d = s.primary
	}
	if !s.reaches(d) || !d.primary {
		return
	}
	if s.primary == nil || d.line.timeline > s.primary.line.timeline || d == s.primary {
		if s.primary != d || s.life != d.life {
			s.primary, s.life = d, d.life
		}
		s.met = s.clock()
	}
}

// member keeps the server's row, looks at the tailer's and connects to it.
func (s *server) member() {
	d := s.primary
	if d == nil || !s.reaches(d) || !d.primary {
		return
	}
	v := d.view()
	mine := v[memberRows+s.id]
	switch {
	case mine != nil && mine.boot == s.boot:
		s.joined = mine
	case s.joined == nil || s.joinedAt != d || s.joined.shown || !d.line.has(s.joined):
		if !d.locked(memberRows + s.id) {
			s.joined, s.joinedAt = d.commit(commit{row: memberRows + s.id, boot: s.boot}), d
		}
		return
	default:
		return // its commit is waited for
	}
	if row := v[tailerRow]; row != s.row {
		s.row, s.since = row, s.clock()
	}
	s.connect()
	if s.tailer == nil && s.taking == nil && s.vacant() {
		s.taking = &taking{node: d, life: d.life, from: s.row, first: s.since}
	}
	if s.standby == nil && s.tailer == nil && (s.id+s.boot)%2 == 0 && s.w.r.Intn(8) == 0 {
		s.standby = newReader(d)
	}
}

// vacant tells whether there seems to be no tailer: its row stands still, or nobody is
// there any more. Nothing hangs on it: see reign.
func (s *server) vacant() bool {
	if s.row == nil || s.clock()-s.since > 2*renewal {
		return true
	}
	to := s.w.sv[s.row.holder]
	gone := to.tailer == nil || to.tailer.term != s.row.term
	return gone && !to.frozen && !s.w.cut[s.id][to.id] && s.w.r.Intn(4) == 0
}

// connect says HELLO to the tailer of the row.
func (s *server) connect() {
	if s.row == nil {
		return
	}
	to := s.w.sv[s.row.holder]
	if s.conn != nil && !s.conn.closed && s.conn.to.server == to && s.conn.to.term == s.row.term {
		return
	}
	t := to.tailer
	if t == nil || t.ended || to.frozen || t.term != s.row.term || s.w.cut[s.id][to.id] {
		return
	}
	if s.conn != nil {
		s.conn.closed = true
	}
	c := &conn{from: s.process, to: t}
	s.conn, s.term = c, t.term
	hello := message{kind: hello, boot: s.boot}
	if x := s.index; x != nil {
		hello.epoch, hello.front, hello.known, hello.at, hello.base = x.epoch, x.front, true, x.at, x.base
		s.claimed = x.front
	}
	c.up = append(c.up, hello)
}

// pump takes the next frame of the tailer, and says how far it is.
func (s *server) pump() {
	c := s.conn
	if c == nil {
		return
	}
	if s.w.cut[s.id][c.to.server.id] || c.to.ended {
		c.closed = true // what is under way arrives all the same, or not
	}
	if len(c.down) > 0 {
		m := c.down[0]
		c.down = c.down[1:]
		if x := s.index; s.w.is(AckBeforeApply) && m.kind == batch && x != nil && m.epoch == x.epoch && m.to > x.front && s.w.r.Intn(4) > 0 {
			s.claimed = max(s.claimed, m.to)
			s.ack(c)
			c.down = append([]message{m}, c.down...)
			return
		}
		s.frame(m)
		s.ack(c)
	} else if c.closed {
		s.conn = nil
	} else if s.clock()-s.sent > lease/10 {
		s.ack(c)
	}
}

func (s *server) ack(c *conn) {
	x := s.index
	if x == nil || c.closed {
		return
	}
	s.sent = s.clock()
	front := x.front
	if s.w.is(AckBeforeApply) {
		front = max(front, s.claimed)
	}
	c.up = append(c.up, message{kind: ack, boot: s.boot, epoch: x.epoch, front: front, clock: s.sent})
}

// frame is one of the tailer's.
func (s *server) frame(m message) {
	x := s.index
	switch m.kind {
	case whole:
		if x != nil {
			s.note(token{x.epoch, x.safe}, x.safe, x)
		}
		s.index = &index{epoch: m.epoch, at: m.at, base: m.base, front: m.to, safe: min(m.safe, m.to), until: -1e9}
		s.claimed = 0
	case batch:
		if x == nil || x.epoch != m.epoch {
			return
		}
		if m.from > x.front && !s.w.is(GapIgnored) {
			s.conn.closed = true
			return
		}
		for _, e := range m.entries {
			if e.row < records {
				x.at[e.row] = max(x.at[e.row], e.n)
			}
		}
		x.front = max(x.front, m.to)
		x.safe = max(x.safe, m.safe)
		if m.echoes {
			x.later = append(x.later, grant{m.probe, m.echo + lease})
		}
		x.grant(s.w.is(NoProbe))
		s.w.say("server %d: F %d S %d, lease for %.1f", s.id, x.front, x.safe, x.until-s.clock())
	}
}

// show notes an answer by x that goes as far as t, beyond S: the next without a lease must
// not be older.
func (s *server) show(t token, blind int, x *index) {
	if x != nil && !x.shows(t) && !s.w.is(BeyondForgotten) {
		s.note(t, blind, x)
	}
}

// showWrite is show for a write that is answered when its time is up.
func (s *server) showWrite(t token, row int, x *index) {
	if x == nil || t.epoch != x.epoch {
		s.show(t, t.n, x)
		return
	}
	x.at[row] = max(x.at[row], t.n)
	s.show(t, 0, x)
}

func (s *server) note(t token, blind int, x *index) {
	if !x.shows(s.shown) {
		t.n, blind = max(t.n, s.shown.n), max(blind, s.blind)
		if t.epoch.before(s.shown.epoch) {
			t.epoch = s.shown.epoch
		}
	}
	s.shown, s.blind = t, blind
}

// shows tells whether S is enough for that. What is left of another epoch lies before what x
// began with, which its S has reached if it had a lease.
func (x *index) shows(t token) bool {
	return t.epoch == x.epoch && x.safe >= t.n || t.epoch.before(x.epoch) && x.had
}

// never is a position that no server knows.
const never = 1 << 30

// beyond is how far answers went, as far as S does not say so, and up to where nobody knows
// what they were of.
func (s *server) beyond(x *index) (n, blind int) {
	switch {
	case x.shows(s.shown):
		return 0, 0
	case x.epoch.before(s.shown.epoch): // that was of a primary which x is not of
		return never, never
	}
	return s.shown.n, s.blind
}

// grant begins the leases that F has come far enough for.
func (x *index) grant(anyway bool) {
	rest := x.later[:0]
	for _, g := range x.later {
		if x.front >= g.probe || anyway {
			x.until, x.had = max(x.until, g.until), true
		} else {
			rest = append(rest, g)
		}
	}
	x.later = rest
}
