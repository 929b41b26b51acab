package postgres

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/internal/position"
)

// A refusal that tells of another's commit is held until that is safe, also where the
// log is opened anew meanwhile, and by what is opened then.
func TestAwaitSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := position.Epoch{Timeline: 1}
		x := position.NewStreamIndex(e, 10, 64)
		x.Advance(100)
		x.Settle(50)
		s := &Store{clock: position.NewClock(x, time.Second), opts: Options{CommitWait: 10 * time.Second}}
		done := make(chan time.Time, 1)
		begun := time.Now()
		go func() {
			s.awaitSeen(t.Context(), 80)
			done <- time.Now()
		}()
		held := func(when string) {
			synctest.Wait()
			if len(done) > 0 {
				t.Fatal("it was let go when " + when)
			}
		}
		held("it was not safe")
		s.clock.Replace(position.NewIndex(0))
		held("nothing was known")
		y := position.NewStreamIndex(e, 10, 64)
		s.clock.Replace(y)
		held("the log was opened anew")
		y.Advance(100)
		y.Settle(79)
		held("it was not safe by the new one")
		y.Settle(80)
		if after := (<-done).Sub(begun); after > 0 {
			t.Errorf("it was let go after %v", after)
		}
		s.awaitSeen(t.Context(), 101)
		if after := time.Since(begun); after != s.opts.CommitWait {
			t.Errorf("what nobody hears of was waited for for %v", after)
		}
	})
}

// A write is answered when its time is up, though not all have heard of it: by then who has
// not has no lease. This server remembers how far it has answered.
func TestAnsweredInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := position.NewStreamIndex(position.Epoch{Timeline: 1}, 10, 64)
		clock := position.NewClock(x, time.Second)
		k := &commits{clock: clock, wait: 600 * time.Millisecond}
		tag := []position.Tag{position.RecordTag("notes", "a")}
		lands := func(flushed position.N, unsure bool) time.Duration {
			begun := time.Now()
			k.streamed(&flight{xid: 7, tags: tag, unsure: unsure}, 1, flushed, func() {})
			return time.Since(begun)
		}
		x.Advance(100)
		x.Settle(90)
		if after := lands(90, false); after != 0 || clock.Shown(x).N != 0 {
			t.Errorf("all have heard of it: answered after %v, shown %v", after, clock.Shown(x))
		}
		if after := lands(95, true); after != k.wait || clock.Shown(x).N != 0 {
			t.Errorf("not all have, and nobody knows whether there is one: answered after %v, shown %v", after, clock.Shown(x))
		}
		if after := lands(95, false); after != k.wait || clock.Shown(x).N != 95 || x.Covers(tag) != 95 {
			t.Errorf("not all have: answered after %v, shown %v, its record changed at %d", after, clock.Shown(x), x.Covers(tag))
		}
		x.Apply(97, 7, tag, false)
		if after := lands(99, false); after != k.wait || clock.Shown(x).N != 97 {
			t.Errorf("this server knows where it lies: answered after %v, shown %v", after, clock.Shown(x))
		}
		asked := []position.Tag{position.RecordTag("notes", "b")}
		k.streamed(&flight{xid: 8, tags: tag, read: read{tags: asked}}, 1, 105, func() {})
		if n := x.Covers(asked); n != 105 {
			t.Errorf("the answer may tell of what was read: up to %d, want 105", n)
		}
	})
}

// What cannot be brought into force in time is unavailable, whatever it was that took
// too long.
func TestNotInForceInTime(t *testing.T) {
	pg, url := localclustertest.Database(t)
	relay, err := localcluster.NewRelay(pg.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer relay.Close()
	open(t, Options{URL: url, OneShot: true}) // makes the schema, which has all the time there is
	clock := position.NewClock(position.NewStreamIndex(position.Epoch{}, 0, 1<<10), time.Second)
	s, err := Open(t.Context(), Options{
		URL: strings.Replace(url, pg.Addr(), relay.Addr(), 1), Clock: clock, Identity: "one", WriteWait: 500 * time.Millisecond, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	check := func(why string) {
		t.Helper()
		if err := s.InForce(t.Context()); pando.KindOf(err) != pando.KindUnavailable {
			t.Errorf("%s: %v", why, err)
		}
	}
	check("this server hears of another epoch than the database's")
	relay.Silence()
	check("the database does not answer")
	if err := relay.Heal(); err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.InForce(gone); err == nil {
		t.Error("a request that is over was told of")
	}
}
