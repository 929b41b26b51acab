package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/test/target"
)

// TestSchedule5: a server is killed when its COMMIT has returned, before it does
// anything else. Nobody else goes on with what was before.
func TestSchedule5(t *testing.T) {
	s := newStage(t, target.ClusterOptions{})
	web1, others := s.Members[0], s.Members[1:]
	for n := int64(1); n < 4; n++ {
		s.everywhere(t, 0, n-1) // it is in every cache
		killed := make(chan struct{})
		var once sync.Once
		web1.ToNode[0].Watch(func(c localcluster.Chunk) bool {
			if !c.Up && bytes.Contains(c.Data, []byte("COMMIT\x00")) && s.shows(t, 0, 0) != "0" && s.shows(t, 0, 0) == string(rune('0'+n)) {
				once.Do(func() {
					web1.Kill()
					close(killed)
				})
				return false
			}
			return true
		})
		a := s.ask(t.Context(), web1, "PATCH", records+"/"+keyID(0), "", value(n))
		select {
		case <-killed:
		case <-time.After(10 * time.Second):
			t.Fatalf("its commit was not seen; the write: %v", a)
		}
		if a.status != 0 {
			t.Errorf("a server that was killed answers %v", a)
		}
		// Nobody was answered, so anybody may be shown either for a moment.
		w := s.watching(t, 1, others...)
		still(t, bound)
		w.end()
		for _, m := range others {
			if got, _ := s.get(t, m, 0, ""); got != n {
				t.Errorf("%s shows %d, a lease after the commit of %d", m.Name, got, n)
			}
		}
		must(t, web1.Heal())
		must(t, web1.Restart(t.Context()))
		s.ready(t)
		s.everywhere(t, 0, n)
	}
}

// TestSchedule8: a server is frozen for three leases. Meanwhile a record is written and
// access to another one is revoked elsewhere. When it goes on, under load, it shows
// neither what was before.
func TestSchedule8(t *testing.T) {
	s := newStage(t, target.ClusterOptions{})
	_, others := s.tailer(t)
	frozen, web := others[0], others[1]
	s.doorOf(t, web)
	for n := int64(1); n < 4; n++ {
		s.must(t, web, "PATCH", "/api/collections/door", object{"viewRule": ""}, nil)
		for range 20 {
			s.must(t, frozen, "GET", door, nil, nil)
			s.get(t, frozen, 0, "")
		}
		must(t, frozen.Freeze())
		began := time.Now()
		s.set(t, web, 0, n)
		s.must(t, web, "PATCH", "/api/collections/door", object{"viewRule": nil}, nil)
		t.Logf("two writes beside a frozen server took %v", time.Since(began).Round(time.Millisecond))
		var all sync.WaitGroup
		for range 10 { // they wait for it to go on
			all.Go(func() {
				if got, a, ok := s.try(t.Context(), frozen, 0, ""); ok && got != n {
					t.Errorf("it shows %d after the write of %d was answered: %v", got, n, a)
				}
			})
			all.Go(func() {
				if a := s.ask(t.Context(), frozen, "GET", door, "", nil); a.status == http.StatusOK && !a.old {
					t.Errorf("it lets somebody in after the revocation was answered: %v", a)
				}
			})
		}
		still(t, max(0, 3*lease-time.Since(began)))
		must(t, frozen.Thaw())
		all.Wait()
		s.ready(t)
		s.everywhere(t, 0, n)
	}
}

// TestSchedule9: the tailer is killed, and every slot is dropped, while others write and
// another program does. Nothing of it is missed. (Batches that come twice, late or not at
// all are not made here: TestTheOrderOfBatches and TestAGapEndsTheSession, internal/cluster.)
func TestSchedule9(t *testing.T) {
	s := newStage(t, target.ClusterOptions{})
	for n := int64(1); n < 4; n++ {
		s.everywhere(t, 0, max(0, 2*n-2))
		s.everywhere(t, 1, n-1)
		tailer, others := s.tailer(t)
		w := s.watching(t, 2, others...)
		tailer.Kill()
		_, err := s.SQL(t.Context(), "SELECT count(pg_terminate_backend(active_pid)) FROM pg_replication_slots WHERE slot_type = 'logical' AND active")
		must(t, err)
		_, err = s.SQL(t.Context(), "UPDATE counters SET n = "+string(rune('0'+n))+" WHERE id = '"+keyID(1)+"'")
		must(t, err)
		began := time.Now()
		s.set(t, others[0], 0, 2*n-1)
		w.answered(0, 2*n-1)
		t.Logf("a write took %v", time.Since(began).Round(time.Millisecond))
		s.set(t, others[1], 0, 2*n)
		w.answered(0, 2*n)
		still(t, bound)
		w.answered(1, n)
		for _, m := range others {
			soon(t, m.Name+" answers", func() bool { _, _, ok := s.try(t.Context(), m, 1, ""); return ok })
		}
		w.end()
		must(t, tailer.Restart(t.Context()))
		s.ready(t)
		s.everywhere(t, 0, 2*n)
		s.everywhere(t, 1, n)
	}
}

// TestSchedule16: all servers are replaced, one by one, under load. Nobody goes back; and
// only the one that is being replaced refuses anything, the others answer everything, also
// while one of them begins to read the log in its place.
func TestSchedule16(t *testing.T) {
	s := newStage(t, target.ClusterOptions{})
	var away atomic.Pointer[target.Member]
	excused := func(m *target.Member) bool { return m == away.Load() }
	w := s.watchingBut(t, 10, excused, s.Members...)
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	writes := 0
	all.Go(func() {
		for n := int64(1); ctx.Err() == nil; n++ {
			i := int(n) % 10
			for k := 0; ; k++ { // a writer goes on with another server
				m := s.Members[(i+k)%3]
				before := excused(m)
				a := s.ask(t.Context(), m, "PATCH", records+"/"+keyID(i), "", value(n))
				if a.status == http.StatusOK {
					break
				}
				w.refuse(t, m, a, before)
				still(t, 20*time.Millisecond)
			}
			w.answered(i, n)
			writes++
		}
	})
	for _, m := range s.Members {
		still(t, 300*time.Millisecond)
		away.Store(m)
		m.Stop()
		if code, err := m.Wait(t.Context()); err != nil || code != 0 {
			t.Errorf("%s ended with %d, %v", m.Name, code, err)
		}
		must(t, m.Restart(t.Context()))
		away.Store(nil)
	}
	still(t, 300*time.Millisecond)
	stop()
	all.Wait()
	w.end()
	t.Logf("%d answers, %d refused, %d writes", w.answers.Load(), w.refused.Load(), writes)
	s.ready(t)
}

// TestSchedule18: the tailer is frozen, and not killed. Others go on without it within a
// moment, and when it thaws it does no harm.
func TestSchedule18(t *testing.T) {
	s := newStage(t, target.ClusterOptions{})
	var worst, away time.Duration
	for n := int64(1); n < 4; n++ {
		tailer, others := s.tailer(t)
		s.everywhere(t, 0, max(0, 10*(n-1)+9)*min(1, n-1))
		w := s.watching(t, 1, others...)
		must(t, tailer.Freeze())
		began := time.Now()
		for k := range int64(10) {
			one := time.Now()
			s.set(t, others[k%2], 0, 10*n+k)
			w.answered(0, 10*n+k)
			worst = max(worst, time.Since(one))
		}
		for _, m := range others {
			soon(t, m.Name+" answers", func() bool { _, _, ok := s.try(t.Context(), m, 0, ""); return ok })
		}
		away = max(away, time.Since(began))
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if got, a, ok := s.try(t.Context(), tailer, 0, ""); ok && got != 10*n+9 {
					t.Errorf("the frozen one shows %d after the write of %d was answered: %v", got, 10*n+9, a)
				}
			})
		}
		still(t, max(0, 2*time.Second-time.Since(began)))
		must(t, tailer.Signal(syscall.SIGCONT))
		all.Wait()
		w.end()
		s.ready(t)
		s.everywhere(t, 0, 10*n+9)
	}
	goal := 2 * time.Second
	if !long {
		goal *= 3 // beside whatever else the machine does
	}
	if worst > goal {
		t.Errorf("a write took %v beside a frozen tailer, goal %v", worst, goal)
	}
	t.Logf("the slowest write took %v; ten writes, and an answer of both others behind them, %v", worst, away)
}

// TestWhoIsCutOffShowsAClientNothingOlder: a server that cannot reach the primary goes on
// with what it knows, and says so. A client that has seen more elsewhere, and keeps
// positions, is shown that or nothing.
func TestWhoIsCutOffShowsAClientNothingOlder(t *testing.T) {
	// Who is asked for more than it can find out waits for as long as a write does.
	s := newStage(t, target.ClusterOptions{Replicas: 1, Caches: 1, Flags: []string{"--write-wait", "2s"}})
	for _, name := range []string{"opened", "closed"} {
		s.must(t, s.Members[0], "POST", "/api/collections", object{"name": name, "type": "base"}, nil)
		s.must(t, s.Members[0], "POST", "/api/collections/"+name+"/records", object{"id": keyID(0)}, nil)
	}
	rule := func(m *target.Member, collection string, rule any) answer {
		return s.ask(t.Context(), m, "PATCH", "/api/collections/"+collection, "0", object{"viewRule": rule})
	}
	for round, c := range []struct {
		name  string
		links int  // to how many nodes, the primary first, it has none
		shows bool // the replica is left to ask
	}{{"from the primary", 1, true}, {"from all", 2, false}} {
		tailer, others := s.tailer(t)
		alone, other := others[0], others[1]
		n := int64(10 * (round + 1))
		s.set(t, other, 0, n-1)
		for collection, was := range map[string]any{"opened": nil, "closed": ""} {
			if a := rule(other, collection, was); a.status != http.StatusOK {
				t.Fatal(a)
			}
		}
		s.everywhere(t, 0, n-1) // it is in every cache
		alone.CutFrom(alone.ToNode[:c.links])
		soon(t, "it goes on with what it knows", func() bool {
			a := s.ask(t.Context(), alone, "GET", records+"/"+keyID(0), "", nil)
			return a.status == http.StatusOK && a.old
		})
		tailer.Kill() // whoever takes over is not found without the database
		var wrote answer
		soon(t, "another server writes", func() bool {
			wrote = s.ask(t.Context(), other, "PATCH", records+"/"+keyID(0), "0", value(n))
			return wrote.status == http.StatusOK
		})
		for _, path := range []string{"/" + keyID(0), "?perPage=500"} {
			a := s.ask(t.Context(), alone, "GET", records+path, wrote.pos, nil)
			switch {
			case a.status == http.StatusOK && !bytes.Contains(a.body, []byte(fmt.Sprintf(`"n":%d`, n))):
				t.Errorf("cut off %s, it shows a client that has seen %d: %s", c.name, n, a.body)
			case a.status == http.StatusOK && !c.shows, a.status != http.StatusOK && a.status != http.StatusServiceUnavailable:
				t.Errorf("cut off %s, it answers %v", c.name, a)
			case a.status != http.StatusOK && c.shows:
				t.Errorf("cut off %s, it asks nobody: %v", c.name, a)
			}
			if a.pos < wrote.pos || a.reset {
				t.Errorf("cut off %s, a client's position went from %s to %q (reset: %v)", c.name, wrote.pos, a.pos, a.reset)
			}
		}
		for collection, is := range map[string]any{"opened": "", "closed": nil} {
			changed := rule(other, collection, is)
			if changed.status != http.StatusOK {
				t.Fatal(changed)
			}
			a := s.ask(t.Context(), alone, "GET", "/api/collections/"+collection+"/records/"+keyID(0), changed.pos, nil)
			if wrong := map[string]int{"opened": http.StatusForbidden, "closed": http.StatusOK}[collection]; a.status == wrong {
				t.Errorf("cut off %s, it goes by a rule that its client knows to be changed: %v", c.name, a)
			}
		}
		if a := s.ask(t.Context(), alone, "GET", records+"/"+keyID(0), "", nil); a.status != http.StatusOK || !a.old {
			t.Errorf("cut off %s, it answers others %v", c.name, a)
		}
		must(t, alone.Heal())
		must(t, tailer.Restart(t.Context()))
		s.ready(t)
	}
}

// TestWhoIsCutOffChangesNothing: a server that cannot reach the primary does not know who
// has lost his rights meanwhile. What is sent to it then, and could be made because it
// finds the primary again soon enough, is not judged by what it knew last. Logins go on.
func TestWhoIsCutOffChangesNothing(t *testing.T) {
	s := newStage(t, target.ClusterOptions{Replicas: 1, Caches: none})
	alone, others := s.tailer(t) // who takes over is not found without the database
	other := others[0]
	const person, password = "/api/collections/people/records/eve000000000000", "eve-password"
	s.must(t, other, "POST", "/api/collections", object{"name": "people", "type": "auth", "fields": []any{object{"name": "role", "type": "text"}}}, nil)
	s.must(t, other, "POST", "/api/collections/people/records", object{
		"id": "eve000000000000", "email": "eve@example.com", "password": password, "passwordConfirm": password, "role": "editor",
	}, nil)
	s.must(t, other, "POST", "/api/collections", object{
		"name": "guarded", "type": "base", "viewRule": "", "updateRule": "@request.auth.role = 'editor'",
		"fields": []any{object{"name": "n", "type": "number"}},
	}, nil)
	const guarded = "/api/collections/guarded/records/key000000000000"
	s.must(t, other, "POST", "/api/collections/guarded/records", object{"id": keyID(0), "n": 0}, nil)
	login := func() (token string, a answer) {
		a = s.ask(t.Context(), alone, "POST", "/api/collections/people/auth-with-password", "", object{"identity": "eve@example.com", "password": password})
		var got struct{ Token string }
		if a.status == http.StatusOK {
			must(t, json.Unmarshal(a.body, &got))
		}
		return got.Token, a
	}
	token, a := login()
	if token == "" {
		t.Fatal(a)
	}
	eve := &stage{Cluster: s.Cluster, http: s.http, root: token}
	eve.must(t, alone, "PATCH", guarded, object{"n": 1}, nil)
	s.must(t, alone, "GET", guarded, nil, nil) // no replica need be asked: what that shows, nobody is shown anything older than
	alone.CutFrom(alone.ToNode[:1])
	soon(t, "it goes on with what it knows", func() bool {
		a := s.ask(t.Context(), alone, "GET", guarded, "", nil)
		return a.status == http.StatusOK && a.old
	})
	soon(t, "her role is taken away", func() bool {
		return s.ask(t.Context(), other, "PATCH", person, "", object{"role": "none"}).status == http.StatusOK
	})
	tried := make(chan answer, 1)
	go func() { tried <- eve.ask(t.Context(), alone, "PATCH", guarded, "", object{"n": 2}) }()
	still(t, 500*time.Millisecond) // it waits
	if token, a := login(); token == "" || !a.old {
		t.Errorf("a login: %v, old: %v", a, a.old)
	}
	must(t, alone.Heal())
	if a := <-tried; a.status == http.StatusOK {
		t.Errorf("who had lost her role has written: %v", a)
	}
	s.ready(t)
	var got struct{ N int64 }
	s.must(t, other, "GET", guarded, nil, &got)
	if got.N != 1 {
		t.Errorf("who had lost her role has written %d", got.N)
	}
}
