package cached_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pandobase/pando/internal/cache/cachetest"
	"github.com/pandobase/pando/internal/cache/memory"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/store/cached"
)

// TestShadowReads: a cache that lies is found out, and one that does not is not;
// what changed between says nothing.
func TestShadowReads(t *testing.T) {
	shared, log := new(cachetest.Shared), new(lines)
	f := open(t)
	f.insert(t, "a", 1)
	f.insert(t, "b", 2)
	honest := f.server(t, cached.Options{Tier: shared, ShadowEvery: 1})
	var fills atomic.Int64
	for range 50 {
		if _, err := honest.view(t.Context(), "a", &fills); err != nil {
			t.Fatal(err)
		}
	}
	soon(t, "some hits are checked", func() bool { return honest.Shadows().Checks > 0 })
	if s := honest.Shadows(); s.Violations > 0 || s.Bound() != 3/float64(s.Checks) && s.Bound() != 1 {
		t.Errorf("an honest cache: %+v, bound %v", s, s.Bound())
	}

	e := *shared.Entries()[0]
	e.Value, _ = numbers{}.Encode(99.0)
	shared.Put(&e)
	deceived := f.server(t, cached.Options{Tier: shared, ShadowEvery: 1, Log: slog.New(slog.NewTextHandler(log, nil))})
	if got, err := deceived.view(t.Context(), "a", &fills); err != nil || got != 99 {
		t.Fatalf("a is %v, %v; the lie is 99", got, err)
	}
	soon(t, "the lie is found out", func() bool { return deceived.Shadows().Violations > 0 })
	for _, part := range []string{
		"from_tier=true", "collection=notes_id", "last_changes=", "stamp=", "first_difference=", "differs=[n]",
		"from a cache server in ", `read_again_from="the database"`, "heard=[]", "made_before=[]",
	} {
		if !strings.Contains(log.String(), part) {
			t.Errorf("the log lacks %s: %s", part, log)
		}
	}

	// A fact that a write ends while it is being checked says nothing.
	moved := f.server(t, cached.Options{ShadowEvery: 1})
	read := func(during func()) {
		_, err := moved.Read(t.Context(), []byte("view\x00b"), func(ctx context.Context, r store.Reader) (any, int, error) {
			rec, err := r.Record(ctx, f.notes, "b")
			if err != nil {
				return nil, 0, err
			}
			during()
			return rec.Get("n"), 8, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	read(func() {})
	var once sync.Once
	read(func() {
		once.Do(func() {
			if err := f.set(context.Background(), "b", 7); err != nil {
				t.Error(err)
			}
		})
	})
	soon(t, "the check is given up", func() bool { return moved.Shadows().Moved == 1 })
	if s := moved.Shadows(); s.Violations > 0 {
		t.Errorf("a change is taken for a lie: %+v", s)
	}
}

// sited is a store whose reads come from wherever a test says.
type sited struct {
	store.Store
	host    *string
	replica *bool
}

type sitedReader struct {
	store.Reader
	sited
}

func (s sited) Read(ctx context.Context, fn func(store.Reader) error) error {
	return s.Store.Read(ctx, func(r store.Reader) error { return fn(sitedReader{r, s}) })
}

func (r sitedReader) Site() (string, bool) { return *r.host, *r.replica }

// TestAViolationIsToldWhole: where and when the wrong fact was made, and the one of its
// key before; where it was read again; what differs, and nothing that is in it.
func TestAViolationIsToldWhole(t *testing.T) {
	f := open(t)
	f.insert(t, "a", 1234567)
	mem, err := memory.New(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(mem.Close)
	log := new(lines)
	host, replica := "db2:5432", true
	var fills atomic.Int64
	web := *f
	web.Facts = cached.New(sited{f.db, &host, &replica}, mem, position.NewClock(f.index, 0))
	view := func(want float64) {
		t.Helper()
		if got, err := web.view(t.Context(), "a", &fills); err != nil || got != want {
			t.Fatalf("a is %v, %v; want %v", got, err, want)
		}
	}
	web.Use(cached.Options{Codec: numbers{}, ShadowEvery: 1, Log: slog.New(slog.NewJSONHandler(log, nil))})
	t.Cleanup(func() {
		if err := web.Facts.Close(); err != nil {
			t.Error(err)
		}
	})
	view(1234567)
	if err := f.set(t.Context(), "a", 2345678); err != nil {
		t.Fatal(err)
	}
	host, replica = "db1:5432", false
	view(2345678)
	key := []byte("view\x00a")
	wrong := *mem.Get(key)
	wrong.Value = 3456789.0
	mem.Put(&wrong)
	view(3456789)
	soon(t, "it is found out", func() bool { return web.Shadows().Violations > 0 })
	var told struct {
		Made       string
		Before     []string `json:"made_before"`
		Heard      []string
		Stamp      position.N
		Again      position.N `json:"read_again_stamp"`
		AgainHost  string     `json:"read_again_host"`
		Hash       uint64
		HashAgain  uint64 `json:"hash_again"`
		Differs    []string
		Bytes      int
		BytesAgain int `json:"bytes_again"`
	}
	if err := json.Unmarshal([]byte(log.String()), &told); err != nil {
		t.Fatalf("%v: %s", err, log)
	}
	if !strings.Contains(told.Made, "Z from the primary (db1:5432) in ") || !strings.HasSuffix(told.Made, fmt.Sprint(", stamp ", wrong.S)) {
		t.Errorf("made: %s", told.Made)
	}
	if len(told.Before) != 1 || !strings.Contains(told.Before[0], "Z from a replica (db2:5432) in ") {
		t.Errorf("made before: %q", told.Before)
	}
	if told.Stamp != wrong.S || told.Again < told.Stamp || told.AgainHost != host || told.Hash == told.HashAgain ||
		told.Bytes != 8 || told.BytesAgain != 8 || len(told.Differs) != 1 || told.Differs[0] != "n" {
		t.Errorf("%+v", told)
	}
	for _, secret := range []string{"1234567", "2345678", "3456789"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log tells a value: %s", log)
		}
	}
}
