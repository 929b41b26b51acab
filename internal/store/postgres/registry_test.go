package postgres

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/internal/registry"
)

func TestMembers(t *testing.T) {
	s, _ := fresh(t, Options{OneShot: true})
	r, ctx := s.Registry(), t.Context()
	a := registry.Member{ID: "a", Boot: "1", Address: "10.0.0.1:7000", Version: "0.4.0", Format: 1}
	b := registry.Member{ID: "b", Boot: "1", Address: "10.0.0.2:7000", Version: "0.4.0", Format: 1}
	members := func(want ...registry.Member) {
		t.Helper()
		got, err := r.Members(ctx)
		for i := range got {
			if got[i].Age < 0 || got[i].Age > time.Minute {
				t.Errorf("%s joined %s ago", got[i].ID, got[i].Age)
			}
			got[i].Age = 0
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
	}
	members()
	for _, m := range []registry.Member{b, a} {
		if err := r.Join(ctx, m); err != nil {
			t.Fatal(err)
		}
	}
	members(a, b)
	if ok, err := r.Beat(ctx, a); !ok || err != nil {
		t.Errorf("beat: %v, %v", ok, err)
	}
	a.Beat = 1
	members(a, b)
	again := registry.Member{ID: "a", Boot: "2", Address: "10.0.0.1:7001", Version: "0.5.0", Format: 2}
	if err := r.Join(ctx, again); err != nil {
		t.Fatal(err)
	}
	if ok, err := r.Beat(ctx, a); ok || err != nil {
		t.Errorf("the old process beats: %v, %v", ok, err)
	}
	if err := r.Leave(ctx, a); err != nil {
		t.Error(err)
	}
	members(again, b)
	if err := r.Leave(ctx, again); err != nil {
		t.Error(err)
	}
	members(b)
}

// Of many who want to be the tailer at once, one is.
func TestTakeTailer(t *testing.T) {
	s, _ := fresh(t, Options{})
	r, ctx := s.Registry(), t.Context()
	from, err := r.Tailer(ctx)
	if err != nil || from != (registry.Tailer{}) {
		t.Fatalf("before the first: %+v, %v", from, err)
	}
	for term := uint64(1); term <= 5; term++ {
		var wg sync.WaitGroup
		won := make(chan registry.Tailer, 8)
		for i := range 8 {
			wg.Go(func() {
				now, ok, err := r.TakeTailer(ctx, from, string(rune('a'+i)))
				if err != nil {
					t.Error(err)
				}
				if ok {
					won <- now
				}
			})
		}
		wg.Wait()
		if len(won) != 1 {
			t.Fatalf("%d are the tailer", len(won))
		}
		now := <-won
		if got, err := r.Tailer(ctx); err != nil || got != now || now.Term != term {
			t.Fatalf("term %d: the row says %+v, %v; the winner %+v", term, got, err, now)
		}
		if ok, err := r.RenewTailer(ctx, now); !ok || err != nil {
			t.Errorf("renew: %v, %v", ok, err)
		}
		if from.Term > 0 {
			if ok, err := r.RenewTailer(ctx, from); ok || err != nil {
				t.Errorf("the one before renews: %v, %v", ok, err)
			}
		}
		if _, ok, err := r.TakeTailer(ctx, now, "late"); ok || err != nil { // it has beaten since
			t.Errorf("taken from one that lives: %v, %v", ok, err)
		}
		if from, err = r.Tailer(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// A renewal does not wait until a late replica shows it, nor are questions kept
// waiting by one that hangs.
func TestRenewalAndStandby(t *testing.T) {
	r, s, _ := replicated(t, Options{}, localcluster.ReplicatedOptions{SyncNames: "ANY 1 (*)", Options: localcluster.Options{Settings: map[string]string{"synchronous_commit": "remote_apply"}}})
	reg, ctx := s.Registry(), t.Context()
	for _, pg := range r.Nodes()[1:] {
		if err := pg.PauseReplay(ctx); err != nil {
			t.Fatal(err)
		}
	}
	now, ok, err := reg.TakeTailer(ctx, registry.Tailer{}, "a")
	if !ok || err != nil {
		t.Fatalf("%v, %v", ok, err)
	}
	if ok, err := reg.RenewTailer(ctx, now); !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	for _, pg := range r.Nodes()[1:] {
		if err := pg.Freeze(); err != nil {
			t.Fatal(err)
		}
	}
	hang, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	done := make(chan bool)
	go func() {
		ok, err := reg.RenewTailer(hang, now)
		done <- ok || err == nil
	}()
	for range 20 {
		v, err := reg.Visible(ctx)
		if err != nil || v.Max < v.Min {
			t.Errorf("%+v, %v", v, err)
		}
	}
	if <-done {
		t.Error("renewed without a standby")
	}
	for _, pg := range r.Nodes()[1:] {
		if err := pg.Thaw(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestVisible(t *testing.T) {
	s, c := fresh(t, Options{})
	r, ctx := s.Registry(), t.Context()
	n, conn, err := s.nodes.writer(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer n.release(conn)
	if err := conn.exec(ctx, "BEGIN ISOLATION LEVEL READ COMMITTED", "INSERT INTO "+quote(c.Name)+" (id) VALUES ('open')"); err != nil {
		t.Fatal(err)
	}
	xid, err := conn.queryInt(ctx, "SELECT pg_current_xact_id()::text::bigint")
	if err != nil {
		t.Fatal(err)
	}
	v, err := r.Visible(ctx)
	if err != nil || v.Sees(uint64(xid)) || !slices.Contains(v.Running, uint64(xid)) && uint64(xid) < v.Max {
		t.Errorf("%d is seen in %+v, %v", xid, v, err)
	}
	if err := conn.exec(ctx, "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if v, err := r.Visible(ctx); err != nil || !v.Sees(uint64(xid)) {
		t.Errorf("%d is not seen in %+v, %v", xid, v, err)
	}
	for text, want := range map[string]registry.Visible{
		"10:10:":         {Min: 10, Max: 10},
		"10:20:10,15,14": {Min: 10, Max: 20, Running: []uint64{10, 14, 15}},
	} {
		got, err := parseVisible(text)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", text, err, diff)
		}
	}
	for _, text := range []string{"", "1:2", "a:2:", "1:b:", "1:2:c"} {
		if v, err := parseVisible(text); err == nil {
			t.Errorf("%q is %+v", text, v)
		}
	}
}

// A database of before there were clusters gets their tables, and stays one of its format.
func TestUpgrade(t *testing.T) {
	pg, url := localclustertest.Database(t)
	s := open(t, Options{URL: url, OneShot: true})
	name := s.database()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := pg.ExecIn(t.Context(), name, "DROP TABLE _pando_members, _pando_tailer, _pando_cluster"); err != nil {
		t.Fatal(err)
	}
	s = open(t, Options{URL: url, OneShot: true})
	if err := s.Registry().Join(t.Context(), registry.Member{ID: "a"}); err != nil {
		t.Error(err)
	}
	if format, err := pg.ExecIn(t.Context(), name, "SELECT format FROM _pando_meta"); err != nil || format != "1" {
		t.Errorf("format %s, %v", format, err)
	}
}

func BenchmarkVisible(b *testing.B) {
	s, _ := fresh(b, Options{OneShot: true})
	r := s.Registry()
	for b.Loop() {
		if _, err := r.Visible(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
