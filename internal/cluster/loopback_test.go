package cluster

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/position"
)

// real is a server with everything real but the database.
type real struct {
	node  *Node
	clock *position.Clock
}

// startReal starts servers on loopback that share a world's database; secrets are
// theirs in turn.
func startReal(t testing.TB, w *world, secrets ...string) (list []*real, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for i, text := range secrets {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		id := string(rune('a' + i))
		door, err := NewDoor(l, secret(t, text), id, nil)
		if err != nil {
			t.Fatal(err)
		}
		living := &life{wake: make(chan struct{})}
		clock := position.NewClock(position.NewStreamIndex(position.Epoch{}, 0, 1), time.Second)
		n := New(Config{
			Clock: clock, Registry: &registry{w, living}, Database: &database{w, living}, Transport: NewTransport(door),
			Self: Member{ID: id, Boot: id + "1", Address: l.Addr().String()}, Slots: 1 << 16,
		})
		running.Go(func() { n.Run(ctx) })
		list = append(list, &real{n, clock})
	}
	return list, func() { cancel(); running.Wait() }
}

func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// Servers over loopback; one has another secret, and one is in a rotation.
func TestServersOverLoopback(t *testing.T) {
	w := newWorld(t)
	one, two := "0123456789abcdef", "fedcba9876543210"
	list, stop := startReal(t, w, one, one, two+" "+one, two)
	defer stop()
	// Whoever is first reads the log: the one with both secrets is let in by those that
	// know what it shows, and lets in all.
	with := func() (leased []bool) {
		for _, r := range list {
			leased = append(leased, r.clock.Index().Leased())
		}
		return leased
	}
	var tailer int
	eventually(t, "there is a tailer", func() bool {
		tailer = slices.IndexFunc(list, func(r *real) bool { return r.node.reigning() != nil })
		return tailer >= 0
	})
	want := map[int][]bool{
		0: {true, true, false, false}, // it does not know the secret that the third shows
		1: {true, true, false, false},
		2: {false, false, true, true}, // who knows only the old one does not believe what it shows
		3: {false, false, false, true},
	}[tailer]
	eventually(t, "those who have the secret have leases", func() bool {
		got := with()
		for i := range want {
			if want[i] && !got[i] {
				return false
			}
		}
		return true
	})
	for i, leased := range with() {
		if leased && !want[i] {
			t.Errorf("server %d has a lease of server %d", i, tailer)
		}
	}
	n := w.commit(1, 0)
	eventually(t, "a commit is safe", func() bool { return list[tailer].clock.Index().Safe() >= n })
}

// BenchmarkSafe is how long it takes from a commit, visible at once, until S has
// reached it on the server that made it. The database's part is nothing, but for the
// 0.2 ms that each question takes.
func BenchmarkSafe(b *testing.B) {
	for _, servers := range []int{1, 3, 8} {
		b.Run(string(rune('0'+servers)), func(b *testing.B) {
			w := newWorld(nil)
			list, stop := startReal(b, w, slices.Repeat([]string{"0123456789abcdef"}, servers)...)
			defer stop()
			eventually(b, "all have leases", func() bool {
				return !slices.ContainsFunc(list, func(r *real) bool { return !r.clock.Index().Leased() })
			})
			var took []time.Duration
			for i := 0; b.Loop(); i++ {
				x := list[i%servers].clock.Index()
				begun := time.Now()
				if err := x.AwaitSafe(b.Context(), w.commit(1, 0)); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(begun))
				time.Sleep(2 * time.Millisecond)
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
			b.ReportMetric(0, "ns/op")
		})
	}
}
