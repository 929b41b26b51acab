package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pandobase/pando/test/target"
)

// TestSchedule1: somebody reads an old row from replicas that stand still, while it is
// written. What was read must not be kept as if it were new.
func TestSchedule1(t *testing.T) {
	s := newStage(t, target.ClusterOptions{})
	web1, web2 := s.Members[0], s.Members[1]
	for round := range int64(2) {
		i, old := int(round), round+1
		s.set(t, web1, i, old)
		must(t, s.WaitReplayed(t.Context()))
		for _, n := range s.Nodes()[1:] {
			must(t, n.PauseReplay(t.Context()))
		}
		w := s.watching(t, i+1, s.Members...)
		for n := old + 1; n < old+10; n++ {
			s.set(t, web2, i, n)
			w.answered(i, n)
		}
		s.everywhere(t, i, old+9)
		for _, n := range s.Nodes()[1:] {
			must(t, n.ResumeReplay(t.Context()))
		}
		must(t, s.WaitReplayed(t.Context()))
		s.everywhere(t, i, old+9)
		w.end()
	}
}

// TestSchedule2: one of two replicas is late by seconds. Whoever has seen something by
// the other one is not shown less by this one.
func TestSchedule2(t *testing.T) {
	s := newStage(t, target.ClusterOptions{})
	must(t, s.Node(2).ReplayDelay(t.Context(), 5*time.Second))
	w := s.watching(t, 10, s.Members...)
	for n := int64(1); n < 30; n++ {
		i, m := int(n)%10, s.Members[int(n)%3]
		s.set(t, m, i, n)
		w.answered(i, n)
		for _, m := range s.Members {
			w.look(t.Context(), t, m, i)
		}
	}
	w.end()
	if n := w.answers.Load(); n < 200 {
		t.Errorf("only %d answers", n)
	}
}

// TestSchedule3: the synchronous standby is frozen. A commit is in the log, and another
// replica shows it, long before the primary does: nobody is shown it, or he could be
// shown the old value by the primary afterwards.
func TestSchedule3(t *testing.T) {
	s := newStage(t, target.ClusterOptions{Synchronous: true})
	s.set(t, s.Members[0], 0, 1)
	s.inTime(t, func(n int64) bool {
		answered := make(chan answer, 1)
		go func() {
			answered <- s.ask(context.Background(), s.Members[0], "PATCH", records+"/"+keyID(0), "", value(n))
		}()
		s.waits(t, n)
		all := s.shown(t, 30, n-1)
		must(t, s.Node(2).Thaw())
		if a := <-answered; a.status != http.StatusOK {
			t.Fatal(a)
		}
		return all
	})
}

// inTime has record 0 be written (2, and then on) with the synchronous standby frozen, until
// it says that all members have answered reads meanwhile. They do for as long as they have
// leases; a machine can be too busy to ask them in that time.
func (s *stage) inTime(t *testing.T, write func(n int64) bool) {
	t.Helper()
	for n := int64(2); ; n++ {
		must(t, s.WaitReplayed(t.Context()))
		s.warm(t, 1, n-1)
		must(t, s.Node(2).Freeze())
		all := write(n)
		soon(t, "the commit comes to its end", func() bool { return s.shows(t, 0, 0) == fmt.Sprint(n) && s.shows(t, 2, 0) == fmt.Sprint(n) })
		s.ready(t)
		s.written(t) // who writes after it is answered after it
		s.everywhere(t, 0, n)
		if all {
			return
		}
		if n == 4 {
			t.Fatal("not all members have answered reads while a commit waits, in three tries: that says nothing")
		}
	}
}

// waits waits until a replica shows the commit of n, and the primary does not.
func (s *stage) waits(t *testing.T, n int64) {
	t.Helper()
	soon(t, "a replica shows what the primary does not", func() bool {
		return s.shows(t, 1, 0) == fmt.Sprint(n) && s.shows(t, 0, 0) == fmt.Sprint(n-1)
	})
}

// shown reads record 0 while a commit of it waits, so many times by every member, and with
// little patience; true if each has answered.
func (s *stage) shown(t *testing.T, times int, want int64) bool {
	t.Helper()
	answered := make([]int, len(s.Members))
	for range times {
		for i, m := range s.Members {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			n, _, ok := s.try(ctx, m, 0, "")
			cancel()
			if ok && n != want {
				t.Fatalf("%s shows %d while its commit waits", m.Name, n)
			}
			if ok {
				answered[i]++
			}
		}
	}
	t.Logf("%d reads of each, answered %v", times, answered)
	return !slices.Contains(answered, 0)
}

// shows is what a node itself does of a record.
func (s *stage) shows(t *testing.T, node, i int) string {
	t.Helper()
	text, err := s.Node(node).ExecIn(t.Context(), s.Database, "SELECT n FROM counters WHERE id = '"+keyID(i)+"'")
	must(t, err)
	return text
}

// TestSchedule13: several requests of one client are under way at once, on several
// servers: reads beside a write, one after the other is answered. All that they have in
// common is the client's token.
func TestSchedule13(t *testing.T) {
	s := newStage(t, target.ClusterOptions{})
	s.all = true
	must(t, s.Node(2).ReplayDelay(t.Context(), 300*time.Millisecond))
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := int64(1); n <= 15; n++ {
				a := s.ask(t.Context(), s.Members[(i+int(n))%3], "PATCH", records+"/"+keyID(i), "", value(n))
				if a.status != http.StatusOK {
					t.Errorf("write: %v", a)
				}
				var both sync.WaitGroup
				for k := range 3 {
					both.Go(func() {
						if got, _ := s.get(t, s.Members[k], i, ""); got != n {
							t.Errorf("%s shows %d after the write of %d was answered", s.Members[k].Name, got, n)
						}
					})
				}
				both.Wait()
			}
		})
	}
	all.Wait()
}

// TestSchedule14: a client gives up while its commit waits for the synchronous standby.
// It is told of no success, and nobody is shown the value before the standby has it.
func TestSchedule14(t *testing.T) {
	s := newStage(t, target.ClusterOptions{Synchronous: true})
	s.set(t, s.Members[0], 0, 1)
	s.inTime(t, func(n int64) bool {
		ctx, giveUp := context.WithCancel(t.Context())
		defer giveUp()
		answered := make(chan answer, 1)
		go func() { answered <- s.ask(ctx, s.Members[0], "PATCH", records+"/"+keyID(0), "", value(n)) }()
		s.waits(t, n)
		giveUp()
		if a := <-answered; a.status == http.StatusOK {
			t.Errorf("it was answered: %v", a)
		}
		all := s.shown(t, 10, n-1)
		must(t, s.Node(2).Thaw())
		return all
	})
}

// TestManyRecordsAtOnce: of a transaction that changes more records than the stream
// names one by one, a replica that has not replayed it shows none.
func TestManyRecordsAtOnce(t *testing.T) {
	s := newStage(t, target.ClusterOptions{Replicas: 1, Caches: 1})
	s.must(t, s.Members[0], "POST", "/api/collections", object{
		"name": "many", "type": "base", "listRule": "", "viewRule": "", "fields": []any{object{"name": "n", "type": "number"}},
	}, nil)
	_, err := s.SQL(t.Context(), "INSERT INTO many (id, n) SELECT 'many' || lpad(i::text, 11, '0'), 0 FROM generate_series(1, 10001) i")
	must(t, err)
	s.ready(t)
	for n := int64(1); n < 4; n++ {
		must(t, s.WaitReplayed(t.Context()))
		must(t, s.Node(1).PauseReplay(t.Context()))
		_, err = s.SQL(t.Context(), fmt.Sprintf("UPDATE many SET n = %d", n))
		must(t, err)
		s.set(t, s.Members[n%3], 0, n) // when that is answered, everybody knows of what was before
		for i, m := range s.Members {
			for _, query := range []string{"", fmt.Sprint("?fields=id,n,x", n)} {
				path := fmt.Sprintf("/api/collections/many/records/many%011d%s", 1+i, query)
				if a := s.ask(t.Context(), m, "GET", path, "", nil); a.status != http.StatusOK || !strings.Contains(string(a.body), fmt.Sprintf(`"n":%d`, n)) {
					t.Errorf("%s shows %d %s, want n %d", m.Name, a.status, a.body, n)
				}
			}
		}
		must(t, s.Node(1).ResumeReplay(t.Context()))
	}
}

// TestListsAreOfOneHistory: of two commits the primary shows the later one first, and a
// list that was read in between is not answered: a replica shows the one before first.
func TestListsAreOfOneHistory(t *testing.T) {
	s := newStage(t, target.ClusterOptions{Replicas: 1, Caches: none, Synchronous: true})
	web := s.Members[0]
	for n := int64(1); n < 4; n++ {
		s.ready(t)
		s.Link(1).Down()
		first := make(chan error, 1)
		go func() {
			_, err := s.SQL(t.Context(), fmt.Sprintf("UPDATE counters SET n = %d WHERE id = '%s'", n, keyID(0)))
			first <- err
		}()
		soon(t, "a commit waits for the replica", func() bool {
			waiting, err := s.SQL(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query LIKE 'UPDATE counters%'")
			must(t, err)
			return waiting != "0"
		})
		_, err := s.SQL(t.Context(), fmt.Sprintf("SET synchronous_commit = local; UPDATE counters SET n = %d WHERE id = '%s'", n, keyID(1)))
		must(t, err)
		shown, err := s.SQL(t.Context(), "SELECT string_agg(n::text, ',' ORDER BY id) FROM counters WHERE id < '"+keyID(2)+"'")
		must(t, err)
		if want := fmt.Sprintf("%d,%d", n-1, n); shown != want {
			t.Fatalf("the primary shows %s, want %s", shown, want)
		}
		listed := make(chan map[string]int64, 1)
		go func() { listed <- s.list(t, web, fmt.Sprint(records, "?perPage=500&fields=id,n,x", n)) }()
		still(t, 250*time.Millisecond)
		must(t, s.Link(1).Up())
		must(t, <-first)
		if got := <-listed; got[keyID(0)] < got[keyID(1)] {
			t.Errorf("a list has %d beside the later %d", got[keyID(0)], got[keyID(1)])
		}
	}
}

// TestAReadShowsNothingThatOthersDoNotKnow: the tailer is frozen, for less than a lease,
// when another program commits. A read that sees that is not answered before every server
// knows of it: the next one would answer with what was before.
func TestAReadShowsNothingThatOthersDoNotKnow(t *testing.T) {
	s := newStage(t, target.ClusterOptions{Replicas: 1, Caches: none})
	for n := int64(1); n < 9; n++ {
		tailer, others := s.tailer(t)
		fresh, remembers := others[0], others[1]
		s.everywhere(t, 0, n-1)
		w := s.watching(t, 1, remembers)
		ctx, stop := context.WithCancel(t.Context())
		var asking sync.WaitGroup
		for range 4 {
			asking.Go(func() {
				for ctx.Err() == nil { // in words that nobody has used before, so that the database is asked
					a := s.ask(ctx, fresh, "GET", fmt.Sprintf("%s/%s?fields=id,n,x%d", records, keyID(0), rand.Uint64()), "", nil)
					var got struct{ N int64 }
					if a.status == http.StatusOK && !a.old && json.Unmarshal(a.body, &got) == nil {
						w.answered(0, got.N)
					}
				}
			})
		}
		must(t, tailer.Freeze())
		_, err := s.SQL(t.Context(), fmt.Sprintf("UPDATE counters SET n = %d WHERE id = '%s'", n, keyID(0)))
		must(t, err)
		still(t, lease/2)
		must(t, tailer.Thaw())
		stop()
		asking.Wait()
		w.end()
		s.ready(t)
		soon(t, "it is seen", func() bool { got, _ := s.get(t, fresh, 0, ""); return got == n })
	}
}
