package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/pandobase/pando/test/target"
)

// slow is the first counter in a view whose queries sleep, behind their snapshot.
var slow = "/api/collections/slow/records/" + keyID(0)

// slowView makes that view, and waits until every member keeps it. A view that calls
// pg_sleep is kept by nobody, as it means something else each time. So what it calls
// here claims to be immutable, and what it returns is; how long that takes stands in a
// table of which nobody is told.
func (s *stage) slowView(t *testing.T) {
	t.Helper()
	s.must(t, s.Members[0], "POST", "/api/collections", object{
		"name": "slow", "type": "view", "listRule": "", "viewRule": "", "viewQuery": "SELECT id, n FROM counters",
	}, nil)
	query, err := s.SQL(t.Context(), "SELECT rtrim(pg_get_viewdef('slow'::regclass), '; ')")
	must(t, err)
	_, err = s.SQL(t.Context(), `CREATE TABLE pace (seconds float8 NOT NULL);
		INSERT INTO pace VALUES (0);
		CREATE FUNCTION slowly(v anyelement) RETURNS anyelement LANGUAGE plpgsql IMMUTABLE AS
			$$ BEGIN PERFORM pg_sleep((SELECT seconds FROM pace)); RETURN v; END $$;
		CREATE OR REPLACE VIEW slow AS SELECT q.id, slowly(q.n) AS n FROM (`+query+`) q`)
	must(t, err)
	must(t, s.WaitReplayed(t.Context()))
	for _, m := range s.Members {
		soon(t, m.Name+" keeps the view", func() bool {
			s.must(t, m, "GET", slow, nil, nil)
			before := s.queries(t, m)
			for range 5 {
				s.must(t, m, "GET", slow, nil, nil)
			}
			return s.queries(t, m) == before
		})
	}
}

// sleeps has queries of the view take that long from now on, on every node.
func (s *stage) sleeps(t *testing.T, d time.Duration) {
	t.Helper()
	_, err := s.SQL(t.Context(), fmt.Sprintf("UPDATE pace SET seconds = %v", d.Seconds()))
	must(t, err)
	must(t, s.WaitReplayed(t.Context()))
	still(t, 300*time.Millisecond) // some probes: servers know then that replicas will do
}

// asleep waits until a query of the view sleeps on a replica, and is which one.
func (s *stage) asleep(t *testing.T) (replica int) {
	t.Helper()
	soon(t, "a query sleeps on a replica", func() bool {
		for i := 1; i <= 2; i++ {
			if n, err := s.Node(i).Exec(t.Context(), "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"); err == nil && n == "t" {
				replica = i
			}
		}
		return replica > 0
	})
	return replica
}

// slowShows checks what every member shows of the first counter in the view.
func (s *stage) slowShows(t *testing.T, want int64) {
	t.Helper()
	for _, m := range s.Members {
		if n, a, ok := s.tryAt(t.Context(), m, slow, ""); !ok || n != want {
			t.Errorf("the view of %s shows %d (%v) after the write of %d was answered", m.Name, n, a, want)
		}
	}
}

// TestSchedule4: a write comes between the snapshot of a query and the position that is
// asked for behind it. What the query shows must not be taken for new, nor be kept as if
// it were.
func TestSchedule4(t *testing.T) {
	s := newStage(t, target.ClusterOptions{})
	s.slowView(t)
	for n := int64(1); n < 4; n++ {
		s.set(t, s.Members[1], 1, n) // what is kept of the view does not hold any more
		s.sleeps(t, 400*time.Millisecond)
		var all sync.WaitGroup
		for _, m := range s.Members {
			all.Go(func() {
				if a := s.ask(t.Context(), m, "GET", slow, "", nil); a.status != http.StatusOK {
					t.Errorf("the slow query of %s: %v", m.Name, a)
				}
			})
		}
		s.asleep(t)
		s.set(t, s.Members[0], 0, n)
		s.everywhere(t, 0, n)
		s.slowShows(t, n)
		all.Wait()
		s.slowShows(t, n) // what the slow queries have brought is kept, if anybody does
	}
}

// TestSchedule11: the replica that slow queries run on is promoted meanwhile, and written
// to at once. Over a connection that survives, it says that it is where it was as a replica,
// and shows what has come since. That is not believed: who were shown it would be shown the
// past by the next server.
func TestSchedule11(t *testing.T) {
	s := newStage(t, target.ClusterOptions{})
	s.slowView(t)
	s.set(t, s.Members[0], 0, 1)
	s.sleeps(t, 2*time.Second)
	w := s.watching(t, 1, s.Members...)
	var asked sync.WaitGroup
	for _, m := range s.Members {
		for _, path := range []string{slow, "/api/collections/slow/records?filter=id='" + keyID(0) + "'"} {
			asked.Go(func() { w.lookAt(t.Context(), t, m, 0, path) })
		}
	}
	heir := s.asleep(t)
	// Others are asked all the time, in words that nobody has used before, so that at any
	// moment some queries begin and some end.
	s.sleeps(t, 30*time.Millisecond)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	for _, m := range s.Members {
		for range 3 {
			asked.Go(func() {
				for ctx.Err() == nil {
					w.lookAt(ctx, t, m, 0, fmt.Sprintf("%s?fields=id,n,x%d", slow, rand.Uint64()))
				}
			})
		}
	}
	still(t, 100*time.Millisecond)
	must(t, s.Primary().Kill())
	written := make(chan struct{})
	go func() { // from the first moment on in which it can be: servers see within a tenth of a second that it was promoted
		defer close(written)
		for t.Context().Err() == nil {
			if _, err := s.Node(heir).ExecIn(t.Context(), s.Database, "UPDATE counters SET n = 2 WHERE id = '"+keyID(0)+"'"); err == nil {
				return
			}
		}
	}()
	must(t, s.Promote(t.Context(), heir))
	<-written
	soon(t, "somebody writes", func() bool {
		return s.ask(t.Context(), s.Members[0], "PATCH", records+"/"+keyID(0), "", value(3)).status == http.StatusOK
	})
	w.answered(0, 3)
	s.ready(t)
	still(t, lease)
	stop()
	asked.Wait()
	w.end()
	for n := int64(4); n < 9; n++ {
		s.set(t, s.Members[n%3], 0, n)
		s.everywhere(t, 0, n)
		for range 2 {
			s.slowShows(t, n)
		}
	}
	t.Logf("%d answers, %d refused", w.answers.Load(), w.refused.Load())
}
