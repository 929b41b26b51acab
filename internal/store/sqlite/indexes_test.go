package sqlite

import (
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/rule"
	"github.com/pandobase/pando/internal/store"
)

// explain is SQLite's plan for a query.
func explain(t *testing.T, s *Store, q store.Query) string {
	t.Helper()
	sql, args, err := selectSQL(q, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	var plan []string
	err = s.Read(t.Context(), func(r store.Reader) error {
		return r.(*reader).c.each("EXPLAIN QUERY PLAN "+sql, func(q *stmt) error {
			plan = append(plan, q.text(3))
			return nil
		}, args...)
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(plan, "; ")
}

// The newest first must not take a walk over the whole table, whatever happened
// to the collection.
func TestNewestFirstTakesTheIndex(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir()})
	c := savePosts(t, s, "posts")
	change := func(edit func(c *pando.Collection)) {
		t.Helper()
		next := c.Clone()
		edit(next)
		_, err := s.Write(t.Context(), func(tx store.Tx) error { return tx.SaveCollection(t.Context(), c, next) })
		if err != nil {
			t.Fatal(err)
		}
		c = s.Catalog().Collection(c.ID)
	}
	check := func(when, field, index string) {
		t.Helper()
		keys, err := rule.CompileSort("-"+field, rule.Scope{Schema: s.Catalog(), Collection: c})
		if err != nil {
			t.Fatal(err)
		}
		plan := explain(t, s, store.Query{Collection: c, Sort: keys, Limit: 30})
		if !strings.Contains(plan, "USING INDEX "+index) {
			t.Errorf("%s: %s", when, plan)
		}
	}
	check("new", "created", "_pando_auto_posts_f_created")
	change(func(c *pando.Collection) { c.Field("created").Name = "made" })
	check("renamed field", "made", "_pando_auto_posts_f_created")
	change(func(c *pando.Collection) { c.Name = "articles" })
	check("renamed collection", "made", "_pando_auto_posts_f_created")
	change(func(c *pando.Collection) { c.Indexes = []string{"CREATE INDEX mine ON x (made, title)"} })
	check("an index of the user's own", "made", "mine")
	if got := shell(t, s.Path(), "SELECT count(*) FROM sqlite_schema WHERE name LIKE '_pando_auto_posts_f_created%'"); got != "0" {
		t.Errorf("%s indexes of the store beside it", got)
	}
	change(func(c *pando.Collection) { c.Indexes = nil })
	check("without it again", "made", "_pando_auto_posts_f_created")
}

// What an owner may see, in the order it came, is found without reading the
// others' records.
func TestOwnerTakesTheIndex(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir()})
	c := savePosts(t, s, "posts")
	var relation *pando.Field
	for _, f := range c.Fields {
		if f.Type == pando.FieldRelation && !f.Multiple() {
			relation = f
		}
	}
	if relation == nil {
		t.Fatal("the collection has no relation to one record")
	}
	r, err := rule.Compile(relation.Name+" = @request.auth.id", rule.Scope{Schema: s.Catalog(), Collection: c})
	if err != nil {
		t.Fatal(err)
	}
	me := pando.NewRecord(c)
	me.Set("id", "me")
	where := []store.Condition{{Rule: r, Request: &pando.Request{Auth: me}}}
	plan := explain(t, s, store.Query{Collection: c, Where: where, Limit: 30})
	if !strings.Contains(plan, "_pando_auto_posts_"+relation.ID) || strings.Contains(plan, "TEMP B-TREE") {
		t.Error(plan)
	}
}
