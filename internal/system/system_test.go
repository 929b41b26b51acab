package system

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What a node says of itself counts; that somebody else finds it worse is added.
func TestOf(t *testing.T) {
	s := Of(
		Node{Role: Replica, Name: "db2", Health: OK, Words: "ok"},
		Node{Role: LB, Name: "lb1", Health: OK, Words: "ok", Told: true},
		Node{Role: Web, Name: "10.0.0.2:1", ID: "b", Health: Bad, Words: "the load balancer finds it ejected"},
		Node{Role: Web, Name: "w1", ID: "a", Address: "10.0.0.1:1", Health: OK, Words: "ok", Told: true},
		Node{Role: Web, Name: "w2", ID: "b", Address: "10.0.0.2:1", Health: OK, Words: "reads the log for all", Told: true},
		Node{Role: Web, Name: "10.0.0.1:1", Address: "10.0.0.1:1", Health: OK, Words: "up"},
		Node{Role: Primary, Name: "db1", Health: OK, Words: "ok"},
		Node{Role: Replica, Name: "db1", Health: OK, Words: "ok"}, // another has seen it before the failover
	)
	type line struct {
		Role   Role
		Name   string
		Health Health
		Words  string
	}
	var got []line
	for _, n := range s.Nodes {
		got = append(got, line{n.Role, n.Name, n.Health, n.Words})
	}
	if diff := cmp.Diff([]line{
		{LB, "lb1", OK, "ok"},
		{Web, "w1", OK, "ok"},
		{Web, "w2", Bad, "reads the log for all; the load balancer finds it ejected"},
		{Primary, "db1", OK, "ok"},
		{Replica, "db2", OK, "ok"},
	}, got); diff != "" {
		t.Errorf("nodes (-want +got):\n%s", diff)
	}
	if want := "something does not work: 1 load balancer, 2 web servers (1 well), 1 primary, 1 replica"; s.Words != want || s.Health != Bad {
		t.Errorf("%s: %q, want %q", s.Health, s.Words, want)
	}
	if s := Of(); s.Health != Unknown || s.Words == "" {
		t.Errorf("nothing told: %+v", s)
	}
	if s := Of(Node{Role: Web, Name: "w"}); s.Health != OK && s.Health != Unknown {
		t.Errorf("%+v", s)
	}
}

func TestWorst(t *testing.T) {
	for _, tt := range [][3]Health{{OK, OK, OK}, {OK, Warn, Warn}, {Bad, Warn, Bad}, {Unknown, OK, Unknown}, {Unknown, Warn, Warn}} {
		if got := Worst(tt[0], tt[1]); got != tt[2] {
			t.Errorf("of %s and %s the worse is %s", tt[0], tt[1], got)
		}
	}
}

func TestWindow(t *testing.T) {
	counts := Counts{Requests: 1000, Errors: 1000, Bounds: []float64{.001, .01, .1}, Buckets: []uint64{0, 0, 0, 1000}, Hits: 7}
	w := NewWindow(func() Counts { return counts })
	began := w.looks[0].at
	var quiet Node
	w.fill(&quiet, began.Add(10*time.Millisecond))
	if quiet.Rate != nil {
		t.Error("a rate is made of hundredths of a second")
	}
	w.fill(&quiet, began.Add(time.Second))
	if quiet.Rate == nil || *quiet.Rate != 0 || quiet.P99 != nil || quiet.Errors != nil || quiet.Hits != nil {
		t.Errorf("where nothing was done it says %+v", quiet)
	}
	// 90 took up to 1 ms, 9 up to 10 ms, one longer than all.
	counts = Counts{Requests: 1100, Errors: 1001, Bounds: counts.Bounds, Buckets: []uint64{90, 99, 99, 1100}, Hits: 82, Misses: 25}
	var n Node
	w.fill(&n, began.Add(2*time.Second))
	near := func(what string, got *float64, want float64) {
		t.Helper()
		if got == nil || math.Abs(*got-want) > want/1000 {
			t.Errorf("%s is %v, want %v", what, got, want)
		}
	}
	near("the rate", n.Rate, 50)
	near("the share of errors", n.Errors, 0.01)
	near("p50", n.P50, 0.5556)
	near("p99", n.P99, 10)
	near("the share of hits", n.Hits, 0.75)
	counts.Buckets, counts.Requests = []uint64{90, 99, 99, 2000}, 2000
	w.fill(&n, began.Add(2*time.Second))
	near("p99 beyond the greatest bound", n.P99, 100)
	for i := range 2 * windowLooks {
		w.look(began.Add(time.Duration(i) * time.Second))
	}
	if len(w.looks) != windowLooks || !w.looks[0].at.Equal(began.Add(windowLooks*time.Second)) {
		t.Errorf("%d looks since %v", len(w.looks), w.looks[0].at.Sub(began))
	}
}
