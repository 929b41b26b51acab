package cluster

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
)

// fed is a member that a test is the tailer of.
type fed struct {
	t         *testing.T
	n         *Node
	c         net.Conn
	hello     hello
	acks      chan ack
	ended     chan error
	applied   []changes.Entry
	delivered []changes.Entry
	by        []position.Run // whose log they are of
	now       func() int64
}

func feed(t *testing.T, f func(t *testing.T, f *fed)) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		fd := &fed{t: t, acks: make(chan ack, 1000), ended: make(chan error, 1)}
		fd.now = func() int64 { return 1e15 + int64(time.Since(began)) }
		clock := position.NewClock(position.NewStreamIndex(position.Epoch{}, 0, 1), time.Second)
		w := newWorld(t)
		w.tailer = Tailer{Term: 5, Holder: "t"}
		fd.n = New(Config{
			Registry: &registry{w, &life{wake: make(chan struct{})}},
			Clock:    clock, Self: Member{ID: "a", Boot: "a1"}, Slots: 64, BootTime: fd.now,
			Apply: func(_ context.Context, list []changes.Entry) error {
				fd.applied = append(fd.applied, list...)
				return nil
			},
			Deliver: func(by position.Run, e changes.Entry) {
				fd.by, fd.delivered = append(fd.by, by), append(fd.delivered, e)
			},
			grant: func(x *position.Index, until int64) {
				clock.Grant(x, position.BootTime()+until-fd.now())
			},
		})
		fd.n.beaten.Store(fd.now())
		stop := fd.connect(5)
		f(t, fd)
		stop()
	})
}

// connect begins a session with a tailer of that term.
func (f *fed) connect(term uint64) (stop func()) {
	ours, theirs := net.Pipe()
	f.c = theirs
	ctx, cancel := context.WithCancel(f.t.Context())
	go func() { f.ended <- f.n.session(ctx, ours, Tailer{Term: term, Holder: "t"}) }()
	_, m, err := readFrame(theirs)
	if err != nil {
		f.t.Fatal(err)
	}
	f.hello = m.(hello)
	read := make(chan struct{})
	go func() {
		defer close(read)
		for {
			_, m, err := readFrame(theirs)
			if err != nil {
				return
			}
			if a, ok := m.(ack); ok {
				f.acks <- a
			} else if _, ok := m.(leave); ok {
				_ = theirs.Close()
				return
			}
		}
	}()
	return func() {
		cancel()
		select {
		case <-f.ended:
		case <-time.After(time.Minute):
			f.t.Error("the session does not end")
		}
		_ = theirs.Close()
		<-read
	}
}

func (f *fed) send(m message) {
	_, _ = f.c.Write(appendFrame(nil, 1, m))
	synctest.Wait()
}

// over is why the session ended, nil if it has not.
func (f *fed) over() error {
	synctest.Wait()
	select {
	case err := <-f.ended:
		f.ended <- err
		return err
	default:
		return nil
	}
}

func (f *fed) begin() {
	f.send(snapshot{Term: 5, Number: 1, Epoch: someEpoch, Base: 100, At: 100, Slots: 64})
}

func (f *fed) batch(from, to, safe position.N, ns ...position.N) {
	m := batch{batchHead: batchHead{Number: 1}, Term: 5, From: from, To: to, Safe: safe}
	for _, n := range ns {
		m.Entries = append(m.Entries, changes.Entry{N: n, XID: uint64(n), Tags: []position.Tag{position.Tag(n)}})
	}
	f.send(m)
}

func (f *fed) index() *position.Index { return f.n.cfg.Clock.Index() }

func positionsOf(list []changes.Entry) (ns []position.N) {
	for _, e := range list {
		ns = append(ns, e.N)
	}
	return ns
}

func TestTheOrderOfBatches(t *testing.T) {
	feed(t, func(t *testing.T, f *fed) {
		f.begin()
		f.batch(100, 120, 0, 110, 120)
		f.batch(100, 120, 0, 110, 120) // again
		f.batch(90, 110, 105, 95, 110) // an older one, late
		f.batch(110, 140, 110, 120, 130)
		f.batch(140, 150, 150)
		x := f.index()
		if x.Frontier() != 150 || x.Safe() != 150 || x.Covers([]position.Tag{130}) != 130 {
			t.Errorf("F %d, S %d", x.Frontier(), x.Safe())
		}
		want := []position.N{100, 110, 120, 130}       // 100 is where it begins
		again := []position.N{100, 110, 120, 100, 130} // ... which is done again when S is there
		for name, got := range map[string][]position.N{"applied": positionsOf(f.applied), "delivered": positionsOf(f.delivered)} {
			want := want
			if name == "applied" {
				want = again
			}
			if len(got) != len(want) {
				t.Errorf("%s: %v, want %v", name, got, want)
			}
		}
		if err := f.over(); err != nil {
			t.Errorf("the session ended: %v", err)
		}
	})
}

func TestAGapEndsTheSession(t *testing.T) {
	feed(t, func(t *testing.T, f *fed) {
		f.begin()
		f.batch(100, 120, 120, 110)
		f.batch(121, 130, 130, 125)
		if err := f.over(); !errors.Is(err, errGap) {
			t.Errorf("got %v", err)
		}
		if x := f.index(); x.Frontier() != 120 || x.Safe() != 120 {
			t.Errorf("F %d, S %d", x.Frontier(), x.Safe())
		}
		// It comes again from where it was.
		<-f.ended
		stop := f.connect(5)
		if f.hello.Frontier != 120 || f.hello.Epoch != someEpoch || f.hello.Term != 5 {
			t.Errorf("it says %+v", f.hello)
		}
		f.send(snapshot{Term: 5, Number: 1, Epoch: someEpoch, At: 120, Resume: true})
		f.batch(115, 130, 130, 125)
		if got := positionsOf(f.delivered); len(got) != 3 || got[2] != 125 {
			t.Errorf("delivered: %v", got)
		}
		stop()
		f.ended <- nil
	})
}

// TestWhatComesAgainIsDeliveredOnce: a tailer that is itself behind gives an index that
// begins before what this server has delivered.
func TestWhatComesAgainIsDeliveredOnce(t *testing.T) {
	feed(t, func(t *testing.T, f *fed) {
		f.begin()
		f.batch(100, 130, 120, 110, 120, 130) // 130 is not safe yet
		f.send(snapshot{Term: 5, Number: 1, Epoch: someEpoch, Base: 105, At: 105, Slots: 64})
		f.batch(105, 140, 140, 110, 120, 130, 140)
		if got := positionsOf(f.delivered); !slices.Equal(got, []position.N{100, 110, 120, 105, 130, 140}) { // 100 and 105: where it begins
			t.Errorf("delivered: %v", got)
		}
		// Those of another epoch are others.
		another := someEpoch
		another.Timeline++
		f.send(snapshot{Term: 5, Number: 1, Epoch: another, Base: 115, At: 115, Slots: 64})
		f.batch(115, 130, 130, 125)
		if got := positionsOf(f.delivered); got[len(got)-1] != 125 {
			t.Errorf("delivered: %v", got)
		}
	})
}

// TestFollowersAreToldOfGaps: there is none where all that this server has not delivered
// comes again.
func TestFollowersAreToldOfGaps(t *testing.T) {
	another := someEpoch
	another.Timeline++
	for name, c := range map[string]struct {
		begins snapshot
		gap    bool
	}{
		"what is known already":  {snapshot{Epoch: someEpoch, At: 105}, false},
		"right behind that":      {snapshot{Epoch: someEpoch, At: 120}, false},
		"beyond that":            {snapshot{Epoch: someEpoch, At: 121}, true}, // who knows what was at 121
		"of another start":       {snapshot{Epoch: someEpoch, At: 105, Instance: 7}, true},
		"of another timeline":    {snapshot{Epoch: another, At: 105}, true},
		"of a timeline, further": {snapshot{Epoch: another, At: 500}, true},
	} {
		t.Run(name, func(t *testing.T) {
			feed(t, func(t *testing.T, f *fed) {
				f.begin()
				f.batch(100, 130, 120, 110, 120, 130)
				m := c.begins
				m.Term, m.Number, m.Base, m.Slots = 5, 1, m.At, 64
				f.send(m)
				for i, want := range []bool{true, false, false, c.gap} { // where it begins, two commits, where it begins anew
					if i >= len(f.delivered) || f.delivered[i].Gap != want {
						t.Fatalf("delivered: %+v, want %v for the one at %d", f.delivered, want, i)
					}
				}
				if by := f.by[3]; by != f.index().Run() || by != (position.Run{Timeline: m.Epoch.Timeline, Instance: m.Instance}) {
					t.Errorf("by the log of %+v", by)
				}
			})
		})
	}
}

func TestSIsNoMoreThanWhatIsKnown(t *testing.T) {
	feed(t, func(t *testing.T, f *fed) {
		f.begin()
		f.batch(100, 110, 150, 110)
		if s := f.index().Safe(); s != 110 {
			t.Errorf("S is %d, and F 110", s)
		}
		f.batch(110, 160, 0, 155)
		if s := f.index().Safe(); s != 150 || len(f.delivered) != 2 {
			t.Errorf("S is %d, delivered %v", s, positionsOf(f.delivered))
		}
	})
}

func TestALowerTermIsNotFollowed(t *testing.T) {
	for name, m := range map[string]message{
		"batch":    batch{batchHead: batchHead{Number: 1}, Term: 4, From: 100, To: 200, Safe: 200},
		"snapshot": snapshot{Term: 4, Number: 1, Epoch: someEpoch, Base: 300, At: 300, Slots: 64},
	} {
		t.Run(name, func(t *testing.T) {
			feed(t, func(t *testing.T, f *fed) {
				f.begin()
				f.send(m)
				if err := f.over(); !errors.Is(err, errOld) || f.index().Frontier() != 100 {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

func TestABatchOfTheStreamBeforeIsIgnored(t *testing.T) {
	feed(t, func(t *testing.T, f *fed) {
		f.begin()
		f.send(snapshot{Term: 5, Number: 2, Epoch: position.Epoch{Database: 9}, Base: 50, At: 50, Slots: 64})
		f.batch(100, 110, 110, 110)
		if x := f.index(); x.Frontier() != 50 || x.Safe() != 0 || f.over() != nil {
			t.Errorf("F %d, S %d", x.Frontier(), x.Safe())
		}
	})
}

// Which echoes are a lease, and until when.
func TestLeases(t *testing.T) {
	boot := bootNumber("a1")
	for _, c := range []struct {
		name string
		head func(acked, now int64) batchHead
		want time.Duration // 0: none
	}{
		{"an echo", func(a, _ int64) batchHead { return batchHead{Number: 1, Boot: boot, Echo: a, Probe: 100} }, 500 * time.Millisecond},
		{"of another boot", func(a, _ int64) batchHead { return batchHead{Number: 1, Boot: boot + 1, Echo: a, Probe: 100} }, 0},
		{"from before the index", func(a, _ int64) batchHead { return batchHead{Number: 1, Boot: boot, Echo: a - 1, Probe: 100} }, 0},
		{"of what has not been yet", func(_, now int64) batchHead { return batchHead{Number: 1, Boot: boot, Echo: now + 1, Probe: 100} }, 0},
		{"for what is not known", func(a, _ int64) batchHead { return batchHead{Number: 1, Boot: boot, Echo: a, Probe: 101} }, 0},
		{"of another stream", func(a, _ int64) batchHead { return batchHead{Number: 2, Boot: boot, Echo: a, Probe: 100} }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			feed(t, func(t *testing.T, f *fed) {
				f.begin()
				first := <-f.acks
				time.Sleep(100 * time.Millisecond)
				f.send(batch{batchHead: c.head(first.T, f.now()), Term: 5, From: 100, To: 100, Safe: 100})
				x := f.index()
				if x.Leased() != (c.want > 0) {
					t.Fatalf("leased: %v", x.Leased())
				}
				if c.want > 0 {
					time.Sleep(c.want - 101*time.Millisecond)
					if !x.Leased() {
						t.Error("the lease ended too early")
					}
					time.Sleep(2 * time.Millisecond)
					if x.Leased() {
						t.Error("the lease did not end")
					}
				}
			})
		})
	}
}

func TestALeaseBeginsWhenWhatWasProbedIsKnown(t *testing.T) {
	feed(t, func(t *testing.T, f *fed) {
		f.begin()
		first := <-f.acks
		f.send(batch{batchHead: batchHead{Number: 1, Boot: bootNumber("a1"), Echo: first.T, Probe: 120}, Term: 5, From: 100, To: 110, Safe: 100})
		if f.index().Leased() {
			t.Error("it has a lease before")
		}
		f.batch(110, 120, 0)
		if !f.index().Leased() {
			t.Error("it has no lease then")
		}
	})
}

// How long ago this server knew all that the primary had: by what its leases are made of,
// those too that come too late to be one.
func TestAge(t *testing.T) {
	feed(t, func(t *testing.T, f *fed) {
		want := func(when string, want time.Duration) {
			t.Helper()
			if got := f.n.Status().Age; got != want {
				t.Errorf("%s: %v, want %v", when, got, want)
			}
		}
		echo := func(at int64, probe, to position.N) {
			f.send(batch{batchHead: batchHead{Number: 1, Boot: bootNumber("a1"), Echo: at, Probe: probe}, Term: 5, From: f.index().Frontier(), To: to, Safe: 100})
		}
		f.begin()
		first := (<-f.acks).T
		want("it has heard of nobody", -1)
		time.Sleep(40 * time.Millisecond)
		echo(first, 100, 100)
		want("it knows what there was", 40*time.Millisecond)
		time.Sleep(10 * time.Millisecond)
		second := f.now()
		echo(second, 130, 110)
		want("it lacks something", 50*time.Millisecond)
		time.Sleep(700 * time.Millisecond)
		f.batch(110, 120, 0)
		want("it lacks something still", 750*time.Millisecond)
		time.Sleep(300 * time.Millisecond)
		f.batch(120, 130, 0)
		if f.index().Leased() {
			t.Error("it has a lease of a second ago")
		}
		want("it knows that, too late", time.Second)
		time.Sleep(3 * time.Second)
		f.batch(130, 150, 0)
		want("nobody asks the primary", 4*time.Second)
	})
}

// The primary may not show all that a snapshot stands for. What the store has to do for
// it is done again when it does, before there is a lease.
func TestALeaseBeginsWhenTheSnapshotIsVisible(t *testing.T) {
	feed(t, func(t *testing.T, f *fed) {
		f.begin()
		first := <-f.acks
		f.send(batch{batchHead: batchHead{Number: 1, Boot: bootNumber("a1"), Echo: first.T, Probe: 100}, Term: 5, From: 100, To: 100, Safe: 99})
		if f.index().Leased() || len(f.applied) != 1 {
			t.Errorf("it has a lease before, or %v was applied", positionsOf(f.applied))
		}
		f.batch(100, 100, 100)
		if !f.index().Leased() || len(f.applied) != 2 {
			t.Errorf("it has no lease then, or %v was applied", positionsOf(f.applied))
		}
	})
}

// One whose row may be gone takes no lease: a new tailer would not wait for it.
func TestOneThatIsNotRegisteredTakesNoLease(t *testing.T) {
	feed(t, func(t *testing.T, f *fed) {
		f.begin()
		<-f.acks
		f.n.beaten.Store(f.now() - int64(3*time.Second))
		f.batch(100, 110, 0)
		a := <-f.acks
		f.send(batch{batchHead: batchHead{Number: 1, Boot: bootNumber("a1"), Echo: a.T, Probe: 100}, Term: 5, From: 110, To: 110})
		if f.index().Leased() {
			t.Error("it has a lease")
		}
	})
}

func TestASnapshotIsLoadedInPieces(t *testing.T) {
	feed(t, func(t *testing.T, f *fed) {
		f.send(snapshot{Term: 5, Number: 1, Epoch: someEpoch, Base: 50, At: 100, Slots: 64, Full: true})
		list := make([]position.N, 32)
		list[3] = 77
		f.send(positions{From: 0, List: list})
		if f.index().Epoch() == someEpoch {
			t.Error("half an index is in force")
		}
		list[3] = 88
		f.send(positions{From: 32, List: list})
		x := f.index()
		if x.Epoch() != someEpoch || x.Base() != 50 || x.Frontier() != 100 || x.Safe() != 0 {
			t.Errorf("base %d, F %d, S %d", x.Base(), x.Frontier(), x.Safe())
		}
		if x.Covers([]position.Tag{3}) != 77 || x.Covers([]position.Tag{35}) != 88 || x.Covers([]position.Tag{4}) != 50 {
			t.Error("the positions are wrong")
		}
		if len(f.applied) != 1 || !f.applied[0].All || !f.applied[0].Catalog || !f.applied[0].Unlisted {
			t.Errorf("applied: %+v", f.applied)
		}
		f.send(positions{From: 0, List: list})
		if err := f.over(); !errors.Is(err, errGap) {
			t.Errorf("a piece too many: %v", err)
		}
	})
}

func TestWhoWaitsAsks(t *testing.T) {
	feed(t, func(t *testing.T, f *fed) {
		f.begin()
		<-f.acks
		waited := make(chan error, 2)
		for _, n := range []position.N{120, 130} {
			go func() { waited <- f.index().AwaitFrontier(t.Context(), n) }()
			synctest.Wait()
			if a := <-f.acks; a.Want != n {
				t.Errorf("it wants %d", a.Want)
			}
		}
		f.batch(100, 130, 130)
		<-f.acks
		if err := errors.Join(<-waited, <-waited); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if len(f.acks) > 0 {
			t.Error("it asks for what it has")
		}
	})
}

// Who waits for what nobody commits is not kept for as long as the log is silent.
func TestWhatIsAskedForComesAtOnce(t *testing.T) {
	scene(t, 3, func(t *testing.T, w *world) {
		for range 20 {
			time.Sleep(7 * time.Millisecond)
			n := w.noise()
			begun := time.Now()
			if err := w.follower().clock.Index().AwaitFrontier(t.Context(), n); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begun); took > 2*time.Millisecond {
				t.Errorf("it took %v", took)
			}
		}
	})
}
