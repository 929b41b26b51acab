package cluster

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pandobase/pando/test/target"
)

// lying is how many records lie in every cache here.
const lying = 40

// TestCachesOutliveTheTailer: the server that reads the log for all is killed, and in another
// round frozen and thawed. The others go on with what they have cached, within a second,
// and ask the database for nothing of it; nobody is refused anything, or shown the past.
func TestCachesOutliveTheTailer(t *testing.T) {
	s := newStage(t, target.ClusterOptions{Replicas: 1, Caches: 1, Flags: []string{"--shadow-reads", "off"}}) // those are queries too
	n := int64(0)
	for _, c := range []struct {
		name       string
		begin, end func(*target.Member) error
	}{
		{"killed", func(m *target.Member) error { m.Kill(); return nil }, func(m *target.Member) error { return m.Restart(context.Background()) }},
		{"frozen", (*target.Member).Freeze, (*target.Member).Thaw},
	} {
		t.Run(c.name, func(t *testing.T) {
			// What the design makes of it comes again; the machine's part does not.
			for try := 1; ; try++ {
				s.calm(t)
				s.cached(t, n)
				tailer, others := s.tailer(t)
				before, reads := queries(t, others...), s.reading(t, n, others)
				began := time.Now()
				must(t, c.begin(tailer))
				s.succeeded(t, tailer, began)
				reads.end()
				missed := reads.judge(t, began, queries(t, others...)-before)
				must(t, c.end(tailer))
				s.ready(t)
				before = queries(t, s.Members...)
				s.warm(t, lying, n)
				t.Logf("with the tailer back: %.0f queries for %d records at each", queries(t, s.Members...)-before, lying)
				if missed == "" {
					break
				}
				if try == 3 {
					t.Error(missed)
					break
				}
			}

			// Once more, with others writing.
			s.calm(t)
			s.cached(t, n)
			tailer, others := s.tailer(t)
			w := s.watching(t, lying, others...)
			began := time.Now()
			must(t, c.begin(tailer))
			slowest, writes := time.Duration(0), 0
			for i := 0; time.Since(began) < 4*lease || i%lying > 0; i++ {
				if i%lying == 0 {
					n++
				}
				one := time.Now()
				s.set(t, others[i%2], i%lying, n)
				slowest = max(slowest, time.Since(one))
				w.answered(i%lying, n)
				writes++
			}
			refused := w.refused.Load() // whoever is cut short by the end counts, too
			w.end()
			if refused > 0 {
				t.Errorf("%d reads were refused", refused)
			}
			must(t, c.end(tailer))
			s.ready(t)
			s.warm(t, lying, n)
			t.Logf("beside %d writes, the slowest %v: %d reads, %d refused", writes, slowest.Round(time.Millisecond), w.answers.Load(), refused)
		})
	}
}

// cached has some records lie in every server's memory: they are read without a query. Within
// a second of a change of the schema everything counts as changed once more.
func (s *stage) cached(t *testing.T, want int64) {
	t.Helper()
	soon(t, "the caches are warm", func() bool {
		s.warm(t, lying, want)
		before := queries(t, s.Members...)
		still(t, 1200*time.Millisecond)
		s.warm(t, lying, want)
		return queries(t, s.Members...) == before
	})
}

// succeeded waits until another one reads the log, and all leases are of it.
func (s *stage) succeeded(t *testing.T, old *target.Member, began time.Time) {
	t.Helper()
	soon(t, "another one reads the log", func() bool {
		now, err := s.Tailer(t.Context())
		return err == nil && now != old
	})
	still(t, max(0, 4*lease-time.Since(began))) // those from before are over
	for _, m := range s.Members {
		if m != old {
			soon(t, m.Name+" has a lease", func() bool { return s.place(t, m).LeaseMS > 0 })
		}
	}
}

// reads are those of clients that read, without end, what does not change.
type reads struct {
	stop context.CancelFunc
	all  sync.WaitGroup

	mu     sync.Mutex
	list   []read
	failed []string
}

type read struct{ began, ended time.Time }

func (s *stage) reading(t *testing.T, want int64, members []*target.Member) *reads {
	ctx, stop := context.WithCancel(t.Context())
	r := &reads{stop: stop}
	for _, m := range members {
		for g := range 2 {
			r.all.Go(func() {
				for i := g; ctx.Err() == nil; i++ {
					began := time.Now()
					n, a, ok := s.try(context.WithoutCancel(ctx), m, i%lying, "")
					r.add(read{began, time.Now()})
					if !ok || n != want {
						r.fail(fmt.Sprintf("%s shows %d, and it is %d: %v", m.Name, n, want, a))
					}
					rest(ctx, time.Millisecond)
				}
			})
		}
	}
	t.Cleanup(r.end)
	return r
}

func (r *reads) add(one read) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, one)
}

func (r *reads) fail(why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = append(r.failed, why)
}

func (r *reads) end() {
	r.stop()
	r.all.Wait()
}

// judge says what became of the reads since began; missed is the goal that they have missed.
func (r *reads) judge(t *testing.T, began time.Time, asked float64) (missed string) {
	t.Helper()
	for i, why := range r.failed {
		if i < 5 {
			t.Error(why)
		}
	}
	since := slices.DeleteFunc(r.list, func(one read) bool { return one.ended.Before(began) })
	longest := slices.MaxFunc(since, func(a, b read) int { return int(a.ended.Sub(a.began) - b.ended.Sub(b.began)) })
	took, until := longest.ended.Sub(longest.began), longest.ended.Sub(began)
	t.Logf("%d reads of what is cached, %d failed, %.0f queries; the longest took %v, until %v after it began",
		len(since), len(r.failed), asked, took.Round(time.Millisecond), until.Round(time.Millisecond))
	switch {
	case took > lease/2 && until > time.Second+busy:
		return fmt.Sprintf("a cached answer took %v, until %v after it began; goal 1 s", took, until)
	case asked > lying/10:
		return fmt.Sprintf("%.0f queries for %d reads of what is cached", asked, len(since))
	}
	return ""
}
