package members

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/pandobase/pando/test/target"
)

// TestRollingRestart: all servers are restarted, one after the other, and then both load
// balancers are replaced, while clients read and write through them, of which one asks
// members who there is and one the database, and event streams are open. No request
// fails; each stream is told to come back, and does.
func TestRollingRestart(t *testing.T) {
	s := newStage(t)
	flags := [][]string{s.Join(), {"--database", s.URL(s.Database, "postgres")}}
	other := s.StartBalancer(t, flags[1]...)
	s.all(t, s.lb, other)
	b := s.book(t, 20)
	listeners := append(s.startListeners(t, s.lb, 6), s.startListeners(t, other, 6)...)
	listening := func() bool {
		return !slices.ContainsFunc(listeners, func(l *listener) bool { return !l.subscribed.Load() })
	}
	within(t, 10*time.Second, "all streams are there", listening)
	loads := []*load{s.startLoad(t, s.lb, 4, b), s.startLoad(t, other, 4, b)}
	for _, l := range loads {
		within(t, 20*time.Second, "there is load", func() bool { return l.writes.Load() > 50 })
	}
	for _, m := range s.Members {
		began := time.Now()
		must(t, m.Signal(syscall.SIGTERM))
		code, err := m.Wait(t.Context())
		if err != nil || code != 0 {
			t.Errorf("%s ends with %d, %v", m.Name, code, err)
		}
		gone := time.Since(began)
		_, err = m.Again(t.Context(), t)
		must(t, err)
		s.all(t, s.lb, other)
		t.Logf("%s was gone after %s, and takes part again after %s", m.Name, gone.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	}
	for i, lb := range []*target.Server{s.lb, other} {
		within(t, 10*time.Second, "all streams are back", listening)
		began := time.Now()
		must(t, lb.Replace(t.Context(), flags[i]...))
		s.all(t, s.lb, other)
		t.Logf("load balancer %d was replaced within %s", i+1, time.Since(began).Round(time.Millisecond))
	}
	for i, l := range loads {
		l.end()
		if failures := l.failures(); len(failures) > 0 {
			t.Errorf("requests failed: %q", failures)
		}
		t.Logf("load balancer %d: %d reads, %d of which say that they may be old, %d writes; the slowest took %s", i+1, l.reads.Load(), l.marked.Load(), l.writes.Load(), time.Duration(l.slowest.Load()).Round(time.Millisecond))
	}
	within(t, 10*time.Second, "all streams are back", listening)
	// Each hears of what is written now.
	var heard []int64
	for _, l := range listeners {
		heard = append(heard, l.heard.Load())
	}
	s.must(t, "POST", notes, object{"n": -1}, nil)
	within(t, 5*time.Second, "all streams hear of it", func() bool {
		for i, l := range listeners {
			if l.heard.Load() == heard[i] {
				return false
			}
		}
		return true
	})
	var connects, hinted int64
	var waits []int
	for _, l := range listeners {
		connects += l.connects.Load()
		hinted += l.hinted.Load()
		l.mu.Lock()
		waits = append(waits, l.waits...)
		if len(l.failed) > 0 {
			t.Errorf("a stream's client fails: %q", l.failed)
		}
		l.mu.Unlock()
	}
	if ended := connects - int64(len(listeners)); ended < 18 || hinted != ended {
		t.Errorf("%d streams ended, %d were told when to come back", ended, hinted)
	}
	slices.Sort(waits)
	if distinct := len(slices.Compact(slices.Clone(waits))); distinct < len(waits)*3/4 {
		t.Errorf("they are told to come back at the same time: %v", waits)
	}
	t.Logf("%d streams came back, told to wait %d to %d ms", connects-int64(len(listeners)), waits[0], waits[len(waits)-1])
}
