package postgres

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/topology"
)

// A primary that crashes and comes back gives the numbers out again of the transactions of
// which nothing was on its disk: whoever asks what became of his own must not be told of
// another one.
func TestLostInACrash(t *testing.T) {
	named := func(name string) func(context.Context, *Store, store.Tx, *pando.Collection) error {
		return func(ctx context.Context, s *Store, tx store.Tx, _ *pando.Collection) error {
			next := *s.Catalog().Settings
			next.Meta.AppName = name
			return tx.SaveSettings(ctx, &next)
		}
	}
	update := func(ctx context.Context, _ *Store, tx store.Tx, c *pando.Collection) error {
		return increment(ctx, tx, c, "a")
	}
	create := func(ctx context.Context, _ *Store, tx store.Tx, c *pando.Collection) error {
		return tx.Insert(ctx, thing(c, "made", "", 0))
	}
	for _, tt := range []struct {
		name  string
		do    func(context.Context, *Store, store.Tx, *pando.Collection) error
		lost  bool // the COMMIT; else its answer
		burnt int  // numbers that are given out before anybody looks
		by    func(context.Context, *Store, store.Tx, *pando.Collection) error
		known bool // what becomes of it
	}{
		{name: "an update", do: update, lost: true, known: true},
		{name: "an update, its number given out again", do: update, lost: true, burnt: 10},
		{name: "an update that was made", do: update, burnt: 10},
		{name: "a create, the numbers given out again", do: create, lost: true, burnt: 10, known: true},
		{name: "a create that was made", do: create, burnt: 10, known: true},
		{name: "settings", do: named("ours"), lost: true, known: true},
		{name: "settings, their number given out again", do: named("ours"), lost: true, burnt: 10, known: true},
		{name: "settings that were made", do: named("ours"), burnt: 10, known: true},
		{name: "settings, their version made by another server", do: named("ours"), lost: true, burnt: 10, by: named("theirs")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			pg := localclustertest.Postgres(t, localcluster.Options{NoSync: true})
			ctx := t.Context()
			do := func(errs ...error) {
				t.Helper()
				if err := errors.Join(errs...); err != nil {
					t.Fatal(err)
				}
			}
			r, err := pg.Relay()
			do(err, pg.CreateDatabase(ctx, "app"))
			t.Cleanup(r.Close)
			s := open(t, Options{URL: r.URL("app", "postgres"), OneShot: true, WriteWait: time.Minute})
			c := newThings(t, s)
			sent, done := make(chan struct{}), make(chan error, 1)
			first := true
			go func() {
				_, err := s.Write(ctx, func(tx store.Tx) error {
					err := tt.do(ctx, s, tx, c)
					if first {
						first = false
						if r.Delay(time.Second); tt.lost {
							r.Silence()
						}
						close(sent)
					}
					return err
				})
				done <- err
			}()
			<-sent
			made := func() bool {
				n, err := pg.ExecIn(ctx, "app", "SELECT (SELECT count(*) FROM things WHERE id = 'made' OR n > 0) + "+
					"(SELECT count(*) FROM _pando_settings WHERE data::text LIKE '%ours%')")
				do(err)
				return n != "0"
			}
			for !tt.lost && !made() {
				do(pause(ctx, 1))
			}
			for tt.lost && !sending(s) {
				do(pause(ctx, 1))
			}
			r.Silence()
			do(pg.Kill(), pg.Start(ctx))
			for range tt.burnt {
				_, err := pg.Exec(ctx, "SELECT pg_current_xact_id()")
				do(err)
			}
			if tt.by != nil {
				other := open(t, Options{URL: pg.URL("app", "postgres"), OneShot: true})
				write(t, other, func(tx store.Tx) error { return tt.by(ctx, other, tx, c) })
			}
			r.Down()
			do(r.Heal())
			err = <-done
			if err != nil && (tt.known || !isUnknown(err)) {
				t.Errorf("error is %v", err)
			}
			if err == nil && !made() {
				t.Error("answered, and not there")
			}
			there := open(t, Options{URL: pg.URL("app", "postgres"), OneShot: true}).Catalog()
			if mine := s.Catalog(); mine.Version == there.Version && !sameCatalog(mine, there) {
				t.Errorf("the catalog is called %q here, and %q in the database", mine.Settings.Meta.AppName, there.Settings.Meta.AppName)
			}
		})
	}
}

// newThings makes the collection things with the record a.
func newThings(t *testing.T, s *Store) *pando.Collection {
	t.Helper()
	c := create(t, s, things())
	write(t, s, func(tx store.Tx) error { return tx.Insert(t.Context(), thing(c, "a", "", 0)) })
	return c
}

// sending tells whether a COMMIT is under way.
func sending(s *Store) bool {
	s.commits.mu.Lock()
	defer s.commits.mu.Unlock()
	return len(s.commits.flying) > 0
}

// What a number tells of a transaction depends on whether the primary still is what gave
// it out; and what nothing tells of is not waited for in the stream.
func TestFateByNumber(t *testing.T) {
	s, c := fresh(t, Options{OneShot: true})
	s.clock = position.NewClock(position.NewStreamIndex(position.Epoch{}, 0, 1<<10), 0)
	defer func() { s.clock = nil }()
	n, conn, err := s.nodes.writer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer n.release(conn)
	number := func(end string) string {
		t.Helper()
		var xid string
		err := errors.Join(conn.exec(t.Context(), "BEGIN"), conn.each(t.Context(), "SELECT pg_current_xact_id()", func(v [][]byte) error {
			xid = string(v[0])
			return nil
		}), conn.exec(t.Context(), end))
		if err != nil {
			t.Fatal(err)
		}
		return xid
	}
	now := n.member.Report()
	before, elsewhere := now, now
	before.Instance--
	elsewhere.Timeline++
	committed, aborted, far := number("COMMIT"), number("ROLLBACK"), strconv.Itoa(1<<30)
	for _, tt := range []struct {
		name string
		xid  string
		of   topology.Report
		want fate
		kept bool
	}{
		{"committed", committed, now, fateCommitted, true},
		{"committed, in another run", committed, before, fateUnknown, false},
		{"committed, on another timeline", committed, elsewhere, fateUnknown, false},
		{"aborted", aborted, now, fateAborted, true},
		{"aborted, in another run", aborted, before, fateAborted, true},
		{"aborted, on another timeline", aborted, elsewhere, fateUnknown, false},
		{"in the future", far, before, fateAborted, true},
		{"in the future, on another timeline", far, elsewhere, fateUnknown, false},
	} {
		tr := s.newTx(t.Context(), mode{})
		tr.xid = tt.xid
		f := &flight{own: ownKey{position.Run{Timeline: tt.of.Timeline, Instance: tt.of.Instance}, tr.number()}}
		s.commits.own.put(f.own, []changes.Change{{Action: changes.Update, Record: thing(c, "a", "", 0)}})
		got, _, err := tr.look(n, conn, tt.of, f)
		if got != tt.want || err != nil {
			t.Errorf("%s: %v, %v", tt.name, got, err)
		}
		if kept := s.commits.own.take(f.own) != nil; kept != tt.kept {
			t.Errorf("%s: its changes are kept: %v", tt.name, kept)
		}
	}
}
