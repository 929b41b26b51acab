package consistency

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/test/target"
)

// noticedByAll is how long after its commit everybody must see what another program
// wrote to the database of a cluster: whoever has not heard of it by the end of a lease
// does not answer. The rest is for a machine that is busy with the load itself.
const noticedByAll = 500*time.Millisecond + 250*time.Millisecond

// onCluster is several servers, of which each request is sent to any.
func onCluster(c *target.Cluster) ground {
	beside := func(sql string) (string, error) { return c.SQL(context.Background(), sql) }
	g := ground{
		server: c.Members[0].Server, promised: noticedByAll,
		log: newSlot(c.Database, beside), beside: beside, failovers: c.Failovers,
	}
	for _, m := range c.Members[1:] {
		g.others = append(g.others, m.Server)
	}
	return g
}

// inFlight is longer than a statement that was sent to PostgreSQL is under way to it.
const inFlight = 250 * time.Millisecond

// settled waits until no transaction is left that was open at the call or came soon after.
func settled(c *target.Cluster) func(context.Context) error {
	var l looks
	return func(ctx context.Context) error {
		pause(ctx, inFlight)
		begun, _, err := l.after(ctx, c, time.Now())
		for oldest := begun; err == nil && oldest <= begun && ctx.Err() == nil; {
			_, oldest, err = l.after(ctx, c, time.Now())
		}
		return err
	}
}

// looks are at the transactions of the primary: one for all who wait for it, and not more
// than one in 100 ms, as each is a connection.
type looks struct {
	mu     sync.Mutex
	at     time.Time
	now    float64 // the database's clock, in seconds
	oldest float64 // the begin of the oldest transaction
}

// after is a look after a time.
func (l *looks) after(ctx context.Context, c *target.Cluster, since time.Time) (now, oldest float64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at.After(since) {
		return l.now, l.oldest, nil
	}
	pause(ctx, time.Until(l.at.Add(100*time.Millisecond)))
	at := time.Now()
	text, err := c.SQL(ctx, "SELECT extract(epoch FROM clock_timestamp()) || ' ' || coalesce(extract(epoch FROM min(least(xact_start, query_start))), 1e12)"+
		" FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid() AND state <> 'idle'")
	if err != nil {
		return 0, 0, err
	}
	if _, err := fmt.Sscan(text, &l.now, &l.oldest); err != nil {
		return 0, 0, fmt.Errorf("%q: %w", text, err)
	}
	l.at = at
	return l.now, l.oldest, nil
}

// storm is all that can befall a cluster, one thing after the other, while a replica is
// unsteady. It counts what it has done.
type storm struct {
	c    *target.Cluster
	log  *slot
	dice *rand.Rand // of the troubles, which come one after the other
	seed uint64
	calm sync.Mutex // held while the replica must not be unsteady

	thaws bool     // nobody is frozen
	loses bool     // the primary is lost, too, and crashes
	long  bool     // troubles that take many seconds befall it too
	focus []string // nothing but these troubles does, if there are any
	// between is about how many operations come between troubles, on average; 0: they come by
	// the clock. One half of the troubles come right behind the one before: those befall
	// servers that are busy with coming back, and the others those that are busy with answering.
	between  int64
	answered func() int64

	mu    sync.Mutex
	count map[string]int
}

// over has the storm befall a ground.
func (s *storm) over(g *ground) {
	s.log = g.log
	g.weather, g.faulty, g.settled = s.weather, true, settled(s.c)
	g.begun = func(r *report) { s.answered = r.operations }
}

// newStorm is one of the seed in PANDO_SEED, or of any: the same troubles in the same
// order, though not to the same moments of everything else.
func newStorm(t *testing.T, c *target.Cluster) *storm {
	seed := rand.Uint64()
	if n, err := strconv.ParseUint(os.Getenv("PANDO_SEED"), 10, 64); err == nil {
		seed = n
	}
	t.Logf("the storm's seed is %d", seed)
	return &storm{c: c, dice: dice(seed, 0), seed: seed, count: map[string]int{}}
}

func dice(seed, which uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, which)) }

// trouble befalls somebody, and ends after d.
type trouble struct {
	name string
	do   func(ctx context.Context, d time.Duration) error
}

func (s *storm) weather(ctx context.Context) error {
	back := context.WithoutCancel(ctx)
	replicas := make(chan error, 1)
	go func() { replicas <- unsteady(s.c.Replicated, s.seed, &s.calm)(ctx) }()
	for ctx.Err() == nil {
		list := s.troubles()
		if len(s.focus) > 0 {
			list = slices.DeleteFunc(list, func(t trouble) bool { return !slices.Contains(s.focus, t.name) })
		}
		pause(ctx, time.Duration(200+s.dice.IntN(1300))*time.Millisecond)
		if s.between > 0 && s.dice.IntN(2) == 0 {
			for until := s.answered() + s.dice.Int64N(4*s.between); ctx.Err() == nil && s.answered() < until; {
				pause(ctx, 10*time.Millisecond)
			}
		}
		if ctx.Err() != nil {
			break
		}
		t := list[s.dice.IntN(len(list))]
		if err := t.do(back, time.Duration(50+s.dice.IntN(1500))*time.Millisecond); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		s.mu.Lock()
		s.count[t.name]++
		s.mu.Unlock()
	}
	return <-replicas
}

func (s *storm) troubles() []trouble {
	any := func(context.Context) (*target.Member, error) { return s.c.Members[s.dice.IntN(len(s.c.Members))], nil }
	// Some take long.
	var list []trouble
	focused := len(s.focus) > 0
	turn := focused || s.dice.IntN(3) == 0
	if s.loses && (turn || !s.long) || focused {
		list = append(list,
			trouble{"the primary killed, and replaced", s.replaced(false)},
			trouble{"the primary frozen, replaced, and thawed", s.replaced(true)})
	}
	if s.loses || focused {
		list = append(list,
			trouble{"the primary crashes, and comes back", s.crashed(func(ctx context.Context, p *localcluster.Postgres, d time.Duration) error {
				if err := p.Kill(); err != nil {
					return err
				}
				pause(ctx, d/4) // or servers never find it away for less than they wait
				return p.Start(ctx)
			})},
			trouble{"a backend of the primary is killed", s.crashed(func(ctx context.Context, p *localcluster.Postgres, _ time.Duration) error {
				return p.KillBackend(ctx)
			})})
	}
	if turn && (s.long || focused) {
		list = append(list, trouble{"a server frozen while the others are killed", s.outlived})
	}
	if !s.thaws {
		list = append(list, trouble{"a server frozen", s.frozen(any)}, trouble{"the tailer frozen", s.frozen(s.c.Tailer)})
	}
	list = append(list, []trouble{
		{"a server killed", s.killed(any)},
		{"the tailer killed", s.killed(s.c.Tailer)},
		{"a server cut off from the database", s.cut(func(m *target.Member) []*localcluster.Relay { return m.ToNode })},
		{"a server cut off from the primary", s.cut(func(m *target.Member) []*localcluster.Relay { return []*localcluster.Relay{s.c.ToPrimary(m)} })},
	}...)
	if s.c.Members[0].ToIt != nil {
		list = append(list,
			trouble{"the way to a server slow", s.link(any, s.slow)}, trouble{"the way to the tailer slow", s.link(s.c.Tailer, s.slow)},
			trouble{"a server not reached by others", s.link(any, (*localcluster.Relay).Silence)},
			trouble{"the tailer not reached by others", s.link(s.c.Tailer, (*localcluster.Relay).Down)},
			trouble{"the tailer not heard by others", s.link(s.c.Tailer, (*localcluster.Relay).Silence)},
			trouble{"the tailer not heard, and late itself", s.apart})
	}
	if len(s.c.Caches) == 0 {
		return list
	}
	some := func() *localcluster.Redis { return s.c.Caches[s.dice.IntN(len(s.c.Caches))] }
	return append(list,
		trouble{"a server cut off from a cache", s.cut(func(m *target.Member) []*localcluster.Relay {
			i := s.dice.IntN(len(m.ToCache))
			return m.ToCache[i : i+1]
		})},
		trouble{"a cache wiped", func(ctx context.Context, _ time.Duration) error { return some().Wipe(ctx) }},
		trouble{"a cache killed", func(ctx context.Context, d time.Duration) error {
			r := some()
			if err := r.Kill(); err != nil {
				return err
			}
			pause(ctx, d)
			return r.Start(ctx)
		}},
		trouble{"a cache restored", func(ctx context.Context, d time.Duration) error {
			r := some()
			dump, err := r.Save(ctx)
			if err != nil {
				return err
			}
			pause(ctx, d)
			return r.Restore(ctx, dump)
		}})
}

// slow is a way that takes long, but not so long that nothing is believed any more.
func (s *storm) slow(r *localcluster.Relay) {
	r.Delay(time.Duration(1+s.dice.IntN(150)) * time.Millisecond)
}

// link has something befall the way by which the others reach a server.
func (s *storm) link(
	to func(context.Context) (*target.Member, error), befall func(*localcluster.Relay),
) func(context.Context, time.Duration) error {
	return func(ctx context.Context, d time.Duration) error {
		m, err := to(ctx)
		if err != nil {
			return err
		}
		befall(m.ToIt)
		pause(ctx, d)
		return m.ToIt.Heal()
	}
}

// apart has nobody hear the tailer, which hears of commits late itself: what the others
// find at the primary it does not know yet, and they cannot know that it does not.
func (s *storm) apart(ctx context.Context, d time.Duration) error {
	tailer, err := s.c.Tailer(ctx)
	if err != nil {
		return err
	}
	toPrimary := s.c.ToPrimary(tailer)
	tailer.ToIt.Silence()
	toPrimary.Delay(60 * time.Millisecond)
	pause(ctx, max(d, time.Second)) // their leases are over by then
	return errors.Join(tailer.ToIt.Heal(), toPrimary.Heal())
}

// replaced takes the primary's place from it, with all that it had answered. One that is
// frozen comes back, and somebody may not hear that it is none any more.
func (s *storm) replaced(freeze bool) func(context.Context, time.Duration) error {
	return func(ctx context.Context, d time.Duration) error {
		s.calm.Lock()
		defer s.calm.Unlock()
		var o target.FailoverOptions
		if freeze {
			o.Frozen = max(d, 2*time.Second) // leases of before are over by then, and others have a tailer
			if i := s.dice.IntN(len(s.c.Members) + 1); i < len(s.c.Members) {
				o.Behind = s.c.Members[i]
			} else if len(s.focus) > 0 {
				o.Behind = s.c.Members[0]
			}
		}
		return s.log.failover(ctx, s.c, o)
	}
}

// crashed has the primary crash, and come back with all that was on its disk: what was answered,
// and what waited for a replica. What was not gives its numbers to others, and some is on its way
// to the primary then, and does not arrive.
func (s *storm) crashed(
	crash func(context.Context, *localcluster.Postgres, time.Duration) error,
) func(context.Context, time.Duration) error {
	return func(ctx context.Context, d time.Duration) error {
		return s.log.crash(ctx, s.c, func(ctx context.Context, p *localcluster.Postgres) (err error) {
			for _, m := range s.c.Members {
				s.c.ToPrimary(m).Silence()
			}
			pause(ctx, d/15)
			over := make(chan error, 1)
			go func() { over <- crash(ctx, p, d) }()
			// Not for as long as that takes: before it recovers, PostgreSQL waits for whoever has
			// connected and says nothing.
			pause(ctx, 30*time.Millisecond)
			for _, m := range s.c.Members {
				err = errors.Join(err, s.c.ToPrimary(m).Heal())
			}
			return errors.Join(err, <-over)
		})
	}
}

func (s *storm) frozen(whom func(context.Context) (*target.Member, error)) func(context.Context, time.Duration) error {
	return func(ctx context.Context, d time.Duration) error {
		m, err := whom(ctx)
		if err != nil {
			return err
		}
		if err := m.Freeze(); err != nil {
			return err
		}
		pause(ctx, d)
		return m.Thaw()
	}
}

// outlived freezes one while the others are killed and come back: what it has missed
// was never in the log that they read since.
func (s *storm) outlived(ctx context.Context, d time.Duration) error {
	tailer, err := s.c.Tailer(ctx)
	if err != nil {
		return err
	}
	one := s.c.Members[s.dice.IntN(len(s.c.Members))]
	for len(s.focus) > 0 && one == tailer { // which has a log of its own
		one = s.c.Members[s.dice.IntN(len(s.c.Members))]
	}
	if err := one.Freeze(); err != nil {
		return err
	}
	pause(ctx, max(d, time.Second)) // it misses something by then
	var others errgroup.Group
	for _, m := range s.c.Members {
		if m != one {
			others.Go(func() error {
				return s.killed(func(context.Context) (*target.Member, error) { return m, nil })(ctx, d)
			})
		}
	}
	err = others.Wait()
	pause(ctx, d)
	return errors.Join(err, one.Thaw())
}

func (s *storm) killed(whom func(context.Context) (*target.Member, error)) func(context.Context, time.Duration) error {
	return func(ctx context.Context, d time.Duration) error {
		tries := 10
		m, err := whom(ctx)
		if err != nil {
			return err
		}
		m.Kill()
		pause(ctx, d)
		// It can come just when the primary is slow to answer, and end itself.
		for err = m.Restart(ctx); err != nil && tries > 0; tries-- {
			pause(ctx, 500*time.Millisecond)
			err = m.Restart(ctx)
		}
		return err
	}
}

func (s *storm) cut(which func(*target.Member) []*localcluster.Relay) func(context.Context, time.Duration) error {
	return func(ctx context.Context, d time.Duration) error {
		m := s.c.Members[s.dice.IntN(len(s.c.Members))]
		links := which(m)
		for _, r := range links {
			r.Down()
		}
		pause(ctx, d)
		for _, r := range links {
			if err := r.Up(); err != nil {
				return err
			}
		}
		return nil
	}
}

// TestNobodyIsShownThePastByACluster runs the checker on three servers, calm first and
// then in a storm. PANDO_PROVE=1 runs it for longer.
func TestNobodyIsShownThePastByACluster(t *testing.T) {
	c := target.StartCluster(t, target.ClusterOptions{Replicas: 2, Synchronous: true, Caches: caches})
	t.Run("calm", func(t *testing.T) {
		g := onCluster(c)
		g.faulty, g.settled = true, settled(c)
		r := hold(t, g, limit{time: 10 * time.Second, operations: 20_000}, map[string]int64{
			"operations": 1000, "writes": 100, "events": 100, "revocations": 20, "writes by another program": 2,
		})
		if n := r.refused.Load() + r.marked.Load(); n > r.operations()/20 {
			t.Errorf("%d requests were not answered, or with an Age, in the calm", n)
		}
	})
	t.Run("storm", func(t *testing.T) {
		l := limit{time: 20 * time.Second}
		if d, err := time.ParseDuration(os.Getenv("PANDO_STORM")); err == nil {
			l.time = d
		}
		if long {
			l = limit{time: 4 * time.Hour, operations: 10_000_000}
		}
		if n, err := strconv.ParseInt(os.Getenv("PANDO_STORM_OPERATIONS"), 10, 64); err == nil {
			l.operations = n
		}
		other := c.Again(t, "storm", target.ClusterOptions{Between: true})
		s := newStorm(t, other)
		s.loses = true
		g := onCluster(other)
		if l.time > time.Minute {
			g.readers = 130 // many of them wait for servers that are away
			g.rest = 6 * time.Second
			g.rereads = 50
			s.long, s.between = true, 4500
		}
		for _, m := range c.Members { // the machine is for the others
			m.Stop()
		}
		s.over(&g)
		hold(t, g, l, map[string]int64{"operations": max(2000, l.operations), "writes": 50, "revocations": 10, "writes by another program": 2})
		t.Log(s.count)
	})
}

const caches = 3

// TestNobodyIsShownThePastThroughBalancers: the same where two load balancers send each
// request to any server, and again to another one if that is harmless. Nobody is frozen
// here: a load balancer gives a write to a frozen server up, which may do it when it is
// thawed, whatever the client has done since.
func TestNobodyIsShownThePastThroughBalancers(t *testing.T) {
	c := target.StartCluster(t, target.ClusterOptions{Replicas: 2, Synchronous: true, Caches: caches, Indirect: true})
	g := onCluster(c)
	g.server, g.others = c.StartBalancer(t, c.Join()...), []*target.Server{c.StartBalancer(t, "--database", c.URL(c.Database, "postgres"))}
	g.balanced = true
	l := limit{time: 6 * time.Second}
	if d, err := time.ParseDuration(os.Getenv("PANDO_STORM")); err == nil {
		l.time = d
	}
	if long {
		l.time = 10 * time.Minute
	}
	s := newStorm(t, c)
	s.thaws = true
	s.over(&g)
	hold(t, g, l, map[string]int64{"operations": 500, "writes": 20, "events": 10, "revocations": 2})
	t.Log(s.count)
}
