package cached_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/cache"
	"github.com/pandobase/pando/internal/cache/memory"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/store/cached"
	"github.com/pandobase/pando/internal/store/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is a real store with a collection "notes" that has a number field n.
type fixture struct {
	*cached.Facts
	db    *sqlite.Store
	index *position.Index
	notes *pando.Collection
	cache cache.Cache
}

func open(t testing.TB) *fixture {
	t.Helper()
	index := position.NewIndex(0)
	db, err := sqlite.Open(sqlite.Options{Dir: t.TempDir(), Index: index, RememberFrom: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	mem, err := memory.New(32 << 20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(mem.Close)
	notes := &pando.Collection{ID: "notes_id", Name: "notes", Type: pando.TypeBase, Fields: []*pando.Field{
		{ID: "f1", Name: "id", Type: pando.FieldText, Options: &pando.TextOptions{PrimaryKey: true}},
		{ID: "f2", Name: "n", Type: pando.FieldNumber, Options: &pando.NumberOptions{}},
	}}
	f := &fixture{Facts: cached.New(db, mem, position.NewClock(index, 0)), db: db, index: index, notes: notes, cache: mem}
	f.write(t, func(tx store.Tx) error { return tx.SaveCollection(t.Context(), nil, notes) })
	return f
}

func (f *fixture) write(t testing.TB, fn func(store.Tx) error) {
	t.Helper()
	if _, err := f.db.Write(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) insert(t testing.TB, id string, n float64) {
	t.Helper()
	f.write(t, func(tx store.Tx) error {
		r := pando.NewRecord(f.notes)
		r.Set("id", id)
		r.Set("n", n)
		return tx.Insert(t.Context(), r)
	})
}

func (f *fixture) set(ctx context.Context, id string, n float64) error {
	_, err := f.db.Write(ctx, func(tx store.Tx) error {
		old, err := tx.Record(ctx, f.notes, id)
		if err != nil {
			return err
		}
		r := old.Clone()
		r.Set("n", n)
		return tx.Update(ctx, old, r)
	})
	return err
}

// view reads n of one note through the cache, counting its fills.
func (f *fixture) view(ctx context.Context, id string, fills *atomic.Int64) (float64, error) {
	v, err := f.Read(ctx, []byte("view\x00"+id), func(ctx context.Context, r store.Reader) (any, int, error) {
		fills.Add(1)
		rec, err := r.Record(ctx, f.notes, id)
		if pando.KindOf(err) == pando.KindNotFound {
			return -1.0, 8, nil
		}
		if err != nil {
			return nil, 0, err
		}
		return rec.Get("n"), 8, nil
	})
	if err != nil {
		return 0, err
	}
	return v.(float64), nil
}

// list counts the notes through the cache.
func (f *fixture) count(ctx context.Context, fills *atomic.Int64) (int, error) {
	v, err := f.Read(ctx, []byte("count"), func(ctx context.Context, r store.Reader) (any, int, error) {
		fills.Add(1)
		page, err := r.Find(ctx, store.Query{Collection: f.notes, Total: true, Limit: 1})
		return page.Total, 8, err
	})
	if err != nil {
		return 0, err
	}
	return v.(int), nil
}

func TestFillsOnlyWhatChanged(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	f.insert(t, "a", 1)
	f.insert(t, "b", 2)
	var viewA, viewB, viewC, count atomic.Int64
	check := func(when string, a, b, c float64, n int, fills [4]int64) {
		t.Helper()
		for range 2 { // the second time from the cache
			for id, want := range map[string]float64{"a": a, "b": b, "c": c} {
				fills := map[string]*atomic.Int64{"a": &viewA, "b": &viewB, "c": &viewC}[id]
				if got, err := f.view(ctx, id, fills); err != nil || got != want {
					t.Errorf("%s: view %s = %v, %v; want %v", when, id, got, err, want)
				}
			}
			if got, err := f.count(ctx, &count); err != nil || got != n {
				t.Errorf("%s: count = %v, %v; want %v", when, got, err, n)
			}
		}
		if got := [4]int64{viewA.Load(), viewB.Load(), viewC.Load(), count.Load()}; got != fills {
			t.Errorf("%s: fills of a, b, c and count: %v, want %v", when, got, fills)
		}
	}
	check("first", 1, 2, -1, 2, [4]int64{1, 1, 1, 1})
	if err := f.set(ctx, "a", 5); err != nil {
		t.Fatal(err)
	}
	check("a changed", 5, 2, -1, 2, [4]int64{2, 1, 1, 2})
	f.insert(t, "c", 3)
	check("c came", 5, 2, 3, 3, [4]int64{2, 1, 2, 3})
}

func TestErrorsAndUnkeptValuesAreNotKept(t *testing.T) {
	f := open(t)
	calls := 0
	read := func(size int, err error) (any, error) {
		return f.Read(t.Context(), []byte("k"), func(context.Context, store.Reader) (any, int, error) {
			calls++
			return calls, size, err
		})
	}
	boom := errors.New("boom")
	if _, err := read(1, boom); err != boom {
		t.Fatalf("error %v, want the fill's own", err)
	}
	if v, err := read(-1, nil); err != nil || v != 2 {
		t.Fatalf("%v, %v: an error was kept", v, err)
	}
	if v, err := read(1, nil); err != nil || v != 3 {
		t.Fatalf("%v, %v: a value of size -1 was kept", v, err)
	}
	if v, err := read(1, nil); err != nil || v != 3 {
		t.Fatalf("%v, %v: a value was not kept", v, err)
	}
}

// A thousand simultaneous misses of one key make one query.
func TestOneFillPerKey(t *testing.T) {
	f := open(t)
	f.insert(t, "a", 1)
	var fills atomic.Int64
	release := make(chan struct{})
	var waiting, done sync.WaitGroup
	for range 1000 {
		waiting.Add(1)
		done.Go(func() {
			waiting.Done()
			v, err := f.Read(t.Context(), []byte("k"), func(ctx context.Context, r store.Reader) (any, int, error) {
				fills.Add(1)
				<-release
				rec, err := r.Record(ctx, f.notes, "a")
				return rec, 8, err
			})
			if err != nil || v.(*pando.Record).ID() != "a" {
				t.Errorf("%v, %v", v, err)
			}
		})
	}
	waiting.Wait()
	close(release)
	done.Wait()
	// Those who came after the end of the first fill found its fact.
	if n := fills.Load(); n != 1 {
		t.Errorf("%d fills, want 1", n)
	}
}

// pausing is a cache whose looks can be held up after they have found nothing.
type pausing struct {
	cache.Cache
	missed func()
}

func (c *pausing) Get(key []byte) *cache.Fact {
	fact := c.Cache.Get(key)
	if missed := c.missed; fact == nil && missed != nil {
		missed()
	}
	return fact
}

// Who finds nothing in the cache, and comes to fill when another's fill has just
// ended, takes that.
func TestAFillThatEndedMeanwhileIsTaken(t *testing.T) {
	f := open(t)
	f.insert(t, "a", 1)
	looks := &pausing{Cache: f.cache}
	f.Facts = cached.New(f.db, looks, position.NewClock(f.index, 0))
	var fills atomic.Int64
	looks.missed = func() {
		looks.missed = nil
		if _, err := f.view(t.Context(), "a", &fills); err != nil {
			t.Error(err)
		}
	}
	if n, err := f.view(t.Context(), "a", &fills); n != 1 || err != nil {
		t.Errorf("%v, %v, want 1", n, err)
	}
	if n, c := fills.Load(), f.Counts(); n != 1 || c.Shared != 1 {
		t.Errorf("%d fills, counts %+v; want 1, shared once", n, c)
	}
	// What ended meanwhile and is out of date already is filled again.
	f.cache.Clear()
	looks.missed = func() {
		looks.missed = nil
		if _, err := f.view(t.Context(), "a", &fills); err != nil {
			t.Error(err)
		}
		if err := f.set(t.Context(), "a", 2); err != nil {
			t.Error(err)
		}
	}
	if n, err := f.view(t.Context(), "a", &fills); n != 2 || err != nil {
		t.Errorf("%v, %v, want 2", n, err)
	}
}

// The leader's client going away must not fail those who wait for its fill.
func TestLeaderGoesAway(t *testing.T) {
	f := open(t)
	f.insert(t, "a", 1)
	leader, cancel := context.WithCancel(t.Context())
	inFill := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := f.Read(leader, []byte("k"), func(ctx context.Context, _ store.Reader) (any, int, error) {
			close(inFill)
			<-ctx.Done()
			return nil, 0, ctx.Err()
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("leader: %v", err)
		}
	})
	<-inFill
	wg.Go(func() {
		v, err := f.Read(t.Context(), []byte("k"), func(context.Context, store.Reader) (any, int, error) { return 7, 8, nil })
		if err != nil || v != 7 {
			t.Errorf("follower: %v, %v", v, err)
		}
	})
	cancel()
	wg.Wait()
}

// TestADatabaseThatDoesNotAnswer: of its error, which holds that of a context, those who wait
// are told, and do not ask one after the other.
func TestADatabaseThatDoesNotAnswer(t *testing.T) {
	f := open(t)
	late := &pando.Error{Kind: pando.KindUnavailable, Err: context.DeadlineExceeded}
	release := make(chan struct{})
	var fills atomic.Int64
	var waiting, done sync.WaitGroup
	for range 50 {
		waiting.Add(1)
		done.Go(func() {
			waiting.Done()
			_, err := f.Read(t.Context(), []byte("k"), func(context.Context, store.Reader) (any, int, error) {
				fills.Add(1)
				<-release
				<-time.After(100 * time.Millisecond) // as long as it takes the others to come back
				return nil, 0, late
			})
			if !errors.Is(err, late) {
				t.Error(err)
			}
		})
	}
	waiting.Wait()
	close(release)
	done.Wait()
	if n := fills.Load(); n > 5 { // two, and one more for whoever came after them
		t.Errorf("%d fills", n)
	}
}

// A fill that panics leaves the key usable.
func TestFillPanics(t *testing.T) {
	f := open(t)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		f.Read(t.Context(), []byte("k"), func(context.Context, store.Reader) (any, int, error) { panic("boom") })
	}()
	v, err := f.Read(t.Context(), []byte("k"), func(context.Context, store.Reader) (any, int, error) { return 1, 8, nil })
	if err != nil || v != 1 {
		t.Errorf("%v, %v", v, err)
	}
}

// TestNobodyGoesBack is the guarantee: a read reflects every write answered and
// every value returned to anybody before it began. Writers count up; before
// each read the reader notes the highest value anybody was answered.
func TestNobodyGoesBack(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	const keys, writesPerKey = 4, 300
	var floor [keys]atomic.Int64 // highest value answered so far, by key
	raise := func(k int, v int64) {
		for old := floor[k].Load(); old < v && !floor[k].CompareAndSwap(old, v); old = floor[k].Load() {
		}
	}
	for k := range keys {
		f.insert(t, strconv.Itoa(k), 0)
	}
	var writers, readers sync.WaitGroup
	stop := make(chan struct{})
	for k := range keys {
		writers.Go(func() {
			for v := int64(1); v <= writesPerKey; v++ {
				if err := f.set(ctx, strconv.Itoa(k), float64(v)); err != nil {
					t.Error(err)
					return
				}
				raise(k, v)
			}
		})
	}
	var fills atomic.Int64
	for g := range 6 {
		readers.Go(func() {
			for i := g; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				k := i % keys
				least := floor[k].Load()
				v, err := f.view(ctx, strconv.Itoa(k), &fills)
				if err != nil {
					t.Error(err)
					return
				}
				if int64(v) < least {
					t.Errorf("key %d: read %v, somebody was answered %d before", k, v, least)
					return
				}
				raise(k, int64(v))
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
	c := f.Counts()
	if c.Hits == 0 || c.Stale == 0 {
		t.Errorf("%+v: the test must see hits and stale facts to mean anything", c)
	}
}

func TestHitDoesNotAllocate(t *testing.T) {
	f := open(t)
	f.insert(t, "a", 1)
	key := []byte("view\x00a")
	fill := func(ctx context.Context, r store.Reader) (any, int, error) {
		rec, err := r.Record(ctx, f.notes, "a")
		return rec, 8, err
	}
	ctx := t.Context()
	if n := testing.AllocsPerRun(1000, func() { f.Read(ctx, key, fill) }); n > 0 {
		t.Errorf("a hit costs %v allocations, want 0", n)
	}
}

// A client that keeps positions is told of facts as of what was read anew.
func TestSession(t *testing.T) {
	f := open(t)
	f.insert(t, "a", 1)
	var fills atomic.Int64
	for _, how := range []string{"a miss", "a hit"} {
		s := position.NewSession(position.Token{})
		if _, err := f.view(position.WithSession(t.Context(), s), "a", &fills); err != nil {
			t.Fatal(err)
		}
		if got, want := s.Observed().N, f.index.Frontier(); got != want {
			t.Errorf("%s: observed %d, everything up to %d was written", how, got, want)
		}
		f.insert(t, "b"+strconv.Itoa(int(fills.Load()))+how[2:3], 1) // another commit, which leaves the fact alone
	}
	if fills.Load() != 1 {
		t.Errorf("%d fills, want 1", fills.Load())
	}
}

func BenchmarkHit(b *testing.B) {
	f := open(b)
	for i := range 1000 {
		f.insert(b, fmt.Sprint(i), float64(i))
	}
	key := []byte("view\x00500")
	fill := func(ctx context.Context, r store.Reader) (any, int, error) {
		rec, err := r.Record(ctx, f.notes, "500")
		return rec, 8, err
	}
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Read(ctx, key, fill); err != nil {
			b.Fatal(err)
		}
	}
}
