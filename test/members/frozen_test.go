package members

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pandobase/pando/test/target"
)

// TestTailerFrozen: the server that reads the database's log for all is frozen for three
// seconds, behind two load balancers, under load. Reads go on; writes wait until another
// one reads it; nobody is shown less than somebody was answered.
func TestTailerFrozen(t *testing.T) {
	s := newStage(t)
	lbs := []*target.Server{s.lb, s.StartBalancer(t, "--database", s.URL(s.Database, "postgres"))}
	s.all(t, lbs...)
	var kept []string
	for range 20 {
		kept = append(kept, path(s.note(t)))
	}
	s.warm(t, kept)
	reads := s.readers(t, kept, 4)
	ctx, stop := context.WithCancel(t.Context())
	var done sync.WaitGroup
	defer done.Wait()
	defer stop()
	var counting []*counted
	for i := range 4 {
		c := &counted{s: s, note: s.note(t)}
		counting = append(counting, c)
		done.Go(func() { c.count(ctx, lbs[i%2]) })
		done.Go(func() { c.watch(ctx, lbs[(i+1)%2]) })
	}
	begun := func() bool {
		return !slices.ContainsFunc(counting, func(c *counted) bool { return c.floor.Load() < 20 })
	}
	within(t, 20*time.Second, "there are writes", begun)

	tailer, err := s.Tailer(t.Context())
	must(t, err)
	frozen := time.Now()
	must(t, tailer.Freeze())
	var out time.Duration
	for _, lb := range lbs { // no answer shows it, and no probe
		within(t, 5*time.Second, "it gets no requests", func() bool { return !takesPart(s.upstreams(t, lb)[tailer.Private]) })
		out = time.Since(frozen)
		t.Logf("%s gives it no requests %s after it froze", lb.Name, out.Round(time.Millisecond))
	}
	within(t, 10*time.Second, "three seconds are over", func() bool { return time.Since(frozen) > 3*time.Second })
	must(t, tailer.Thaw())
	s.all(t, lbs...)
	within(t, 5*time.Second, "a second is over", func() bool { return time.Since(frozen) > 4*time.Second })
	stop()
	done.Wait()
	reads.end()

	if reads.failed > 0 {
		t.Errorf("%d of %d reads failed: %q", reads.failed, len(reads.reads), reads.why)
	}
	var during []time.Duration
	for _, r := range reads.reads {
		if r.began.After(frozen) {
			during = append(during, r.took)
		}
	}
	slices.Sort(during)
	lenient := time.Duration(3) // beside whatever else the machine does
	if prove {
		lenient = 1
	}
	if out > lenient*time.Second {
		t.Errorf("it was given requests for %s", out)
	}
	if p99 := during[len(during)*99/100]; p99 > lenient*300*time.Millisecond {
		t.Errorf("p99 of %d reads of what has not changed is %s", len(during), p99)
	} else {
		t.Logf("%d reads of what has not changed, p99 %s, the slowest %s", len(during), p99.Round(time.Millisecond), during[len(during)-1].Round(time.Millisecond))
	}
	for _, c := range counting {
		for _, w := range c.wrong {
			t.Error(w)
		}
		if c.unknown > 1 {
			t.Errorf("%d writes of one client have no outcome: the frozen one was given more than the first", c.unknown)
		}
		if c.longest > lenient*2*time.Second {
			t.Errorf("a client was without an answered write for %s", c.longest)
		}
		t.Logf("%d writes, %d without an outcome, none answered for %s at the most; read %d times", c.writes, c.unknown, c.longest.Round(time.Millisecond), c.reads)
	}
}

// note makes one, and is its id.
func (s *stage) note(t *testing.T) string {
	t.Helper()
	var made struct{ ID string }
	s.must(t, "POST", notes, object{"n": 0}, &made)
	return made.ID
}

// counted is a note that one client counts up, and another one reads.
type counted struct {
	s     *stage
	note  string
	floor atomic.Int64 // the last that was answered

	writes, unknown, reads int
	longest                time.Duration // without an answered write

	mu    sync.Mutex
	wrong []string
}

func (c *counted) count(ctx context.Context, lb *target.Server) {
	last := time.Now()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for n := int64(1); ctx.Err() == nil; n++ {
		status, answer, err := c.s.ask(context.WithoutCancel(ctx), lb, "PATCH", path(c.note), object{"n": n})
		switch {
		case err == nil && status == http.StatusOK:
			c.floor.Store(n)
			c.longest = max(c.longest, time.Since(last))
			last = time.Now()
			c.writes++
		case status == http.StatusGatewayTimeout && strings.Contains(string(answer), "unknown"):
			c.unknown++ // it may yet be done, in the place of what is written next
			return
		default:
			c.fail("a write: ", status, answer, err)
		}
		<-tick.C
	}
}

func (c *counted) watch(ctx context.Context, lb *target.Server) {
	tick := time.NewTicker(time.Duration(4+rand.IntN(4)) * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		floor := c.floor.Load()
		status, answer, err := c.s.ask(context.WithoutCancel(ctx), lb, "GET", path(c.note), nil)
		var got struct{ N int64 }
		switch {
		case err != nil || status != http.StatusOK || json.Unmarshal(answer, &got) != nil:
			c.fail("a read: ", status, answer, err)
		case got.N < floor:
			c.fail("a read shows less than was answered: ", status, answer, nil)
		}
		c.reads++
		<-tick.C
	}
}

func (c *counted) fail(what string, status int, answer []byte, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wrong = append(c.wrong, fmt.Sprintf("%s%d %.200s %v (floor %d)", what, status, answer, err, c.floor.Load()))
}
