package importer_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/importer"
	"github.com/pandobase/pando/internal/servicetest"
)

func TestMatch(t *testing.T) {
	f := newFixture(t)
	f.imports(t, file(t, "airports.csv", "iata,zip,name\nAAA,1,first\nBBB,2,second\nCCC,3,twin\nCCC,4,twin\n"), importer.Options{Collection: "airports"})
	airports := f.records(t, "airports")
	path := file(t, "flights.csv", "from,to,n\nAAA,1,one\nBBB,,two\nXXX,2,three\nCCC,2,four\nAAA,9,five\n,2,six\n")
	match := map[string]string{"from": "airports.iata", "to": "airports.zip"}
	sum := f.imports(t, path, importer.Options{Collection: "flights", Match: match})
	if sum.Rows != 3 || sum.Failed != 3 {
		t.Errorf("%+v", sum)
	}
	if diff := cmp.Diff([]string{
		`3: no record of airports has iata = "XXX"`, `4: more than one record of airports has iata = "CCC"`, `5: no record of airports has zip = "9"`,
	}, f.failed); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
	flights := f.records(t, "flights")
	for i, want := range [][3]string{
		{airports[0].ID(), airports[0].ID(), "one"}, {airports[1].ID(), "", "two"}, {"", airports[1].ID(), "six"},
	} {
		if got := [3]string{flights[i].String("from"), flights[i].String("to"), flights[i].String("n")}; got != want {
			t.Errorf("flight %d: %v, want %v", i, got, want)
		}
	}
	o, ok := f.Store.Catalog().Collection("flights").Field("from").Options.(*pando.RelationOptions)
	if !ok || o.CollectionID != airports[0].Collection.ID || o.MaxSelect != 1 {
		t.Errorf("from is %+v", o)
	}
}

// TestMatchLooksAgain: what was found for one batch is not believed for the
// next.
func TestMatchLooksAgain(t *testing.T) {
	f := newFixture(t)
	f.Save(t, servicetest.BaseJSON("people", `{"id":"f1","name":"name","type":"text"}`))
	ada := f.Insert(t, "people", map[string]any{"name": "ada"})
	var text strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&text, "{\"n\":%d,\"by\":\"ada\"}\n", i)
	}
	changed := 0
	_, err := f.im.Run(t.Context(), file(t, "posts.ndjson", text.String()), importer.Options{
		Collection: "posts", Match: map[string]string{"by": "people.name"},
		Progress: func(p importer.Progress) {
			if changed == 0 {
				changed = p.Rows
				f.Update(t, ada, map[string]any{"name": "grace"})
			}
		},
		Report: func(r importer.RowError) {
			if want := `no record of people has name = "ada"`; r.Number <= changed || r.Err.Error() != want {
				t.Errorf("row %d: %v, want row above %d: %s", r.Number, r.Err, changed, want)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(f.records(t, "posts")); n != changed || changed == 0 || changed == 5000 {
		t.Errorf("%d rows went in, want %d", n, changed)
	}
}
