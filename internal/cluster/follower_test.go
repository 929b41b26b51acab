package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pandobase/pando/internal/position"
)

const followSecret = "0123456789abcdef"

// webServer is a server whose private address load balancers can ask.
type webServer struct {
	node  *Node
	life  *life
	addr  string
	http  *http.Server
	leave context.CancelFunc
	done  sync.WaitGroup
}

func startWeb(t *testing.T, w *world, s *Secret, id string) *webServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d, err := NewDoor(l, s, id, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := &webServer{life: &life{wake: make(chan struct{})}, addr: l.Addr().String()}
	m.node = New(Config{
		Clock:    position.NewClock(position.NewStreamIndex(position.Epoch{}, 0, 1), time.Second),
		Registry: &registry{w, m.life}, Database: &database{w, m.life}, Transport: NewTransport(d),
		Self: Member{ID: id, Boot: id + "1", Address: m.addr, Version: "v-" + id}, Slots: 64,
	})
	ctx, cancel := context.WithCancel(t.Context())
	m.leave = cancel
	m.http = &http.Server{Handler: http.HandlerFunc(m.node.ServeRoster)}
	m.done.Go(func() { m.node.Run(ctx) })
	m.done.Go(func() { _ = m.http.Serve(d.Control()) })
	t.Cleanup(m.stop)
	return m
}

// stop ends it in order, once.
func (m *webServer) stop() {
	_ = m.http.Close()
	m.leave()
	m.done.Wait()
}

// followed is what a load balancer knows.
type followed struct {
	mu   sync.Mutex
	list []Member
	sets int
}

func (f *followed) set(list []Member) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list, f.sets = list, f.sets+1
}

func (f *followed) told() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sets
}

func (f *followed) ids() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var ids []string
	for _, m := range f.list {
		id := m.ID
		if m.Draining {
			id += " (draining)"
		}
		ids = append(ids, id)
	}
	return strings.Join(ids, ", ")
}

// TestFollowMembers: a load balancer that is told of one member finds all, within a
// second of their joining; it is told who is about to go; whoever tells it may go, and
// the database too, and it goes on with those it knows.
func TestFollowMembers(t *testing.T) {
	w := newWorld(t)
	s := secret(t, followSecret)
	a := startWeb(t, w, s, "a")
	front, err := s.Front("lb1")
	if err != nil {
		t.Fatal(err)
	}
	var f followed
	ctx, stop := context.WithCancel(t.Context())
	var following sync.WaitGroup
	following.Go(func() {
		// The first seed never answers.
		if err := front.Follow(ctx, []string{"127.0.0.1:1", a.addr}, slog.New(slog.DiscardHandler), f.set); !errors.Is(err, context.Canceled) {
			t.Errorf("follow: %v", err)
		}
	})
	defer following.Wait()
	defer stop()
	is := func(want string) {
		t.Helper()
		eventually(t, want, func() bool { return f.ids() == want })
	}
	is("a")
	joins := func(id, want string) *webServer {
		m := startWeb(t, w, s, id)
		<-m.node.joined
		began := time.Now()
		is(want)
		if took := time.Since(began); took > 3*time.Second { // the goal, and what a busy machine adds
			t.Errorf("%s was found after %s", id, took)
		}
		return m
	}
	b := joins("b", "a, b")
	c := joins("c", "a, b, c")
	// One that is marked by somebody, and unmarked.
	for _, yes := range []bool{true, false} {
		if ok, err := b.node.cfg.Registry.Drain(t.Context(), "b", yes); !ok || err != nil {
			t.Fatalf("drain: %v, %v", ok, err)
		}
		is(map[bool]string{true: "a, b (draining), c", false: "a, b, c"}[yes])
		eventually(t, "b knows", func() bool { return b.node.Draining() == yes })
	}
	// Whoever is asked goes: it says so, another one is asked, and then its row is gone.
	if err := a.node.Leave(t.Context()); err != nil || !a.node.Draining() {
		t.Errorf("leave: %v", err)
	}
	is("a (draining), b, c")
	a.stop()
	is("b, c")
	// Without the database: what is known stays, and nobody is asked in vain for long.
	for _, m := range []*webServer{b, c} {
		m.life.offline.Store(true)
	}
	w.setDown(true)
	before := f.told()
	eventually(t, "b has not heard of the database for a while", func() bool {
		now, _ := b.node.rosterNow()
		return now.Age > followStale
	})
	if got := f.ids(); got != "b, c" || f.told() != before {
		t.Errorf("without the database: %s, told %d times", got, f.told()-before)
	}
	w.setDown(false)
	for _, m := range []*webServer{b, c} {
		m.life.offline.Store(false)
	}
	joins("d", "b, c, d")
}

// TestLeaveWithoutDatabase: load balancers are told even so.
func TestLeaveWithoutDatabase(t *testing.T) {
	w := newWorld(t)
	a := startWeb(t, w, secret(t, followSecret), "a")
	<-a.node.joined
	first := a.node.Roster(t.Context(), "")
	for len(first.Members) == 0 {
		first = a.node.Roster(t.Context(), first.Version)
	}
	told := make(chan Roster)
	go func() { told <- a.node.Roster(t.Context(), first.Version) }()
	a.life.offline.Store(true)
	if err := a.node.Leave(t.Context()); err == nil {
		t.Error("the database was told although it could not be")
	}
	if now := <-told; len(now.Members) != 1 || !now.Members[0].Draining {
		t.Errorf("load balancers are told of %+v", now.Members)
	}
}

// TestFind: who has joined before somebody asks for it is found, however lately the
// database was asked for others; and many who ask in vain are not many questions.
func TestFind(t *testing.T) {
	w := newWorld(t)
	a := startWeb(t, w, secret(t, followSecret), "a")
	<-a.node.joined
	named := func(id string) func(Member) bool { return func(m Member) bool { return m.ID == id } }
	for i := range 20 {
		id := fmt.Sprintf("n%d", i)
		w.mu.Lock()
		w.rows[id] = Member{ID: id, Address: "127.0.0.1:1"}
		w.mu.Unlock()
		if m, ok := a.node.Find(t.Context(), named(id)); !ok || m.ID != id {
			t.Fatalf("%s has joined, and is not found", id)
		}
	}
	w.mu.Lock()
	before := w.asked
	w.mu.Unlock()
	began := time.Now()
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			for range 4 {
				if m, ok := a.node.Find(t.Context(), named("nobody")); ok {
					t.Errorf("%+v is found", m)
				}
			}
		})
	}
	all.Wait()
	w.mu.Lock()
	if most := int(time.Since(began)/findPause) + 5; w.asked-before > most {
		t.Errorf("200 questions are %d of the database in %v, want %d at most", w.asked-before, time.Since(began), most)
	}
	w.mu.Unlock()
	// Without the database one finds that out for all who came before.
	a.life.offline.Store(true)
	began = time.Now()
	for range 50 {
		all.Go(func() {
			if m, ok := a.node.Find(t.Context(), named("nobody")); ok {
				t.Errorf("%+v is found", m)
			}
		})
	}
	all.Wait()
	if took, bound := time.Since(began), 5*a.node.cfg.Deadline; took > bound {
		t.Errorf("50 have asked in vain for %v, want %v", took, bound)
	}
}

// TestMuster: a row that vanishes takes a server away at once only if it was marked.
func TestMuster(t *testing.T) {
	a, b, marked := Member{ID: "a", Address: "a:1"}, Member{ID: "b", Address: "b:1"}, Member{ID: "b", Address: "b:1", Draining: true}
	at := func(s float64) time.Time { return time.Unix(0, 0).Add(time.Duration(s * float64(time.Second))) }
	var u Muster
	for _, c := range []struct {
		at      float64
		list    []Member
		changed bool
		ids     string
	}{
		{0, []Member{b, a}, true, "ab"},
		{1, []Member{a, {ID: "b", Address: "b:1", Beat: 7, Load: 0.5}}, false, "ab"},
		{2, []Member{a}, false, "ab"},       // lost
		{11, []Member{a}, false, "ab"},      // for 9 s
		{11.5, []Member{a, b}, false, "ab"}, // back
		{12, []Member{a}, false, "ab"},
		{22, []Member{a}, true, "a"}, // for 10 s
		{23, []Member{a, b}, true, "ab"},
		{24, []Member{a, marked}, true, "ab"},
		{25, []Member{a}, true, "a"}, // it had said so
		{26, nil, false, "a"},
		{27, []Member{{ID: "a", Address: "a:2"}}, true, "a"},
		{28, []Member{{ID: "a", Address: "a:2", Boot: "2"}}, true, "a"},
	} {
		changed := u.Take(c.list, at(c.at))
		ids := ""
		for _, m := range u.Members() {
			ids += m.ID
		}
		if changed != c.changed || ids != c.ids {
			t.Errorf("at %v: changed %v, %s; want %v, %s", c.at, changed, ids, c.changed, c.ids)
		}
	}
}

// TestFollowRegistry: the database is read four times a second; without it nothing
// changes.
func TestFollowRegistry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		list, down := []Member{{ID: "a", Address: "a:1"}}, false
		asked := 0
		ask := func(context.Context) ([]Member, error) {
			mu.Lock()
			defer mu.Unlock()
			asked++
			if down {
				return nil, errDown
			}
			return slices.Clone(list), nil
		}
		var f followed
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- FollowRegistry(ctx, ask, slog.New(slog.DiscardHandler), f.set) }()
		after := func(d time.Duration, want string, sets int) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			if got := f.ids(); got != want || f.told() != sets {
				t.Errorf("after %s: %s, told %d times; want %s, %d", d, got, f.told(), want, sets)
			}
		}
		change := func(x func()) {
			mu.Lock()
			defer mu.Unlock()
			x()
		}
		after(time.Second, "a", 1)
		change(func() { list = append(list, Member{ID: "b", Address: "b:1"}) })
		after(300*time.Millisecond, "a, b", 2)
		change(func() { down = true })
		after(time.Minute, "a, b", 2)
		change(func() { down, list = false, list[1:] })
		after(300*time.Millisecond, "a, b", 2)
		after(11*time.Second, "b", 3)
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if asked < 200 || asked > 300 {
			t.Errorf("asked %d times in 73 s", asked)
		}
	})
}

func FuzzRoster(f *testing.F) {
	f.Add([]byte(`{"server":"a","version":"x.1","ageMs":3,"members":[{"id":"a","boot":"1","address":"10.0.0.1:1","draining":true,"load":0.5}]}`))
	f.Add([]byte(`{"members":[{"id":"a"},{"id":"a"}]}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		body, err := parseRoster(b)
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, m := range body.Members {
			if m.ID == "" || m.Address == "" || seen[m.ID] {
				t.Errorf("%q gives a server %+v", b, m)
			}
			seen[m.ID] = true
		}
	})
}
