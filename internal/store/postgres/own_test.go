package postgres

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
)

// telling is a store that can tell followers of things, and reaches no database.
func telling() (*Store, *pando.Collection) {
	c := things()
	s := &Store{clock: position.NewClock(position.NewStreamIndex(position.Epoch{}, 0, 64), 2*time.Second), log: slog.New(slog.DiscardHandler), plans: store.Plans[*plan]{Make: newPlan}}
	s.commits.clock = s.clock
	s.now.Store(&current{cat: store.NewCatalog(1, &pando.Settings{}, []*pando.Collection{c})})
	return s, c
}

func nobody() bool { return false }

func logged(id, title string) changes.Row {
	return changes.Row{Action: changes.Update, Collection: "pbc_things", ID: id, Columns: []changes.Column{
		{Name: "id", Value: []byte(id)}, {Name: "title", Value: []byte(title)}, {Name: "n", Value: []byte("1")},
	}}
}

// A failover takes back what was committed here, and gives its number to a transaction of
// another server: followers are told of that one.
func TestOwnChangesDieWithTheirRun(t *testing.T) {
	before := position.Run{Timeline: 1, Instance: 100}
	for name, now := range map[string]position.Run{
		"failover":               {Timeline: 2, Instance: 50},
		"promotion, and no more": {Timeline: 2, Instance: 100},
		"crash of the primary":   {Timeline: 1, Instance: 101},
	} {
		t.Run(name, func(t *testing.T) {
			s, c := telling()
			lost, kept := thing(c, "a", "taken back", 0), thing(c, "b", "here", 0)
			s.commits.own.put(ownKey{before, 1005}, []changes.Change{{Action: changes.Update, Record: lost}})
			s.commits.own.put(ownKey{now, 1006}, []changes.Change{{Action: changes.Update, Record: kept}})

			b := s.Batch(t.Context(), now, changes.Entry{N: 10, XID: 1005, Rows: []changes.Row{logged("x", "theirs")}}, nobody)
			if len(b.Changes) != 1 || b.Changes[0].Record.String("title") != "theirs" || !b.Elsewhere {
				t.Errorf("told of another's: %+v", b)
			}
			b = s.Batch(t.Context(), now, changes.Entry{N: 20, XID: 1006, Rows: []changes.Row{logged("b", "here")}}, nobody)
			if len(b.Changes) != 1 || b.Changes[0].Record != kept || b.Elsewhere {
				t.Errorf("told of our own: %+v", b)
			}
			if o := &s.commits.own; len(o.by) != 0 || slices.ContainsFunc(o.order, func(k ownKey) bool { return k.run == before }) {
				t.Errorf("kept of what will never come: %v", o.by)
			}
		})
	}
}

// What was not committed is not kept.
func TestOwnChangesDieWithTheirTransaction(t *testing.T) {
	s, c := telling()
	k := ownKey{position.Run{Timeline: 1}, 1005}
	s.commits.own.put(k, []changes.Change{{Action: changes.Update, Record: thing(c, "a", "refused", 0)}})
	s.commits.crash(&flight{own: k})
	if list := s.commits.own.take(k); list != nil {
		t.Errorf("kept: %+v", list)
	}
}

// Followers hear in which collections something changed that they are not told of.
func TestMissedChanges(t *testing.T) {
	table, bulk := position.TableTag("pbc_things"), position.BulkTag("pbc_things")
	large := logged("x", "")
	large.Columns[1] = changes.Column{Name: "title", Unchanged: true}
	gone := changes.Row{Action: changes.Delete, Collection: "pbc_things", ID: "x", Columns: large.Columns[:1]}
	for name, tt := range map[string]struct {
		entry  changes.Entry
		missed []string
		gap    bool
	}{
		"nothing":                        {changes.Entry{Tags: []position.Tag{table}, Rows: []changes.Row{logged("x", "y")}}, nil, false},
		"too many":                       {changes.Entry{Tags: []position.Tag{table, bulk}, Unlisted: true}, []string{"pbc_things"}, false},
		"too many of others":             {changes.Entry{Tags: []position.Tag{position.TableTag("pbc_others")}, Unlisted: true}, nil, false},
		"one that cannot be read":        {changes.Entry{Rows: []changes.Row{large, logged("y", "z")}}, []string{"pbc_things"}, false},
		"one deleted by another program": {changes.Entry{Rows: []changes.Row{gone}}, nil, false},
		"the schema":                     {changes.Entry{All: true, Unlisted: true, Tags: []position.Tag{position.AllTag}}, nil, false},
		"a gap":                          {changes.Entry{All: true, Catalog: true, Unlisted: true, Gap: true}, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _ := telling() // which has no lease, so that it cannot read
				b := s.Batch(context.Background(), position.Run{}, tt.entry, func() bool { return true })
				if !slices.Equal(b.Missed, tt.missed) || b.Gap != tt.gap {
					t.Errorf("missed %v, gap %v: want %v, %v", b.Missed, b.Gap, tt.missed, tt.gap)
				}
			})
		})
	}
}

// A commit of unknown fate is told of without its changes, and that they are missing.
func TestChangesInDoubtAreMissed(t *testing.T) {
	told := new(sink)
	k := &commits{index: position.NewIndex(0), sinks: []changes.Sink{told}}
	for _, list := range [][]changes.Change{{{Action: changes.Create, Record: thing(things(), "a", "", 0)}}, nil} {
		f := &flight{batch: changes.Batch{Changes: list}}
		k.depart(f)
		k.doubt(f)
		k.land(f, 1, 0, func() {})
	}
	if list := told.take(); len(list) != 2 || !list[0].Gap || list[1].Gap || list[0].Changes != nil {
		t.Errorf("told: %+v", list)
	}
}

// A collection that is emptied at once is told of as such, so that other servers know
// whom it concerns.
func TestTruncateIsToldOf(t *testing.T) {
	s, c := fresh(t, Options{OneShot: true, AnnounceDeletes: true})
	f := follow(t, s)
	write(t, s, func(tx store.Tx) error { return tx.Insert(t.Context(), thing(c, "a", "", 0)) })
	write(t, s, func(tx store.Tx) error { return tx.Truncate(t.Context(), c) })
	list := f.entries()
	b := s.Batch(t.Context(), position.Run{}, list[len(list)-1], nobody)
	if len(b.Changes) > 0 || !slices.Equal(b.Missed, []string{"pbc_things"}) {
		t.Errorf("told: %+v", b)
	}
}
