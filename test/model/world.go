package model

import (
	"math/rand"

	"github.com/pandobase/pando/test/judge"
)

// How long things take, in the unit of time. Clocks run at most drift faster or
// slower, which the margin allows: lease/(1-drift) < (lease+margin)/(1+drift).
const (
	lease    = 200.0
	margin   = 20.0
	renewal  = 160.0 // D: for so long after its last renewal a tailer may be one
	drift    = 0.04
	failover = 165.0 // nobody is promoted sooner after a primary was lost: longer than D
	lonely   = 150.0 // without a primary for so long, reads go on without a lease
	readWait = 500.0
	unit     = 0.5 // of one step, at most
)

// Setup is what one run is held under.
type Setup struct {
	Seed  int64
	Steps int
	Sync  bool // commits wait for a replica
	Calm  bool // no faults
	// Faults are those that there are, many of each; none: whatever comes.
	Faults []Fault
	Mutant Mutant
	Trace  func(format string, args ...any) // may be nil
}

// Result is what came of a run.
type Result struct {
	Violations map[string]int // by kind, that the checker found
	Known      map[string]int // that the oracle knows of
	First      string         // the first violation, at length
	Counts     map[string]int
}

// world is everything there is.
type world struct {
	Setup
	r     *rand.Rand
	sync  bool
	lag   int // one replica step in so many shows something
	shy   int // one primary step in so many does
	now   float64
	nodes [3]*node
	sv    [servers]*server
	lines []*line
	tier  tier
	cut   [servers][servers + 3]bool // from a server to a server, or to a node
	ops   []*op
	who   []*session
	check *checker
	rates rates
	count map[string]int
	found map[string]int // violations, by the checker
	known map[string]int // and by the oracle
	first string         // violation
}

// rates are how often things happen, another mix for each seed.
type rates struct {
	ops, servers, database int
	faults, mends          int // one step in so many is one
	writes                 int // one request in so many is a write
	still                  [servers]int
	fault                  [faults]int
}

// Run holds one run.
func Run(s Setup) Result {
	w := &world{Setup: s, sync: s.Sync, r: rand.New(rand.NewSource(s.Seed)), count: map[string]int{}, found: map[string]int{}, known: map[string]int{}}
	w.check = newChecker(w)
	w.begin()
	for range s.Steps {
		w.now += w.r.Float64() * unit
		w.step()
	}
	w.check.end()
	return Result{Violations: w.found, Known: w.known, First: w.first, Counts: w.count}
}

func (w *world) say(format string, args ...any) {
	if w.Trace != nil {
		w.Trace("%.1f "+format, append([]any{w.now}, args...)...)
	}
}

func (w *world) is(m Mutant) bool { return w.Mutant == m }

func (w *world) begin() {
	first := &line{timeline: 1}
	w.lines = append(w.lines, first)
	for i := range w.nodes {
		w.nodes[i] = &node{line: first, upstream: w.nodes[0]}
	}
	w.nodes[0].primary = true
	for i := range w.sv {
		w.sv[i] = &server{w: w, id: i, rate: 1 + (2*w.r.Float64()-1)*drift}
		w.sv[i].start()
	}
	for i := range 6 {
		w.who = append(w.who, &session{keeps: i%3 == 0, viewer: i % viewers, shown: judge.NewSession(records)})
	}
	w.check.oracle.line = first
	w.rates = rates{
		ops: 20 + w.r.Intn(60), servers: 40 + w.r.Intn(40), database: 10 + w.r.Intn(30), faults: 100 << w.r.Intn(5), mends: 30 << w.r.Intn(4),
		writes: 3 + w.r.Intn(8),
	}
	w.lag, w.shy = 1+w.r.Intn(6), 1<<w.r.Intn(6)
	for i := range w.rates.fault {
		w.rates.fault[i] = w.r.Intn(4) // of each kind many, few or none
		if len(w.Faults) > 0 {
			w.rates.fault[i] = 0
		}
	}
	for _, f := range w.Faults {
		w.rates.fault[f] = 4
		w.rates.faults = max(1, 200*len(w.Faults)/int(faults))
		w.rates.mends = 60
	}
}

// step is one of somebody's.
func (w *world) step() {
	r := w.rates
	if !w.Calm {
		if w.r.Intn(r.faults) == 0 {
			w.fault()
		}
		if w.r.Intn(r.mends) == 0 {
			w.mend()
		}
	}
	switch i := w.r.Intn(r.ops + r.servers + r.database); {
	case i < r.ops:
		w.opStep()
	case i < r.ops+r.servers:
		if s := w.sv[w.r.Intn(servers)]; s.runs() {
			s.step()
		}
	default:
		w.databaseStep()
	}
}

// op is a request under way.
type op struct {
	next step
	at   *process
	ends func(answered bool) // when the process is no more
}

// step is what is done next, and what after it; nil: the request has been answered.
type step func() step

// opStep begins a request, or goes on with one.
func (w *world) opStep() {
	if len(w.ops) < 9 && w.r.Intn(3) == 0 {
		w.ask()
	}
	if len(w.ops) == 0 {
		return
	}
	i := w.r.Intn(len(w.ops))
	o := w.ops[i]
	if o.at.server.frozen {
		return
	}
	if !o.at.dead {
		o.next = o.next()
	} else {
		o.next = nil
		o.ends(false)
	}
	if o.next == nil {
		w.ops = append(w.ops[:i], w.ops[i+1:]...)
	}
}

// session is a client, who asks one thing after the other, each of any server.
type session struct {
	keeps  bool // it keeps positions
	token  token
	viewer int
	busy   bool
	seen   mark           // what it was answered, marked answers too
	shown  *judge.Session // the same, for the checker
}

// token is the position that a client keeps.
type token struct {
	epoch epoch
	n     int
}

// keep is what a client does with the position of an answer.
func (c *session) keep(t token) {
	c.token = c.token.later(t)
}

// later is the later of two.
func (t token) later(o token) token {
	if t.epoch.before(o.epoch) || t.epoch == o.epoch && t.n < o.n {
		return o
	}
	return t
}

func (w *world) ask() {
	c := w.who[w.r.Intn(len(w.who))]
	s := w.sv[w.r.Intn(servers)]
	if c.busy || !s.runs() {
		return
	}
	c.busy = true
	o := &op{at: s.process}
	if w.r.Intn(w.rates.writes) == 0 {
		o.next, o.ends = w.write(c, s)
	} else {
		o.next, o.ends = w.read(c, s)
	}
	w.ops = append(w.ops, o)
}
