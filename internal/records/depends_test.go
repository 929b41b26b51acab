package records_test

import (
	"strings"
	"testing"

	"github.com/pandobase/pando"
)

// A client's sort key that leads through a relation brings the list rule of the
// other collection along: whom that rule asks about is part of the key.
func TestSortHangsOnWhoAsks(t *testing.T) {
	w := newWorld(t)
	w.collection(t, "secrets", map[string]any{"listRule": `owner = @request.auth.id`, "viewRule": nil},
		`{"id":"f1","name":"rank","type":"number"}`, `{"id":"f2","name":"owner","type":"text"}`)
	w.collection(t, "items", nil, `{"id":"f1","name":"title","type":"text"}`,
		`{"id":"f2","name":"secret","type":"relation","collectionId":"pbc_secrets","maxSelect":1}`)
	for i, who := range []string{"ann", "bob"} {
		w.env.Insert(t, "secrets", map[string]any{"id": id("s" + who), "rank": float64(i), "owner": id(who)})
		w.env.Insert(t, "items", map[string]any{"id": id("i" + who), "title": who, "secret": id("s" + who)})
	}
	for i, who := range []string{"ann", "bob", "ann", "ann", "bob", "ann"} {
		q := with("sort", "secret.rank")
		if i > 2 {
			q["filter"] = `title != "x"`
		}
		got := w.run(t, call{as: who, do: "list", collection: "items", query: q})
		if other := map[string]string{"ann": "bob", "bob": "ann"}[who]; !strings.Contains(got, id("i"+who)) || strings.Contains(got, id("i"+other)) {
			t.Errorf("%s is shown %s", who, got)
		}
	}
}

// A request that found out who asks before a collection was renamed must not
// leave answers behind for those who come after.
func TestRenamedAuthCollection(t *testing.T) {
	w := newWorld(t)
	w.collection(t, "items", map[string]any{"listRule": `@request.auth.collectionName = "users"`})
	w.env.Insert(t, "items", map[string]any{"id": id("a")})
	before := w.as["ann"]
	w.env.Change(t, "users", func(c *pando.Collection) { c.Name = "members" })
	list := call{as: "ann", do: "list", collection: "items"}
	w.run(t, list)
	w.as["ann"] = w.stored(t, "members", before.ID())
	if got := w.run(t, list); !strings.Contains(got, `"totalItems":0`) {
		t.Errorf("a member is shown what users may see: %s", got)
	}
}

// What a view shows can change with the clock or by chance.
func TestVolatileViewsAreNotKept(t *testing.T) {
	w := newWorld(t)
	w.collection(t, "items", nil, `{"id":"f1","name":"title","type":"text"}`)
	w.env.Insert(t, "items", map[string]any{"id": id("a"), "title": "x"})
	view := func(name, query string) {
		w.env.SaveCollection(t, &pando.Collection{
			ID: "pbc_" + name, Name: name, Type: pando.TypeView, ListRule: new(""), ViewRule: new(""), ViewQuery: query,
			Fields: []*pando.Field{
				{ID: "v1", Name: "id", Type: pando.FieldText, Options: &pando.TextOptions{PrimaryKey: true}},
				{ID: "v2", Name: "n", Type: pando.FieldNumber, Options: &pando.NumberOptions{}},
			},
		})
	}
	view("dice", "SELECT id, abs(random() % 1000000007) AS n FROM items")
	view("through", "SELECT id, n FROM dice")
	view("clock", "SELECT id, (julianday('now') * 86400000000.0) AS n FROM items")
	view("short", "SELECT id, (strftime('%f') || '') + 0 AS n FROM items")
	view("upper", "SELECT id, CURRENT_TIMESTAMP AS n FROM items")
	view("steady", "SELECT id, length(title) AS n FROM items")
	w.collection(t, "points", nil, `{"id":"f1","name":"at","type":"relation","collectionId":"pbc_dice","maxSelect":1}`)
	w.env.Insert(t, "points", map[string]any{"id": id("p"), "at": id("a")})
	for _, name := range []string{"dice", "through", "clock", "short", "upper", "steady", "points"} {
		c := call{as: "ann", do: "list", collection: name, query: with("expand", "at")}
		w.run(t, c)
		before := w.env.Facts.Counts()
		w.run(t, c)
		kept := w.env.Facts.Counts().Hits > before.Hits
		if want := name == "steady"; kept != want {
			t.Errorf("the answer of %s was kept: %v, want %v", name, kept, want)
		}
	}
}
