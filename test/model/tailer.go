package model

type kind int

const (
	hello kind = iota
	ack
	whole // SNAPSHOT
	batch
)

// message is a frame, in either direction.
type message struct {
	kind  kind
	boot  int
	epoch epoch

	known       bool // HELLO: it has an index
	front       int
	clock       float64 // ACK: when it was sent, by the sender's clock
	at          [records]int
	base        int
	from, to    int
	entries     []entry
	safe, probe int
	echoes      bool
	echo        float64
}

// conn is a connection of a member to a tailer.
type conn struct {
	from     *process
	to       *tailer
	up, down []message
	closed   bool
	met      bool // the tailer has seen it
}

// reader reads the log of one primary on one connection.
type reader struct {
	node    *node
	life    int
	line    *line
	start   int // all beyond has been read
	to      int
	running []*commit // of before the start, and perhaps not shown yet
}

func newReader(d *node) *reader {
	n := len(d.log)
	return &reader{node: d, life: d.life, line: d.line, start: n, to: n, running: append([]*commit{}, d.hidden...)}
}

func (r *reader) lost() bool {
	return r.node.life != r.life || !r.node.primary || r.node.line != r.line
}

func (r *reader) step() {
	if !r.lost() && r.node.answers() && r.to < len(r.node.log) {
		r.to++
	}
}

// tailer reads the log for all members.
type tailer struct {
	server *server
	own    *process
	term   int
	epoch  epoch
	log    *reader
	keeps  int // entries beyond are kept
	at     [records]int
	base   int
	did    int // at holds everything up to here
	ended  bool

	members map[int]*peer
	safe    int
	c       int
	waiting bool              // no S yet
	awaits  map[int]bool      // whose HELLO
	until   float64           // ... or until then
	quiet   float64           // and no echo before this
	foreign map[*process]bool // who may have a lease of another epoch
	fresh   int               // joins begin when the log has come so far; 0: not known
	renewed float64           // when the last renewal that succeeded was begun
	renewal *commit
	begun   float64
	probe   int
	draft   *draft
}

// peer is what a tailer knows of a member.
type peer struct {
	conn    *conn
	counted bool
	front   int
	clock   float64 // of its last ACK
	has     bool
	echo    float64 // what may be echoed: the probe was taken after it came
	echoes  bool
	last    float64 // when it was last given an echo
	sent    int
}

// draft is a frame that is about to be sent.
type draft struct {
	to    int
	m     message
	valid bool
}

func (t *tailer) end() {
	t.ended = true
	t.server.w.say("server %d reigns no more, term %d", t.server.id, t.term)
	for _, p := range t.members {
		p.conn.closed = true
	}
	if t.own.tailer == t {
		t.own.tailer = nil
	}
}

func (t *tailer) step() {
	if t.log.lost() {
		t.end() // and perhaps it takes the row again
		return
	}
	w := t.server.w
	reachable := t.server.reaches(t.log.node)
	switch w.r.Intn(9) {
	case 0, 1:
		if reachable {
			t.read()
		}
	case 2:
		if reachable {
			t.look()
		}
	case 3:
		if reachable {
			t.sample()
		}
	case 4:
		if reachable {
			t.renew()
		}
	case 5, 6:
		t.hear()
	case 7, 8:
		t.send()
	}
}

// read takes more of the log.
func (t *tailer) read() {
	if w := t.server.w; t.log.to < len(t.log.node.log) {
		t.log.to += 1 + w.r.Intn(len(t.log.node.log)-t.log.to)
	}
	for t.did < t.log.to {
		t.did++
		if e := t.log.node.log[t.did-1]; e.row < records {
			t.at[e.row] = e.n
		}
	}
	t.keeps = max(t.keeps, t.log.to-40)
}

// look asks the primary what it shows: C is as far as all of it.
func (t *tailer) look() {
	for _, c := range t.log.running {
		if !c.shown && !t.server.w.is(NoRunningWait) {
			return
		}
	}
	c := t.log.to
	for _, h := range t.log.node.hidden {
		if h.n > t.log.start {
			c = min(c, h.n-1)
		}
	}
	t.c = max(t.c, c)
}

// sample asks the primary how much is on its disk. Whoever's ACK came before may be
// given an echo of it.
func (t *tailer) sample() {
	t.probe = len(t.log.node.log)
	if t.fresh == 0 {
		t.fresh = t.probe
	}
	for _, p := range t.members {
		if p.has {
			p.echo, p.echoes = p.clock, true
		}
	}
}

// renew raises the row's beat, and notes when one that has succeeded was begun.
func (t *tailer) renew() {
	d := t.log.node
	now := d.view()[tailerRow]
	if t.renewal != nil {
		if t.renewal.shown {
			t.renewed, t.renewal = t.begun, nil
		}
		return
	}
	if now != nil && (now.term != t.term || now.holder != t.server.id) {
		t.end() // there is another one
		return
	}
	if t.server.clock()-t.renewed > renewal/4 && now != nil && !d.locked(tailerRow) {
		t.begun = t.server.clock()
		t.renewal = d.commit(commit{row: tailerRow, term: t.term, beat: now.beat + 1, holder: t.server.id})
	}
}

// is tells whether nobody else can be the tailer yet.
func (t *tailer) is() bool { return t.server.clock()-t.renewed <= renewal }

// hear takes a member's next frame, and drops members that have had no echo for long.
func (t *tailer) hear() {
	w := t.server.w
	for id := range servers {
		if p := t.members[id]; p != nil && p.counted && t.server.clock()-p.last > lease+margin {
			p.counted = false
			w.say("server %d drops %d", t.server.id, id)
		}
	}
	s := w.sv[w.r.Intn(servers)]
	c := s.conn
	if c == nil || c.to != t || len(c.up) == 0 {
		return
	}
	for range 1 + w.r.Intn(len(c.up)) {
		m := c.up[0]
		c.up = c.up[1:]
		if m.kind == hello {
			t.welcome(s.id, c, m)
		} else {
			t.acked(s.id, c, m)
		}
	}
}

func (t *tailer) acked(id int, c *conn, m message) {
	w := t.server.w
	p := t.members[id]
	if p == nil || p.conn != c || m.epoch != t.epoch {
		return
	}
	delete(t.foreign, c.from)
	p.front = max(p.front, m.front)
	p.clock, p.has = m.clock, true
	if !p.counted && !t.waiting && (m.front >= t.safe || w.is(JoinUncounted)) {
		p.counted, p.last = true, t.server.clock()
	}
}

// welcome is said to a member who says HELLO.
func (t *tailer) welcome(id int, c *conn, m message) {
	now := t.server.clock()
	old := t.members[id]
	t.server.w.say("hello of %d at %d, term %d, known %v, F %d, epoch %v, waiting %v", id, t.server.id, t.term, m.known, m.front, m.epoch, t.waiting)
	p := &peer{conn: c, sent: t.did}
	if old != nil && t.server.w.is(EchoOfOldBoot) {
		p.clock, p.has, p.echo, p.echoes = old.clock, old.has, old.echo, old.echoes
	}
	t.members[id] = p
	delete(t.awaits, id)
	same := m.known && m.epoch == t.epoch
	switch {
	case same && t.waiting: // it may have a lease of the tailer before
		p.counted, p.front, p.last = true, m.front, now
	case same && old != nil && old.conn.from == c.from && old.counted:
		p.counted, p.front, p.last = true, max(old.front, m.front), old.last
	case m.known && !same && !t.server.w.is(ForeignUncounted):
		t.foreign[c.from] = true
		t.until = max(t.until, now+lease+margin)
		t.waiting = true
	}
	if same && m.front >= t.log.start && m.base < t.base {
		for i := range t.at {
			t.at[i] = max(t.at[i], m.at[i])
		}
		t.base = m.base
	}
	switch {
	case same && m.front >= t.keeps:
		p.sent = min(m.front, t.did)
	case same && t.server.w.is(GapIgnored):
		p.sent = t.keeps
	default:
		p.sent = -1 // a snapshot, when joins have begun
	}
}

// grants tells whether the tailer before gives no leases any more.
func (t *tailer) grants() bool {
	return t.server.clock() >= t.quiet || len(t.awaits) == 0 || t.server.w.is(NoQuiet)
}

// settle raises S.
func (t *tailer) settle() int {
	w := t.server.w
	if t.waiting {
		if now := t.server.clock(); now < t.until && (len(t.awaits) > 0 || len(t.foreign) > 0) && !w.is(NoHelloWait) {
			return 0
		}
		t.waiting = false
		w.say("server %d begins to settle, term %d", t.server.id, t.term)
		clear(t.foreign)
	}
	g := t.did
	for _, p := range t.members {
		if p.counted {
			g = min(g, p.front)
		}
	}
	if !w.is(SafeWithoutC) {
		g = min(g, t.c)
	}
	return max(t.safe, g)
}

// send makes a frame for some member, or sends it. What it says was so at a time when
// nobody else could be the tailer: that is looked at last.
func (t *tailer) send() {
	w := t.server.w
	if d := t.draft; d != nil {
		t.draft = nil
		p := t.members[d.to]
		if p == nil || p.conn.closed {
			return
		}
		valid, lasting := t.is(), t.is()
		if w.is(DBeforeLoad) {
			valid, lasting = d.valid, d.valid
			d.m.echoes, d.m.echo, d.m.safe = p.counted && p.echoes && t.grants(), p.echo, t.settle()
		}
		if w.is(EchoAfterD) {
			valid = true
		}
		if w.is(SafeAfterD) {
			lasting = true
		}
		if !valid {
			d.m.echoes = false
		}
		if !lasting {
			d.m.safe = 0
		}
		if d.m.echoes {
			p.last = t.server.clock()
		}
		t.safe = max(t.safe, d.m.safe)
		p.conn.down = append(p.conn.down, d.m)
		w.say("%d to %d: %d..%d S %d probe %d echo %v %.1f", t.server.id, d.to, d.m.from, d.m.to, d.m.safe, d.m.probe, d.m.echoes, d.m.echo)
		return
	}
	id := w.r.Intn(servers)
	p := t.members[id]
	if p == nil || p.conn.closed {
		return
	}
	if p.sent < 0 {
		if t.fresh > 0 && t.did >= t.fresh {
			p.conn.down = append(p.conn.down, message{kind: whole, epoch: t.epoch, at: t.at, base: t.base, to: t.did})
			p.sent = t.did
		}
		return
	}
	m := message{kind: batch, epoch: t.epoch, from: p.sent, to: t.did, entries: t.log.node.log[p.sent:t.did], probe: t.probe}
	m.safe = t.settle()
	m.echoes, m.echo = (p.counted || w.is(JoinUncounted)) && p.echoes && t.grants(), p.echo
	p.sent = t.did
	t.draft = &draft{to: id, m: m, valid: t.is()}
}
