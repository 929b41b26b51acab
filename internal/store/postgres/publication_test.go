package postgres

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
)

// follower reads the log, and what other programs write.
type follower struct {
	t    *testing.T
	s    *Store
	r    changes.LogReader
	exec func(sql string) string
}

func follow(t *testing.T, s *Store) *follower {
	t.Helper()
	r, err := s.Log().Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	pg, _ := localclustertest.Database(t)
	return &follower{t, s, r, func(sql string) string {
		t.Helper()
		out, err := pg.ExecIn(t.Context(), s.database(), sql)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}}
}

// entries are all up to now.
func (f *follower) entries() (list []changes.Entry) {
	f.t.Helper()
	to, err := position.ParseLSN(f.exec("SELECT pg_current_wal_flush_lsn()"))
	if err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(f.t.Context(), 20*time.Second)
	defer cancel()
	for {
		c, err := f.r.Next(ctx)
		if err != nil {
			f.t.Fatal(err)
		}
		if list = append(list, c.Entries...); c.To >= to {
			return list
		}
	}
}

func (f *follower) all(what string, want bool) {
	f.t.Helper()
	got := false
	for _, e := range f.entries() {
		got = got || e.All
	}
	if got != want {
		f.t.Errorf("%s: all is told of: %v, want %v", what, got, want)
	}
}

func (f *follower) tend() {
	f.t.Helper()
	if err := f.s.Tend(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
}

func (f *follower) published(view *pando.Collection, want bool) {
	f.t.Helper()
	n, c, err := f.s.nodes.reader(f.t.Context(), 0, true)
	if err != nil {
		f.t.Fatal(err)
	}
	defer n.release(c)
	if got, err := c.viewReads(f.t.Context(), view.Name); err != nil || got.told != want {
		f.t.Errorf("what changes %s is told: %+v, %v; want %v", view.ViewQuery, got, err, want)
	}
}

func view(name, query string) *pando.Collection {
	return &pando.Collection{ID: "pbc_" + name, Name: name, Type: pando.TypeView, ViewQuery: query, Fields: []*pando.Field{
		{ID: "f_id", Name: "id", Type: pando.FieldText, Options: &pando.TextOptions{PrimaryKey: true}},
	}}
}

// What a view reads of other programs' tables is in the log, or the view is known to
// change unseen.
func TestPublication(t *testing.T) {
	s, _ := fresh(t, Options{OneShot: true})
	f := follow(t, s)
	f.exec(`CREATE TABLE keyed (id text PRIMARY KEY); CREATE TABLE bare (id text); CREATE SCHEMA away; CREATE TABLE away.keyed (id text PRIMARY KEY);
		CREATE FUNCTION reads() RETURNS text STABLE LANGUAGE sql AS 'SELECT min(id) FROM bare';
		CREATE VIEW between AS SELECT id FROM away.keyed`)
	own := create(t, s, view("own", "SELECT id FROM things"))
	keyed := create(t, s, view("of_keyed", "SELECT id FROM keyed"))
	bare := create(t, s, view("of_bare", "SELECT t.id FROM things t JOIN bare b ON b.id = t.id"))
	over := create(t, s, view("over", "SELECT id FROM between"))
	calls := create(t, s, view("calls", "SELECT id || reads() AS id FROM things"))
	system := create(t, s, view("of_own", "SELECT id, lower(title) AS title FROM things WHERE n > 0"))
	f.published(own, true)
	f.published(system, true)
	f.published(keyed, false)
	f.entries()
	f.tend()
	f.all("tables were published", true)
	f.published(keyed, true)
	f.published(over, true)
	f.published(bare, false)
	f.published(calls, false)
	f.exec("INSERT INTO away.keyed VALUES ('a')")
	if list := f.entries(); len(list) != 1 || len(list[0].Tags) != 1 || list[0].Tags[0] != position.AllTag || list[0].All {
		t.Errorf("a table of others: %+v", list)
	}
	f.exec("INSERT INTO bare VALUES ('a'); UPDATE bare SET id = 'b'") // which has no replica identity
	f.tend()
	f.all("nothing has changed", false)
	// Without its key it must go, lest its updates fail.
	f.exec("ALTER TABLE keyed DROP CONSTRAINT keyed_pkey")
	f.tend()
	f.all("a key was dropped", true)
	f.published(keyed, false)
	f.exec("INSERT INTO keyed VALUES ('x'); DELETE FROM keyed")
	// A collection whose records the log cannot tell of is no small matter.
	f.exec("ALTER TABLE things DROP CONSTRAINT " + quote(primaryKey(things())))
	if err := s.Tend(t.Context()); err == nil || !strings.Contains(err.Error(), "no primary key") {
		t.Errorf("a collection without a key: %v", err)
	}
	f.all("a collection without a key", true)
}

// What is something else each time, or hangs on what nobody tells of, is known; what
// merely looks so is not suspected.
func TestViewsThatChangeByThemselves(t *testing.T) {
	s, _ := fresh(t, Options{OneShot: true})
	f := follow(t, s)
	f.exec(`CREATE VIEW timed AS SELECT id FROM things WHERE now() > '2000-01-01'; CREATE VIEW plain AS SELECT id FROM things WHERE n > 0;
		CREATE FUNCTION last(text, text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT $2';
		CREATE FUNCTION peek(text, text) RETURNS text STABLE LANGUAGE sql AS 'SELECT min(id) FROM things';
		CREATE FUNCTION peek(text) RETURNS text STABLE LANGUAGE sql AS 'SELECT min(id) FROM things';
		CREATE AGGREGATE lasts(text) (sfunc = last, stype = text);
		CREATE AGGREGATE peeks(text) (sfunc = peek, stype = text);
		CREATE AGGREGATE peeks_once(text) (sfunc = last, stype = text, finalfunc = peek)`)
	for i, c := range []struct {
		query string
		told  bool
	}{
		{"SELECT id, random() AS r FROM things", false},
		{"SELECT id FROM things WHERE current_date > '2000-01-01'", false},
		{"SELECT id, localtimestamp AS at FROM things", false},
		{"SELECT id, clock_timestamp() AS at FROM things", false},
		{"SELECT id, age('2000-01-01'::timestamp) AS a FROM things", false},
		{"SELECT id, current_setting('TimeZone') AS zone FROM things", false},
		{"SELECT t.id FROM things AS t TABLESAMPLE SYSTEM (50)", false},
		{"SELECT gen_random_uuid()::text AS id", false},
		{"SELECT id FROM timed", false},
		{"SELECT id FROM things WHERE title::date < '2030-01-01'", false}, // the title may be 'today'
		{"SELECT id, title::timestamptz AS at FROM things", false},
		{"SELECT id, (title::json->>'due')::time AS at FROM things", false},
		{"SELECT id, string_to_array(title, ',')::timestamp[] AS at FROM things", false},
		{"SELECT id, title::date[] AS at FROM things", false},
		{"SELECT id, title::daterange AS at FROM things", false},
		{"SELECT id, _pando.to_date(title) AS at FROM things", false},
		{"SELECT t.id, r.at FROM things t, json_to_record(t.title::json) AS r(at date)", false},
		{"SELECT t.id, r.at FROM things t, xmltable('/a' PASSING xmlelement(name a, t.title) COLUMNS at date PATH '.') AS r", false},
		{"SELECT peeks(id) AS id FROM things", false},
		{"SELECT peeks_once(id) AS id FROM things", false},
		{"SELECT id FROM plain", true},
		{"SELECT lasts(id) AS id FROM things", true},
		{"SELECT id, title::float8 AS a, title::int AS b, title::bool AS c, title::text[] AS d, title::jsonb->>'e' AS e, title::interval AS i FROM things", true},
		{"SELECT id, n::text AS text, to_timestamp(n)::text AS at, to_timestamp(n)::date AS day FROM things", true},
		{"SELECT title AS id, json_agg(n) AS ns, count(*) AS c, max(n) AS most FROM things GROUP BY title", true},
		{"SELECT concat(id, '!') AS id, to_char(n, '999') AS text FROM things", true},
		{"SELECT DISTINCT a.id FROM things a JOIN things b ON a.id = b.title WHERE a.title IN ('x', 'y') OR EXISTS (SELECT 1 FROM things)", true},
	} {
		f.published(create(t, s, view(fmt.Sprint("view", i), c.query)), c.told)
	}
}

// Without a superuser, whom the database itself tells of DDL, it is noticed.
func TestForeignDDL(t *testing.T) {
	s, _ := fresh(t, Options{OneShot: true})
	f := follow(t, s)
	f.exec(`CREATE TABLE read (id text PRIMARY KEY, n int); CREATE SCHEMA away; CREATE TABLE away.read (id text PRIMARY KEY);
		CREATE FUNCTION away.marked(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT $1'; CREATE TYPE away.mood AS ENUM ('good', 'bad');
		CREATE VIEW away.sums AS SELECT to_json(r)::text || away.marked(id) || 'good'::away.mood AS id FROM away.read AS r`)
	create(t, s, view("reader", "SELECT id FROM read"))
	create(t, s, view("summed", "SELECT id FROM away.sums"))
	f.exec("DROP EVENT TRIGGER pando_ddl; DROP EVENT TRIGGER pando_drop")
	f.tend()
	f.entries()
	f.tend()
	f.all("nothing", false)
	for _, sql := range []string{
		"ALTER TABLE read ADD m int", "ALTER TABLE read RENAME m TO k", "ALTER TABLE things ALTER n TYPE float4",
		"CREATE OR REPLACE VIEW reader AS SELECT id || '!' AS id FROM read", "CREATE TABLE another (id int)", "DROP TABLE another",
		"ALTER TABLE things FORCE ROW LEVEL SECURITY", "ALTER TABLE things NO FORCE ROW LEVEL SECURITY",
		"CREATE OR REPLACE VIEW away.sums AS SELECT id || away.marked(id) AS id FROM away.read",
		"CREATE OR REPLACE FUNCTION away.marked(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT $1 || 1'",
		"ALTER TYPE away.mood RENAME VALUE 'good' TO 'better'",
		"ALTER TABLE away.read ADD n int", "ALTER TABLE away.read RENAME n TO m", "ALTER TABLE away.read DROP m",
	} {
		f.exec(sql)
		f.tend()
		f.all(sql, true)
	}
	n, c, err := s.nodes.writer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer n.release(c)
	if err := c.exec(t.Context(), "CREATE TEMP TABLE temp (a int)", "CREATE TEMP VIEW seen AS SELECT a FROM temp",
		"CREATE FUNCTION pg_temp.one() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1'"); err != nil {
		t.Fatal(err)
	}
	f.exec("CREATE INDEX ON away.read (lower(id)); GRANT SELECT ON away.read TO PUBLIC; ANALYZE")
	f.tend()
	f.all("what changes no answer", false)
	if err := c.exec(t.Context(), "DISCARD TEMP"); err != nil {
		t.Fatal(err)
	}
	f.exec("VACUUM FULL things") // the same rows in another file
	f.tend()
	f.entries()
	f.exec("VACUUM things")
	f.exec("INSERT INTO things (id) VALUES ('a')")
	f.tend()
	f.all("no change of the schema", false)
}

// A collection that is not what its table's name in the log says, or not that alone, is
// not trusted, and the log is read all the same.
func TestCollectionThatIsNoTable(t *testing.T) {
	s, _ := fresh(t, Options{OneShot: true})
	f := follow(t, s)
	for _, tt := range []struct{ to, back string }{
		{"ALTER TABLE things RENAME TO things_data; CREATE VIEW things AS SELECT * FROM things_data", "DROP VIEW things; ALTER TABLE things_data RENAME TO things"},
		{"CREATE TABLE things_2020 () INHERITS (things)", "ALTER TABLE things_2020 NO INHERIT things"},
		{"ALTER TABLE things RENAME TO things_data", "ALTER TABLE things_data RENAME TO things"},
	} {
		f.exec(tt.to)
		for range 2 {
			f.entries()
			if err := s.Tend(t.Context()); err == nil || !strings.Contains(err.Error(), "The collection things is not a table") {
				t.Errorf("%s: %v", tt.to, err)
			}
			f.all(tt.to, true)
		}
		follow(t, s)
		f.exec(tt.back)
		f.tend()
		f.entries()
		f.tend()
		f.all(tt.back, false)
	}
	seen := create(t, s, view("seen", "SELECT id FROM things"))
	f.exec("DROP VIEW seen; CREATE MATERIALIZED VIEW seen AS SELECT id FROM things")
	f.tend()
	f.published(seen, false)
}

// What others make of the publication is put right.
func TestPublicationPutRight(t *testing.T) {
	s, _ := fresh(t, Options{OneShot: true})
	f := follow(t, s)
	f.exec("CREATE TABLE keyed (id text PRIMARY KEY); INSERT INTO keyed VALUES ('a'); INSERT INTO things (id) VALUES ('a')")
	views := []*pando.Collection{create(t, s, view("own", "SELECT id FROM things")), create(t, s, view("of_keyed", "SELECT id FROM keyed"))}
	f.tend()
	wrongs := []string{"ALTER PUBLICATION pando SET (publish = 'insert, delete')", "ALTER PUBLICATION pando DROP TABLE things, keyed"}
	if f.exec("SELECT current_setting('server_version_num')::int >= 150000") == "t" {
		wrongs = append(wrongs,
			"ALTER PUBLICATION pando DROP TABLE things, keyed; ALTER PUBLICATION pando ADD TABLE things WHERE (id > 'm'), keyed WHERE (id > 'm')",
			"ALTER PUBLICATION pando DROP TABLE things, keyed; ALTER PUBLICATION pando ADD TABLE things (id), keyed (id)")
	}
	for _, wrong := range wrongs {
		f.exec(wrong)
		for _, v := range views {
			f.published(v, false)
		}
		f.entries()
		f.tend()
		f.all(wrong, true)
		for _, v := range views {
			f.published(v, true)
		}
		f.exec("UPDATE things SET n = n + 1 WHERE id = 'a'")
		if list := f.entries(); len(list) != 1 || len(list[0].Rows) != 1 || list[0].Rows[0].Columns[1].Name != "n" {
			t.Errorf("%s: the log tells of %+v", wrong, list)
		}
		f.exec("UPDATE keyed SET id = id")
		if list := f.entries(); len(list) != 1 {
			t.Errorf("%s: the log tells of %+v", wrong, list)
		}
		f.tend()
		f.all("it is right", false)
	}
}

// A writer that was there before a table was published is not missed.
func TestPublishedBehindWriter(t *testing.T) {
	s, _ := fresh(t, Options{OneShot: true})
	f := follow(t, s)
	f.exec("CREATE TABLE read (id text PRIMARY KEY)")
	create(t, s, view("reader", "SELECT id FROM read"))
	n, c, err := s.nodes.writer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer n.release(c)
	if err := c.exec(t.Context(), "BEGIN", "INSERT INTO read VALUES ('early')"); err != nil {
		t.Fatal(err)
	}
	if err := s.Tend(t.Context()); codeOf(err) != codeLockTimeout {
		t.Errorf("published beside a writer: %v", err)
	}
	if err := s.Tend(t.Context()); err != nil {
		t.Errorf("tried again at once: %v", err)
	}
	if err := c.exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	s.publishing.until = time.Time{}
	f.tend()
	if d, err := publicationDiff(t.Context(), c, "pando"); err != nil || !d.none() {
		t.Errorf("not published: %+v, %v", d, err)
	}
}

// The log of one database knows nothing of another's collections, though their
// names are the same.
func TestDatabasesApart(t *testing.T) {
	s, _ := fresh(t, Options{OneShot: true})
	f := follow(t, s)
	other, c := fresh(t, Options{OneShot: true})
	write(t, other, func(tx store.Tx) error { return tx.Insert(t.Context(), thing(c, "theirs", "", 0)) })
	f.exec("INSERT INTO things (id) VALUES ('ours')")
	if list := f.entries(); len(list) != 1 || list[0].Rows[0].ID != "ours" {
		t.Errorf("%+v", list)
	}
}

// What a server has the primary confirm, to see whether it can, is nobody's change.
func TestConfirmingChangesNothing(t *testing.T) {
	s, _ := fresh(t, Options{OneShot: true})
	f := follow(t, s)
	f.entries()
	if !s.confirms() {
		t.Error("the primary does not confirm a commit")
	}
	if list := f.entries(); len(list) > 0 {
		t.Errorf("the log tells of %+v", list)
	}
}
