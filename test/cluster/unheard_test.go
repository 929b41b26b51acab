package cluster

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/pandobase/pando/test/target"
)

// TestNothingIsCachedWithoutALease: the way between a server and the tailer carries nothing
// any more. Once its lease must be over, that server answers nothing from its caches, and
// nothing at all that does not say how old it may be, until the way is back. What is asked
// for more than a lease after the way was lost is never answered as if it were new.
func TestNothingIsCachedWithoutALease(t *testing.T) {
	s := newStage(t, target.ClusterOptions{Members: 2, Replicas: 1, Caches: 1, Between: true, Flags: []string{"--shadow-reads", "off"}})
	hits := func(m *target.Member) float64 {
		return sum(t, "pando_cache_requests_total", "result", "hit", m) + sum(t, "pando_cache_server_requests_total", "result", "hit", m)
	}
	// asked reads a record, with no patience; shown is what it shows, as if that were new.
	const patience = 20 * time.Millisecond
	asked := func(m *target.Member, i int) (shown int64, ok bool) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		shown, _, ok = s.try(ctx, m, i, "")
		return shown, ok
	}
	s.cached(t, 0)
	best, back := time.Hour, time.Duration(0)
	for n := int64(1); n <= 4; n++ {
		s.calm(t)
		tailer, others := s.tailer(t)
		unheard := others[0]
		for i := range 3 {
			s.everywhere(t, i, n-1)
		}
		before := hits(unheard)
		soon(t, "what was just read lies in the cache", func() bool { // as long as there is a lease
			s.get(t, unheard, 0, "")
			return hits(unheard) > before
		})
		w := s.watching(t, 3, s.Members...)
		tailer.ToIt.Silence()
		silent := time.Now()
		_, err := s.SQL(t.Context(), fmt.Sprintf("UPDATE counters SET n = %d WHERE id = '%s'", n, keyID(1))) // by another program
		must(t, err)
		answered := make(chan answer, 1)
		go func() {
			a := s.ask(t.Context(), tailer, "PATCH", records+"/"+keyID(0), "", value(n))
			if a.status == http.StatusOK {
				w.answered(0, n)
			}
			answered <- a
		}()
		var last time.Duration // when the last answer was there
		for {
			began := time.Since(silent)
			if began > lease+margin {
				break
			}
			if _, ok := asked(unheard, 2); !ok {
				continue
			}
			if last = time.Since(silent); began > lease {
				t.Errorf("what was asked for %v after it had heard of anything is answered", began)
			}
		}
		if last > 0 { // else it has answered nothing while it had its lease
			best = min(best, last)
		}
		before = hits(unheard)
		for k := range 60 {
			i := k % 3
			if shown, ok := asked(unheard, i); ok {
				t.Fatalf("%s: it shows %d, %v after it has heard of anything", keyID(i), shown, time.Since(silent))
			}
		}
		if a := <-answered; a.status != http.StatusOK {
			t.Fatal(a)
		}
		s.set(t, tailer, 2, n) // nobody is waited for any more
		w.answered(2, n)
		w.answered(1, n)
		for i := range 3 {
			if shown, ok := asked(unheard, i); ok {
				t.Errorf("%s: it shows %d", keyID(i), shown)
			}
		}
		if got := hits(unheard) - before; got > 0 {
			t.Errorf("%.0f answers came from its caches", got)
		}
		if p := s.place(t, unheard); p.LeaseMS > 0 {
			t.Errorf("it has a lease: %+v", p)
		}
		began := time.Now()
		must(t, tailer.Heal())
		soon(t, "it answers again", func() bool { _, ok := asked(unheard, 0); return ok })
		back = max(back, time.Since(began))
		w.end()
		for i := range 3 {
			s.everywhere(t, i, n)
		}
		t.Logf("%d answers, %d refused", w.answers.Load(), w.refused.Load())
	}
	// A busy machine can have an answer wait to be read, or come too late, but not each time.
	if best == time.Hour {
		t.Error("not even while it had its lease was anything answered, in any round")
	} else if best > lease+patience {
		t.Errorf("the last answer came %v after the silence began, each time", best)
	}
	t.Logf("the last answer from the cache %v after the silence began; answers again within %v of its end", best.Round(time.Millisecond), back.Round(time.Millisecond))
}
