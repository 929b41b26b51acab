package cluster

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/pandobase/pando/test/target"
)

// TestViewsAreKept: what a view shows is in the caches until a table that it reads has
// changed, whoever has changed it, or the view itself; and no longer.
func TestViewsAreKept(t *testing.T) {
	s := newStage(t, target.ClusterOptions{Replicas: 1, Caches: 1, Flags: []string{"--shadow-reads", "off"}}) // those are queries too
	_, err := s.SQL(t.Context(), "CREATE TABLE stock (id text COLLATE \"C\" PRIMARY KEY, n double precision); INSERT INTO stock VALUES ('a', 0)")
	must(t, err)
	for name, query := range map[string]string{
		"sums":    "SELECT 'all' AS id, sum(n) AS n FROM counters",
		"stocked": "SELECT id, n FROM stock",
		"clock":   "SELECT id, n, to_char(clock_timestamp(), 'US') AS at FROM counters",
	} {
		s.must(t, s.Members[0], "POST", "/api/collections", object{"name": name, "type": "view", "viewQuery": query, "listRule": "", "viewRule": ""}, nil)
	}
	shown := func(m *target.Member, view string) string {
		a := s.ask(t.Context(), m, "GET", "/api/collections/"+view+"/records?fields=n,at&sort=id&perPage=1&skipTotal=1", "", nil)
		if a.status != http.StatusOK {
			t.Fatalf("%s at %s: %v", view, m.Name, a)
		}
		return string(a.body)
	}
	shows := func(view string, n int64) {
		t.Helper()
		for _, m := range s.Members {
			if got := shown(m, view); !strings.Contains(got, fmt.Sprintf(`"n":%d}`, n)) {
				t.Fatalf("%s shows of %s: %s, and it is %d", m.Name, view, got, n)
			}
		}
	}
	queries := func() float64 { return s.queries(t, s.Members[0]) }
	// kept tells whether views are answered without a query.
	kept := func(want bool, views ...string) {
		t.Helper()
		for _, view := range views {
			soon(t, "no queries for "+view, func() bool {
				shown(s.Members[0], view)
				before := queries()
				for range 50 {
					shown(s.Members[0], view)
				}
				n := queries() - before
				if !want && n < 50 {
					t.Fatalf("%v queries for 50 answers of %s", n, view)
				}
				return !want || n < 10 // the server itself has some
			})
		}
	}
	kept(true, "sums", "stocked")
	kept(false, "clock")
	if a, b := shown(s.Members[0], "clock"), shown(s.Members[0], "clock"); a == b {
		t.Errorf("the time stands still: %s", a)
	}
	total := int64(0)
	for n := int64(1); n <= 50; n++ {
		s.set(t, s.Members[n%3], int(n%10), n)
		if total += n; n > 10 {
			total -= n - 10 // what it was before
		}
		shows("sums", total)
	}
	for n := int64(1); n <= 5; n++ {
		_, err := s.SQL(t.Context(), fmt.Sprintf("UPDATE stock SET n = %d; UPDATE counters SET n = n + 1 WHERE id = '%s'", n, keyID(20)))
		must(t, err)
		still(t, bound)
		shows("stocked", n)
		shows("sums", total+n)
	}
	kept(true, "sums", "stocked")

	// Another program makes of a view something else. What it reads now, counts now.
	_, err = s.SQL(t.Context(), "CREATE OR REPLACE VIEW stocked AS SELECT id, to_json(n) AS n FROM counters WHERE id = '"+keyID(30)+"'")
	must(t, err)
	still(t, bound)
	for n := int64(1); n < 20; n++ {
		s.set(t, s.Members[n%3], 30, n)
		shows("stocked", n)
	}
	kept(true, "stocked")
}
