package failover

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
)

// The schedules that break weaker designs, one by one, on real servers. They are
// numbered as in the design of the data path.

// stage is a server on a primary with replicas, and records to play with.
type stage struct {
	*load
	*localcluster.Replicated
	aged atomic.Int64 // answers to get that were marked with their age
}

func newStage(t *testing.T, replicas int) *stage {
	t.Helper()
	c := localclustertest.Replicated(t, replicas, localcluster.ReplicatedOptions{})
	must(t, c.Primary().CreateDatabase(t.Context(), database))
	must(t, c.WaitReplayed(t.Context()))
	l, err := newLoad(t.Context(), serve(t, c.URL(database, "postgres")))
	must(t, err)
	must(t, c.WaitReplayed(t.Context()))
	return &stage{load: l, Replicated: c}
}

// slowView makes a collection that shows the counters after a while: its snapshot
// is taken before.
func (s *stage) slowView(t *testing.T, d time.Duration) {
	t.Helper()
	var login struct{ Token string }
	must(t, s.must(t.Context(), "POST", "/api/collections/_superusers/auth-with-password", "",
		map[string]any{"identity": s.server.Email, "password": s.server.Password}, &login))
	must(t, s.must(t.Context(), "POST", "/api/collections", login.Token, map[string]any{
		"name": "slow", "type": "view", "listRule": "", "viewRule": "",
		"viewQuery": "SELECT id, n FROM counters",
	}, nil))
	// Pando lets no view sleep; another program can have it do so.
	query, err := s.Primary().ExecIn(t.Context(), database, "SELECT rtrim(pg_get_viewdef('slow'::regclass), '; ')")
	must(t, err)
	_, err = s.Primary().ExecIn(t.Context(), database,
		fmt.Sprintf("CREATE OR REPLACE VIEW slow AS SELECT q.* FROM (%s) q, pg_sleep(%v) s", query, d.Seconds()))
	must(t, err)
	must(t, s.WaitReplayed(t.Context()))
}

// get reads, as a client that has seen pos ("": one that keeps none), and gives
// what it has seen then.
func (s *stage) get(t *testing.T, path, pos string, out any) (seen string, reset bool) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", s.server.URL+path, nil)
	if err == nil && pos != "" {
		req.Header.Set("X-Pos", pos)
	}
	var res *http.Response
	if err == nil {
		res, err = s.http.Do(req)
	}
	if err != nil {
		t.Error(err)
		return "", false
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err == nil {
		err = json.Unmarshal(data, out)
	}
	if err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("GET %s: %s: %s, %v", path, res.Status, data, err)
	}
	if res.Header.Get("Age") != "" {
		s.aged.Add(1)
	}
	return res.Header.Get("X-Pos"), res.Header.Get("X-Pos-Reset") != ""
}

// value is that of one record, by the server.
func (s *stage) value(t *testing.T, i int, pos string) (n int64, seen string, reset bool) {
	t.Helper()
	var got struct{ N int64 }
	seen, reset = s.get(t, records+"/"+keyID(i), pos, &got)
	return got.N, seen, reset
}

func (s *stage) set(t *testing.T, i int, n int64) {
	t.Helper()
	must(t, s.must(t.Context(), "PATCH", records+"/"+keyID(i), "", map[string]any{"n": n}, nil))
}

// on is what a node itself shows.
func on(t *testing.T, n *localcluster.Postgres, i int) string {
	t.Helper()
	text, err := n.ExecIn(t.Context(), database, "SELECT n FROM counters WHERE id = '"+keyID(i)+"'")
	must(t, err)
	return text
}

func soon(t *testing.T, what string, look func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for ; !look(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not within 20 s: ", what)
		}
	}
}

// TestSchedule3: the synchronous standby is frozen. A commit is in the log, and
// another replica shows it, long before the primary does: nobody is shown it, or
// he could be shown the old value by the primary afterwards.
func TestSchedule3(t *testing.T) {
	s := newStage(t, 2)
	must(t, s.Primary().Set(t.Context(), "synchronous_standby_names", `FIRST 1 ("`+s.Node(2).Name()+`")`))
	s.set(t, 0, 1)
	must(t, s.WaitReplayed(t.Context()))
	must(t, s.Node(2).Freeze())
	answered := make(chan error, 1)
	go func() {
		answered <- s.must(context.Background(), "PATCH", records+"/"+keyID(0), "", map[string]any{"n": 2}, nil)
	}()
	soon(t, "a replica shows what the primary does not", func() bool {
		return on(t, s.Node(1), 0) == "2" && on(t, s.Primary(), 0) == "1"
	})
	pos := "0"
	s.aged.Store(0)
	for range 200 {
		for _, keeps := range []bool{false, true} {
			before := s.aged.Load()
			n, seen, _ := s.value(t, 0, map[bool]string{true: pos}[keeps])
			if n != 1 && s.aged.Load() == before {
				t.Fatalf("%d is shown while its commit waits", n)
			}
			if keeps {
				pos = seen
			}
		}
	}
	// An answer that is marked promises less (docs/guarantees.md). The primary is there,
	// so there is none unless the machine lets it answer nothing for half a second.
	if n := s.aged.Load(); n > 200 {
		t.Errorf("%d of 400 answers are marked with their age", n)
	}
	must(t, s.Node(2).Thaw())
	must(t, <-answered)
	for range 50 {
		if n, _, _ := s.value(t, 0, ""); n != 2 {
			t.Fatalf("%d is shown after the write of 2 was answered", n)
		}
	}
}

// TestSchedule4: a write comes between the snapshot of a query and the position
// that is asked for behind it. What the query shows is old then; its position must
// not make anybody take it for new, nor any replica for good.
func TestSchedule4(t *testing.T) {
	s := newStage(t, 2)
	s.slowView(t, 700*time.Millisecond)
	s.set(t, 0, 1)
	must(t, s.WaitReplayed(t.Context()))
	must(t, s.Node(2).PauseReplay(t.Context()))
	defer s.Node(2).ResumeReplay(t.Context())
	var all sync.WaitGroup
	for _, pos := range []string{"", "0"} {
		all.Go(func() {
			var old struct{ N int64 }
			began := time.Now()
			seen, _ := s.get(t, "/api/collections/slow/records/"+keyID(0), pos, &old)
			if time.Since(began) < 700*time.Millisecond {
				t.Error("the query was not slow")
			}
			// Whoever goes on with that position is shown what was answered meanwhile.
			for range 50 {
				if n, _, _ := s.value(t, 0, seen); n != 2 {
					t.Errorf("%d is shown after the write of 2 was answered", n)
				}
			}
		})
	}
	still(t, 250*time.Millisecond) // within the queries
	s.set(t, 0, 2)
	var now struct{ N int64 }
	if s.get(t, "/api/collections/slow/records/"+keyID(0), "", &now); now.N != 2 {
		t.Errorf("the view shows %d after the write of 2 was answered", now.N)
	}
	all.Wait()
}

// TestSchedule10: a failover takes back what somebody has seen, and the new
// timeline uses its positions again. They are void all the same.
func TestSchedule10(t *testing.T) {
	s := newStage(t, 1)
	s.set(t, 0, 1)
	must(t, s.WaitReplayed(t.Context()))
	_, kept, _ := s.value(t, 0, "0")
	must(t, s.Primary().FreezeSenders())
	s.set(t, 0, 2)
	n, lost, _ := s.value(t, 0, kept)
	if n != 2 || lost <= kept {
		t.Fatalf("%d is shown, at %s after %s", n, lost, kept)
	}
	must(t, s.Primary().Kill())
	must(t, s.Promote(t.Context(), 1))
	s.untilWritten(t) // which sets the record to 1
	reused := strings.Split(lost, "-")[1]
	soon(t, "the new timeline has come as far", func() bool {
		s.set(t, 1, 1)
		n, err := s.Primary().Exec(t.Context(), "SELECT lpad(to_hex((pg_current_wal_flush_lsn() - '0/0')::bigint), 16, '0')")
		must(t, err)
		return n > reused
	})
	for range 20 {
		n, seen, reset := s.value(t, 0, lost)
		if n != 1 || !reset || !strings.HasPrefix(seen, "00000002-") {
			t.Fatalf("%d is shown at %s to who saw %s, which is lost; told so: %v", n, seen, lost, reset)
		}
		if n, _, reset := s.value(t, 0, kept); n != 1 || reset {
			t.Fatalf("%d is shown to who saw %s, which was kept; told of a loss: %v", n, kept, reset)
		}
	}
}

// TestSchedule11: the replica that a slow query runs on is promoted meanwhile. Its
// connection survives, and its position stands still while it shows the new
// timeline: what comes over it is not believed.
func TestSchedule11(t *testing.T) {
	s := newStage(t, 1)
	s.slowView(t, 1500*time.Millisecond)
	s.set(t, 0, 1)
	must(t, s.WaitReplayed(t.Context()))
	still(t, 400*time.Millisecond) // some probes, which say so to the server
	var all sync.WaitGroup
	for _, pos := range []string{"", "0"} {
		all.Go(func() {
			var got struct{ N int64 }
			seen, reset := s.get(t, "/api/collections/slow/records/"+keyID(0), pos, &got)
			if got.N != 1 || reset || pos != "" && !strings.HasPrefix(seen, "00000002-") {
				t.Errorf("the query shows %d at %q, reset %v", got.N, seen, reset)
			}
		})
	}
	// There is one, since both ask for the same; or two, where nothing is cached.
	soon(t, "the queries run on the replica", func() bool {
		n, err := s.Node(1).Exec(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
		return err == nil && n != "0"
	})
	must(t, s.Primary().Kill())
	must(t, s.Promote(t.Context(), 1))
	all.Wait()
	s.untilWritten(t)
	s.set(t, 0, 3)
	for range 20 {
		if n, _, _ := s.value(t, 0, "0"); n != 3 {
			t.Fatalf("%d is shown after the write of 3 was answered", n)
		}
	}
}
