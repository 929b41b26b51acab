package topology_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pandobase/pando/internal/position"
)

// cluster is what hosts really are, while faults come and go at random. Promotion
// happens as a tool does it: when the primary is dead or frozen, and never
// twice to one timeline.
type cluster struct {
	*world
	rnd   *rand.Rand
	hosts []string

	leader  string // that was promoted last
	history position.History
	down    map[string]time.Time // since when it does not answer; zero: it does
	settled time.Time            // since when the leader answers, and all is well
}

// step lets something happen.
func (c *cluster) step() {
	c.set(func(nodes map[string]*node) {
		host := c.hosts[c.rnd.IntN(len(c.hosts))]
		n, lead := nodes[host], nodes[c.leader]
		lead.Flush += position.N(c.rnd.IntN(5))
		switch c.rnd.IntN(12) {
		case 0:
			c.fall(host, func() { n.frozen = true })
		case 1:
			c.fall(host, func() { n.err = errors.New("connection refused") })
		case 2, 3: // it comes back; if it was killed, as another process
			if n.err != nil {
				n.Instance++
			}
			n.frozen, n.err = false, nil
			delete(c.down, host)
			if host == c.leader {
				c.settled = time.Now()
			}
		case 4:
			if _, down := c.down[c.leader]; down && host != c.leader && n.InRecovery && c.follows(n) && c.down[host].IsZero() {
				c.promote(host, n)
			}
		case 5: // a former primary is told, rewound, and follows
			if host != c.leader && c.down[host].IsZero() && (!n.InRecovery || !c.follows(n)) {
				*n = *replica(c.history.Timeline, min(n.Flush+n.Replay, c.history.Forks[len(c.history.Forks)-1].At))
				n.Instance = c.rnd.Uint64()
			}
		default: // a replica comes after its primary
			if _, down := c.down[c.leader]; n.InRecovery && c.follows(n) && !down && c.down[host].IsZero() {
				n.Timeline = c.history.Timeline
				n.Replay = min(n.Replay+position.N(c.rnd.IntN(6)), lead.Flush)
				n.Receive = max(n.Replay, n.Receive)
			}
		}
	})
}

func (c *cluster) fall(host string, how func()) {
	if _, down := c.down[host]; !down {
		how()
		c.down[host] = time.Now()
	}
}

// follows tells whether a replica has nothing that was lost.
func (c *cluster) follows(n *node) bool {
	at, ok := c.history.Fork(n.Timeline)
	return n.Timeline == c.history.Timeline || ok && n.Replay <= at
}

func (c *cluster) promote(host string, n *node) {
	c.history.Forks = append(append([]position.Fork{}, c.history.Forks...), position.Fork{Timeline: c.history.Timeline, At: n.Replay})
	c.history.Timeline++
	at, instance := n.Replay, n.Instance
	*n = *primary(c.history.Timeline, at)
	n.Instance, n.History = instance, c.history
	c.leader, c.settled = host, time.Now()
}

// check compares what is judged with what is.
func (c *cluster) check() error {
	s := c.State()
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	// One that was slow before, as after a freeze, is given a second: see patience.
	const silence = 1100 * time.Millisecond
	long := func(since time.Time, d time.Duration) bool { return !since.IsZero() && now.Sub(since) > d }
	if p := s.Primary(); p != nil {
		switch {
		case over(p.Gone()):
			return fmt.Errorf("primary %s is gone", p.Host())
		case p.Report().Timeline < s.Timeline():
			return fmt.Errorf("primary %s is on timeline %d, one is on %d", p.Host(), p.Report().Timeline, s.Timeline())
		case long(c.down[p.Host()], silence):
			return fmt.Errorf("primary %s does not answer since %v", p.Host(), now.Sub(c.down[p.Host()]))
		case p.Host() != c.leader && c.down[c.leader].IsZero() && long(c.settled, 310*time.Millisecond):
			return fmt.Errorf("primary %s, but it is %s for %v", p.Host(), c.leader, now.Sub(c.settled))
		}
	} else if c.down[c.leader].IsZero() && long(c.settled, 310*time.Millisecond) {
		return fmt.Errorf("no primary, but it is %s for %v", c.leader, now.Sub(c.settled))
	}
	for _, m := range s.Replicas() {
		r := m.Report()
		at, old := s.History().Fork(r.Timeline)
		switch {
		case over(m.Gone()):
			return fmt.Errorf("replica %s is gone", m.Host())
		case r.Timeline != s.Timeline() && (!old || r.Replay > at):
			return fmt.Errorf("replica %s shows %v of timeline %d, which was left at %v", m.Host(), r.Replay, r.Timeline, at)
		case !m.Silent() && long(c.down[m.Host()], silence):
			return fmt.Errorf("replica %s does not answer since %v", m.Host(), now.Sub(c.down[m.Host()]))
		}
	}
	return nil
}

func TestRandomFaults(t *testing.T) {
	promotions := uint32(0)
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			c := &cluster{rnd: rand.New(rand.NewPCG(seed, 0)), hosts: []string{"h1", "h2", "h3"}, leader: "h1",
				history: position.History{Timeline: 1}, down: map[string]time.Time{}, settled: time.Now()}
			c.world = watch(t, strings.Join(c.hosts, " "), three())
			defer c.Close()
			for i := range 400 {
				c.pass(time.Duration(c.rnd.IntN(60)) * time.Millisecond)
				if err := c.check(); err != nil {
					t.Fatalf("seed %d, step %d: %v\ntold:\n  %s", seed, i, err, strings.Join(c.told(), "\n  "))
				}
				c.step()
			}
			promotions += c.history.Timeline - 1
		})
	}
	if promotions < 60 {
		t.Errorf("%d promotions: too few to mean anything", promotions)
	}
}
