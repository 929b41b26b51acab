package cluster

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/pandobase/pando/test/target"
)

// look is something that other programs change, as members show it.
type look struct {
	what  string
	shown func(*target.Member) string
}

// count looks how many records a list has.
func (s *stage) count(t *testing.T, path string) look {
	return look{path, func(m *target.Member) string { return fmt.Sprint(len(s.list(t, m, path))) }}
}

// status looks whether something may be seen.
func (s *stage) status(t *testing.T, path string) look {
	return look{path, func(m *target.Member) string { return fmt.Sprint(s.ask(t.Context(), m, "GET", path, "", nil).status) }}
}

// turns has another program do something while what was is in every cache. A lease later
// everybody shows what is; and from the moment on in which somebody does, of any of the
// looks, nobody shows what was, of any of them.
func (s *stage) turns(t *testing.T, sql string, looks []look, was, is []string) {
	t.Helper()
	for range 3 {
		for _, m := range s.Members {
			for i, l := range looks {
				if got := l.shown(m); got != was[i] {
					t.Fatalf("before %.60s: %s shows %s at %s, not %s", sql, m.Name, got, l.what, was[i])
				}
			}
		}
	}
	_, err := s.SQL(t.Context(), sql)
	must(t, err)
	began := time.Now()
	var seen string       // by whom
	var old time.Duration // when somebody was still shown what was
	for rounds := 0; rounds < 5; {
		over := time.Since(began) > bound
		if over {
			rounds++
		}
		for _, m := range s.Members {
			for i, l := range looks {
				got, after := l.shown(m), time.Since(began)
				switch {
				case got == is[i]:
					if is[i] != was[i] && seen == "" {
						seen = m.Name
					}
				case got != was[i]:
					t.Errorf("%.60s: %s shows %s at %s, which was %s and is %s", sql, m.Name, got, l.what, was[i], is[i])
				case over || seen != "":
					t.Errorf("%.60s: %s shows %s at %s and not %s, %v later (shown first by %q)", sql, m.Name, got, l.what, is[i], after, seen)
				default:
					old = after
				}
			}
		}
	}
	t.Logf("%.60s…: everywhere within %v", sql, old.Round(time.Millisecond))
}

// TestSchedule12: another program moves records between filtered lists, deletes some, and
// with them those that hang on them by a foreign key, empties a table, and changes a rule.
func TestSchedule12(t *testing.T) {
	s := newStage(t, target.ClusterOptions{})
	for name, field := range map[string]object{"owners": {"name": "n", "type": "number"}, "parts": {"name": "owner", "type": "text"}} {
		s.must(t, s.Members[0], "POST", "/api/collections", object{
			"name": name, "type": "base", "listRule": "", "viewRule": "", "fields": []any{field},
		}, nil)
	}
	// Half of the parts are of the owner who goes.
	_, err := s.SQL(t.Context(), "INSERT INTO owners (id, n) VALUES ('"+keyID(0)+"', 0), ('"+keyID(1)+`', 1);
		INSERT INTO parts (id, owner) SELECT 'part' || lpad(i::text, 11, '0'), 'key' || lpad((i % 2)::text, 12, '0') FROM generate_series(1, 40) i;
		ALTER TABLE parts ADD FOREIGN KEY (owner) REFERENCES owners ON DELETE CASCADE`)
	must(t, err)
	still(t, 1200*time.Millisecond) // within a second of a change of the schema everything counts as changed once more
	const parts = "/api/collections/parts/records"
	looks := []look{
		s.count(t, records+"?perPage=500&filter=odd=true"), s.count(t, records+"?perPage=500&filter=odd=false"),
		s.count(t, parts+"?perPage=500"), s.status(t, parts+"/part00000000001"), s.status(t, parts+"/part00000000002"),
	}
	was := []string{"0", "60", "40", "200", "200"}
	for _, step := range []struct {
		sql string
		is  []string
	}{
		{"UPDATE counters SET n = n + 1, odd = true WHERE id < '" + keyID(30) + "'", []string{"30", "30", "40", "200", "200"}},
		{"UPDATE counters SET odd = NOT odd WHERE id < '" + keyID(15) + "' OR id >= '" + keyID(50) + "'", []string{"25", "35", "40", "200", "200"}},
		{"DELETE FROM counters WHERE odd", []string{"0", "35", "40", "200", "200"}},
		{"DELETE FROM owners WHERE id = '" + keyID(0) + "'", []string{"0", "35", "20", "200", "404"}},
		{"INSERT INTO counters (id, n, odd) SELECT 'made' || lpad(i::text, 11, '0'), i, false FROM generate_series(1, 20) i", []string{"0", "55", "20", "200", "404"}},
		{"TRUNCATE counters", []string{"0", "0", "20", "200", "404"}},
	} {
		s.turns(t, step.sql, looks, was, step.is)
		was = step.is
	}
	s.rulesTurn(t)
}

// rulesTurn has another program close what guests may see, as a server would: the row of
// the collection and the version of all of them change at once. Servers open it again: they
// go on from the version that the other program has made.
func (s *stage) rulesTurn(t *testing.T) {
	t.Helper()
	owner := s.status(t, "/api/collections/owners/records/"+keyID(1))
	list := s.status(t, "/api/collections/owners/records")
	const set = `UPDATE _pando_collections SET data = (data::jsonb || '{"viewRule": %s}')::json WHERE name = 'owners'; UPDATE _pando_meta SET catalog = catalog + 1`
	for i := range 3 {
		s.turns(t, fmt.Sprintf(set, "null"), []look{owner, list}, []string{"200", "200"}, []string{"403", "200"})
		s.must(t, s.Members[i], "PATCH", "/api/collections/owners", object{"viewRule": ""}, nil)
		for _, m := range s.Members {
			if got := owner.shown(m); got != fmt.Sprint(http.StatusOK) {
				t.Errorf("%s answers %s after the rule was opened", m.Name, got)
			}
		}
	}
}
