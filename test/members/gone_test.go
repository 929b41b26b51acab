package members

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/test/target"
)

// databaseGone: neither members nor load balancers reach the database's primary for
// longer than anybody believes who cannot reach it. Everybody stays where they are, and
// reads go on: of what is cached, and, by the replica, of what is not. They say so while
// it lasts, and no longer.
func (s *stage) databaseGone(t *testing.T, lbs []*target.Server, link *localcluster.Relay) {
	var kept, fresh []string
	for i := range 20 {
		var made struct{ ID string }
		s.must(t, "POST", notes, object{"n": i}, &made)
		if i%2 == 0 {
			kept = append(kept, path(made.ID))
		}
		fresh = append(fresh, path(made.ID)+"?fields=id,n", fmt.Sprintf("%s?perPage=5&sort=-n&page=%d", notes, i+1))
	}
	s.warm(t, kept)
	gone := 6 * time.Second // load balancers stop believing members after 3
	if prove {
		gone = time.Minute
	}

	// Lists that are written to are read from the database up to the end of it, and so
	// some are under way then.
	all, uncached := s.readers(t, kept, 4), s.readers(t, fresh, 6)
	writes := s.startLoad(t, s.lb, 2, s.book(t, 2))
	within(t, 10*time.Second, "there are writes", func() bool { return writes.writes.Load() > 20 })
	began := time.Now()
	link.Down()
	for _, m := range s.Members {
		m.CutFrom(m.ToNode[:1])
	}
	writes.stop()
	for time.Since(began) < gone {
		for _, lb := range lbs {
			if now := s.upstreams(t, lb); len(now) != len(s.Members) {
				t.Fatalf("after %s without the database the members are %v", time.Since(began), now)
			}
		}
	}
	all.end()
	uncached.end()
	writes.end()
	for what, r := range map[string]*readers{"cached": all, "not cached": uncached} {
		if r.failed > 0 {
			t.Errorf("%d reads of what is %s were refused of %d: %q", r.failed, what, len(r.reads), r.why)
		}
		marked, since := r.marked(), r.since(began)
		if marked == 0 || since > 3*time.Second {
			t.Errorf("%d reads of what is %s are marked with their age, all since %s", marked, what, since)
		}
		t.Logf("%d reads of what is %s, %d refused, %d marked with their age, all since %s; the slowest took %s",
			len(r.reads), what, r.failed, marked, since.Round(time.Millisecond), r.slowest().Round(time.Millisecond))
	}

	for _, m := range s.Members {
		must(t, m.Heal())
	}
	must(t, link.Heal())
	s.all(t, lbs...)
	took := within(t, 10*time.Second, "writes are taken again", func() bool {
		status, _, err := s.ask(t.Context(), s.lb, "POST", notes, object{"n": 2})
		return err == nil && status == http.StatusOK
	})
	// What one server hears of, it hears of by all: but each says for itself that it is
	// whole again.
	took += within(t, 5*time.Second, "nothing is marked any more", func() bool {
		r := s.readers(t, kept, 1)
		r.times(50)
		return r.marked() == 0 && r.failed == 0
	})
	r := s.readers(t, append(kept, fresh...), 2)
	r.times(200)
	if r.marked() > 0 || r.failed > 0 {
		t.Errorf("with the database back, %d of %d reads are marked, %d refused: %q", r.marked(), len(r.reads), r.failed, r.why)
	}
	t.Logf("%s after it was back, writes were taken and nothing was marked", took.Round(time.Millisecond))
}

// warm has every member answer these once, so that they are in its cache.
func (s *stage) warm(t *testing.T, paths []string) {
	t.Helper()
	for range 30 { // which one is asked is by chance
		for _, path := range paths {
			s.must(t, "GET", path, nil, nil)
		}
	}
}

// readers are clients that read without a pause.
type readers struct {
	s     *stage
	paths []string
	stop  context.CancelFunc
	done  sync.WaitGroup

	mu     sync.Mutex
	reads  []read
	failed int
	why    []string
}

type read struct {
	began time.Time
	took  time.Duration
	aged  bool
}

func (s *stage) readers(t *testing.T, paths []string, clients int) *readers {
	ctx, stop := context.WithCancel(context.Background())
	r := &readers{s: s, paths: paths, stop: stop}
	t.Cleanup(r.end)
	for range clients {
		r.done.Go(func() {
			tick := time.NewTicker(4 * time.Millisecond) // the machine has more to do
			defer tick.Stop()
			for ctx.Err() == nil {
				r.read(ctx, paths[rand.N(len(paths))])
				<-tick.C
			}
		})
	}
	return r
}

// times ends them when they have read that often.
func (r *readers) times(n int) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for enough := false; !enough; <-tick.C {
		r.mu.Lock()
		enough = len(r.reads) >= n
		r.mu.Unlock()
	}
	r.end()
}

func (r *readers) end() {
	r.stop()
	r.done.Wait()
}

func (r *readers) read(ctx context.Context, path string) {
	one := read{began: time.Now()}
	req, err := http.NewRequestWithContext(context.WithoutCancel(ctx), "GET", r.s.lb.URL+path, nil)
	status, body := 0, []byte(nil)
	if err == nil {
		var res *http.Response
		if res, err = r.s.http.Do(req); err == nil {
			body, err = io.ReadAll(res.Body)
			err = errors.Join(err, res.Body.Close())
			status, one.aged = res.StatusCode, res.Header.Get("Age") != ""
		}
	}
	one.took = time.Since(one.began)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reads = append(r.reads, one)
	if err != nil || status != http.StatusOK {
		r.failed++
		if len(r.why) < 5 {
			r.why = append(r.why, fmt.Sprintf("%s after %s: %d %.200s %v", path, one.took.Round(time.Millisecond), status, body, err))
		}
	}
}

func (r *readers) marked() (n int) {
	for _, one := range r.reads {
		if one.aged {
			n++
		}
	}
	return n
}

// since is from when on all answers are marked.
func (r *readers) since(zero time.Time) (since time.Duration) {
	for _, one := range r.reads {
		if !one.aged {
			since = max(since, one.began.Sub(zero))
		}
	}
	return since
}

func (r *readers) slowest() time.Duration {
	return slices.MaxFunc(r.reads, func(a, b read) int { return int(a.took - b.took) }).took
}
