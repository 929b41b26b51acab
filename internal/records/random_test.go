package records_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/auth"
	"github.com/pandobase/pando/internal/records"
	"github.com/pandobase/pando/internal/servicetest"
	"github.com/pandobase/pando/internal/store"
)

// TestRandomWorlds is TestCachedIsUncached in worlds that nobody thought of:
// random collections, relations and rules, random people, reads and writes. The
// service with a cache must answer byte for byte as one without, on one store,
// which reads in transactions: those remember no searches either.
// PANDO_PROVE=1 goes on for three minutes.
func TestRandomWorlds(t *testing.T) {
	end := time.Now().Add(4 * time.Second)
	if os.Getenv("PANDO_PROVE") != "" {
		end = time.Now().Add(3 * time.Minute)
	}
	var sum randomCounts
	for sum.worlds < 4 || time.Now().Before(end) || !sum.telling() && sum.worlds < 16 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed), func(t *testing.T) { sum.add(newRandomWorld(t, seed).run(t, 25, 60)) })
		if t.Failed() {
			return
		}
	}
	t.Logf("%+v", sum)
	if !sum.telling() {
		t.Errorf("%+v: too few hits, lists that hold still, or answers with a body, to mean anything", sum)
	}
}

// randomCounts is what was done.
type randomCounts struct{ worlds, reads, writes, hits, still, bodies int }

// telling tells whether there were enough hits, lists that held still, and answers with
// a body, to mean anything. A world may have no list that holds still.
func (c *randomCounts) telling() bool {
	return c.hits >= c.reads/10 && c.still >= 4 && c.bodies >= c.reads/10
}

func (c *randomCounts) add(d randomCounts) {
	c.worlds, c.reads, c.writes = c.worlds+1, c.reads+d.reads, c.writes+d.writes
	c.hits, c.still, c.bodies = c.hits+d.hits, c.still+d.still, c.bodies+d.bodies
}

// inTransactions is a store that reads in transactions.
type inTransactions struct{ store.Store }

func (s inTransactions) Read(ctx context.Context, fn func(store.Reader) error) error {
	_, err := s.Write(ctx, func(tx store.Tx) error { return fn(tx) })
	return err
}

type randomWorld struct {
	*world
	g     *grammar
	plain *world
	names map[string]string // what collections are called now, by their first names
	// Everybody as last looked up, and as before that: a request finds out who
	// asks before it reads, and much can happen between.
	known map[string][2]*pando.Record
	seed  uint64
}

func newRandomWorld(t *testing.T, seed uint64) *randomWorld {
	t.Helper()
	w := &randomWorld{world: newWorld(t), g: newGrammar(seed), seed: seed, names: map[string]string{"v0": "v0"}, known: map[string][2]*pando.Record{}}
	passwords := auth.NewPasswords(auth.PasswordsConfig{})
	t.Cleanup(func() { passwords.Close() })
	plain := *w.world
	unremembered := inTransactions{w.env.Store}
	plain.Records = records.New(records.Config{
		Store: unremembered, Facts: store.Direct{Store: unremembered}, Blobs: w.env.Blobs, Passwords: passwords,
		Now:   func() time.Time { return w.clock },
		Sleep: func(context.Context, time.Duration) error { return nil },
	})
	w.plain = &plain
	w.env.Save(t, servicetest.AuthJSON("staff"))
	w.person(t, "sam", "staff")
	for _, c := range w.g.tables {
		w.collection(t, c, nil)
	}
	for _, c := range w.g.all() {
		w.names[c] = c
		w.env.Change(t, c, w.g.define)
	}
	w.env.SaveCollection(t, &pando.Collection{
		ID: "pbc_v0", Name: "v0", Type: pando.TypeView, ListRule: new(""), ViewRule: new(""),
		ViewQuery: "SELECT id, title, num, r0 FROM t1",
		Fields: []*pando.Field{
			{ID: "v1", Name: "id", Type: pando.FieldText, Options: &pando.TextOptions{PrimaryKey: true}},
			{ID: "v2", Name: "title", Type: pando.FieldText, Options: &pando.TextOptions{}},
			{ID: "v3", Name: "num", Type: pando.FieldNumber, Options: &pando.NumberOptions{}},
			{ID: "v4", Name: "r0", Type: pando.FieldRelation, Options: w.env.Store.Catalog().Collection("t1").Field("r0").Options},
		},
	})
	w.g.fields["v0"] = []field{{name: "title"}, {name: "num"}, {name: "title"}, {name: "num"}, {name: "title"}, {name: "num"}, w.g.fields["t1"][6]}
	for i := range 12 {
		w.insert(t, w.g.tables[i%3], i/3)
	}
	w.people(t)
	return w
}

// values are random values for the fields of c.
func (w *randomWorld) values(c string) map[string]any {
	g, v := w.g, map[string]any{}
	for _, f := range w.g.fields[c] {
		switch {
		case g.one(4):
		case f.many:
			v[f.name] = slices.Compact([]string{w.anyID(f.to), w.anyID(f.to)})
		case f.to != "":
			v[f.name] = w.anyID(f.to)
		case f.name == "num":
			v[f.name] = float64(g.IntN(3))
		case f.name == "flag":
			v[f.name] = g.one(2)
		case f.name == "meta":
			v[f.name] = json.RawMessage(g.pick(`{"a":1,"b":"x"}`, `{"a":"b"}`, `null`, `{"a":true}`))
		case f.name == "at":
			v[f.name] = pando.FormatTime(w.clock.Add(time.Duration(g.IntN(7)-3) * time.Hour))
		default:
			v[f.name] = g.pick("a", "b", "A", "", "users")
		}
	}
	if c == "users" || c == "staff" {
		v["emailVisibility"], v["verified"] = g.one(2), g.one(2)
	}
	return v
}

// anyID is the id of a record of c that may be there.
func (w *randomWorld) anyID(c string) string {
	switch c {
	case "users":
		return id(w.g.pick("ann", "bob", "ann", "nobody"))
	case "staff":
		return id("sam")
	case "v0":
		c = "t1"
	}
	return id(fmt.Sprint(c, "x", w.g.IntN(5)))
}

func (w *randomWorld) insert(t *testing.T, c string, n int) {
	values := w.values(c)
	values["id"] = id(fmt.Sprint(c, "x", n))
	col := w.env.Store.Catalog().Collection("pbc_" + c)
	for k := range values {
		if col.Field(k) == nil { // it has another name just now
			delete(values, k)
		}
	}
	w.env.Insert(t, col.ID, values)
}

// people looks everybody up as a request would.
func (w *randomWorld) people(t *testing.T) {
	for _, name := range []string{"ann", "bob", "sam"} { // in the same order for the same seed
		c := map[string]string{"ann": "users", "bob": "users", "sam": "staff"}[name]
		rec := w.look(t, w.env.Store.Catalog().Collection("pbc_"+c), id(name))
		if rec == nil { // went with what it pointed to
			w.person(t, name, "pbc_"+c)
			rec = w.as[name]
		}
		if before := w.known[name][0]; before == nil || before.Collection != rec.Collection || !w.g.one(3) {
			w.known[name] = [2]*pando.Record{rec, before}
		}
	}
}

func (w *randomWorld) run(t *testing.T, rounds, reads int) (n randomCounts) {
	t.Helper()
	for range rounds {
		w.change(t)
		w.people(t)
		asked := make([]call, 6) // a few questions, again and again
		for i := range asked {
			asked[i] = w.question()
		}
		everybody := []string{"", "ann", "bob", "sam", "root"}
		for i := range reads {
			c := asked[i/len(everybody)%len(asked)]
			if w.g.one(2) {
				c = asked[w.g.IntN(len(asked))]
			}
			c.as = everybody[w.g.IntN(len(everybody))]
			if known := w.known[c.as]; known[0] != nil {
				w.as[c.as] = known[0]
				if known[1] != nil && w.g.one(5) {
					w.as[c.as] = known[1]
				}
			}
			want, got := w.plain.run(t, c), w.world.run(t, c)
			if n.reads++; strings.Contains(want, `"id"`) {
				n.bodies++
			}
			if want != got {
				t.Fatalf("%+v\nuncached: %s\n  cached: %s\n%s", c, want, got, w.rules())
			}
			if w.g.one(8) {
				w.write(t)
				n.writes++
				w.people(t)
			}
		}
	}
	n.hits, n.still = int(w.env.Facts.Counts().Hits), int(w.env.Facts.Counts().Still)
	return n
}

// rules says what the rules are, for whoever has to find out what went wrong.
func (w *randomWorld) rules() string {
	var b strings.Builder
	for _, c := range w.env.Store.Catalog().Collections {
		if !c.System || c.IsAuth() {
			text := func(s *string) string {
				if s == nil {
					return "closed"
				}
				return fmt.Sprintf("%q", *s)
			}
			fmt.Fprintf(&b, "%s (%s): list %s, view %s", c.Name, c.ID, text(c.ListRule), text(c.ViewRule))
			if c.Auth != nil {
				fmt.Fprintf(&b, ", manage %s", text(c.Auth.ManageRule))
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func (w *randomWorld) question() call {
	g := w.g
	of := g.pick(append(g.all(), "v0", "t0", "users")...)
	c := call{do: g.pick("list", "view"), collection: w.names[of], id: w.anyID(of), query: map[string]string{}}
	if g.one(4) {
		c.collection = "pbc_" + of
	}
	set := func(name, value string) {
		if value != "" {
			c.query[name] = value
		}
	}
	set("x", g.pick("", "", "a", "b"))
	set("y", g.pick("", "", "a", "1"))
	set("expand", g.expand(of))
	set("fields", g.pick("", "", "", "*,expand.*", "id,title,expand", "*,title:excerpt(1)", "collectionName,email"))
	if c.do == "list" {
		set("filter", g.filter(of, g.one(4)))
		set("sort", g.sort(of))
		c.page, c.perPage, c.skipTotal = g.IntN(3), g.IntN(4)*2, g.one(3)
	}
	return c
}

// change changes a collection: its rules, mostly.
func (w *randomWorld) change(t *testing.T) {
	g := w.g
	of := g.pick(append(g.all(), "v0", "users")...)
	w.env.Change(t, "pbc_"+of, func(c *pando.Collection) {
		c.ListRule, c.ViewRule = g.rule(of), g.rule(of)
		if c.Auth != nil {
			c.Auth.ManageRule = g.rule(of)
		}
		if f := c.Field("title"); f != nil && g.one(6) {
			f.Hidden = !f.Hidden
		}
		switch {
		case of == "v0" || of == "t1": // the view's query names it and its fields
		case g.one(5):
			if f := c.Field("flag"); f != nil {
				f.Name = "banner"
			} else {
				c.Field("banner").Name = "flag"
			}
		case g.one(2):
			if c.Name = of; w.names[of] == of {
				c.Name = of + "new"
			}
			w.names[of] = c.Name
		}
	})
}

// write changes records, or lets time pass.
func (w *randomWorld) write(t *testing.T) {
	g := w.g
	of := g.pick(append(g.all(), g.auths...)...)
	c := w.env.Store.Catalog().Collection("pbc_" + of)
	who := w.anyID(of)
	switch k := g.IntN(10); {
	case k == 0:
		w.clock = w.clock.Add(time.Duration(g.IntN(90)) * time.Minute)
		w.plain.clock = w.clock
	case k == 1 && c.Auth == nil && g.one(3):
		w.env.Write(t, func(tx store.Tx) error { return tx.Truncate(t.Context(), c) })
	case k < 4 && c.Auth == nil: // what points to it is emptied, or goes too
		w.world.run(t, call{as: "root", do: "delete", collection: c.ID, id: who})
	default:
		if rec := w.look(t, c, who); rec != nil {
			values := w.values(of)
			for k := range values {
				if c.Field(k) == nil {
					delete(values, k)
				}
			}
			w.env.Update(t, rec, values)
		} else if c.Auth == nil {
			var n int
			fmt.Sscanf(who[3:4], "%d", &n)
			w.insert(t, of, n)
		}
	}
}

// look finds a record, nil if there is none.
func (w *randomWorld) look(t *testing.T, c *pando.Collection, id string) (rec *pando.Record) {
	_ = w.read(t, func(r reader) error {
		rec, _ = r.Record(t.Context(), c, id)
		return nil
	})
	return rec
}
