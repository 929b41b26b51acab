package wal_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/store/postgres"
)

func thing(c *pando.Collection, id, title string) *pando.Record {
	r := pando.NewRecord(c)
	r.Set("id", id)
	r.Set("title", title)
	return r
}

// TestStore: what a store does, and what the log says of it.
func TestStore(t *testing.T) {
	g := open(t, postgres.Options{AnnounceDeletes: true})
	ctx := t.Context()
	check := func(what, want string) {
		t.Helper()
		var got []string
		for _, e := range g.entries() {
			got = append(got, text(e))
		}
		if strings.Join(got, "|") != want {
			t.Errorf("%s: %q\n   want %q", what, got, want)
		}
	}
	g.write(func(tx store.Tx) error { return tx.Insert(ctx, thing(g.c, "a", `it's "quoted" \ ☃`)) })
	check("insert", `create things/a n=0 title=it's "quoted" \ ☃`)
	g.write(func(tx store.Tx) error {
		r, err := tx.Record(ctx, g.c, "a")
		if err != nil {
			return err
		}
		return tx.Delete(ctx, r)
	})
	list := g.entries()
	if len(list) != 1 || len(list[0].Rows) != 1 || list[0].Rows[0].Action != changes.Delete {
		t.Fatalf("delete: %+v", list)
	}
	if r, complete, err := g.s.DecodeRow(list[0].Rows[0]); err != nil || !complete || r.ID() != "a" || r.String("title") != `it's "quoted" \ ☃` {
		t.Errorf("what was deleted: %v %v %v", r, complete, err)
	}
	g.exec("INSERT INTO things (id, title) VALUES ('b', 'x')")
	g.entries()
	g.exec("DELETE FROM things")
	if r, complete, err := g.s.DecodeRow(g.entries()[0].Rows[0]); err != nil || complete || r.ID() != "b" {
		t.Errorf("what another program has deleted: %v %v %v", r, complete, err)
	}

	// A collection that is renamed stays the one it is, by its rows and by the log's own.
	renamed := g.c.Clone()
	renamed.Name = "renamed"
	g.write(func(tx store.Tx) error { return tx.SaveCollection(ctx, g.c, renamed) })
	renamed = g.s.Catalog().Collection("renamed")
	list = g.entries()
	if len(list) != 1 || !list[0].All || !list[0].Catalog || list[0].Version != g.s.Catalog().Version {
		t.Errorf("renamed: %+v, the catalog is %d", list, g.s.Catalog().Version)
	}
	g.exec("INSERT INTO renamed (id) VALUES ('c')")
	check("after it was renamed", "create things/c n=0 title=")

	// A new one is known within the transaction that makes it, and its table is published.
	g.write(func(tx store.Tx) error {
		c := things("second")
		if err := tx.SaveCollection(ctx, nil, c); err != nil {
			return err
		}
		return tx.Insert(ctx, thing(tx.Catalog().Collection("second"), "s", ""))
	})
	if list = g.entries(); len(list) != 1 || !strings.HasPrefix(text(list[0]), "create second/s n=0 title=; ALL; CATALOG") {
		t.Errorf("made and filled: %q", text(list[0]))
	}
	g.exec("INSERT INTO second (id) VALUES ('x')")
	check("of the new one", "create second/x n=0 title=")
	second := g.s.Catalog().Collection("second")
	g.write(func(tx store.Tx) error { return tx.DeleteCollection(ctx, second) })
	if list = g.entries(); len(list) != 1 || !list[0].All || !list[0].Unlisted {
		t.Errorf("deleted: %+v", list)
	}

	// A reader that begins now knows the names of now.
	g.r.Close()
	g.follow()
	g.exec("UPDATE renamed SET n = 5")
	check("for a new reader", "update things/c n=5 title=")
	g.write(func(tx store.Tx) error { return tx.SetParam(ctx, "k", []byte("v")) })
	if list = g.entries(); len(list) != 1 || !slices.Contains(list[0].Tags, position.RecordTag("_pando", "k")) {
		t.Errorf("param: %+v", list)
	}
}

// The number of a transaction is the one that its server was told.
func TestXID(t *testing.T) {
	g := open(t, postgres.Options{})
	for range 3 {
		xid := g.exec("BEGIN; INSERT INTO things (id) VALUES ('x' || pg_current_xact_id()); SELECT pg_current_xact_id(); COMMIT")
		list := g.entries()
		if len(list) != 1 || list[0].Rows[0].ID != "x"+xid || xid != uitoa(list[0].XID) {
			t.Errorf("transaction %s: %+v", xid, list)
		}
	}
	if e := g.r.Epoch(); e.Database == 0 || e.Incarnation != 1 || e.Timeline != 1 {
		t.Errorf("epoch %+v", e)
	}
	p, err := g.s.Registry().Probe(t.Context())
	if err != nil || p.Epoch != g.r.Epoch() || p.Flush < g.r.Start() {
		t.Errorf("the probe says %+v, %v; the log %+v from %d", p, err, g.r.Epoch(), g.r.Start())
	}
}

// A prepared transaction is one when it is committed. A slot waits for it, and says so.
func TestPrepared(t *testing.T) {
	g := openOwn(t, map[string]string{"max_prepared_transactions": "5"})
	g.exec("BEGIN; INSERT INTO things (id) VALUES ('p'); PREPARE TRANSACTION 'p'")
	g.exec("INSERT INTO things (id) VALUES ('q')")
	if list := g.entries(); len(list) != 1 || list[0].Rows[0].ID != "q" {
		t.Errorf("while it is prepared: %+v", list)
	}
	g.exec("COMMIT PREPARED 'p'")
	if list := g.entries(); len(list) != 1 || list[0].Rows[0].ID != "p" {
		t.Errorf("after it is committed: %+v", list)
	}
}
