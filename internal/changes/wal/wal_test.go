package wal_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/store/postgres"
)

// things is a collection of records with a title and a number.
func things(name string) *pando.Collection {
	return &pando.Collection{
		ID: "pbc_" + name, Name: name, Type: pando.TypeBase,
		Fields: []*pando.Field{
			{ID: "f_id", Name: "id", Type: pando.FieldText, Options: &pando.TextOptions{PrimaryKey: true}},
			{ID: "f_title", Name: "title", Type: pando.FieldText, Options: &pando.TextOptions{}},
			{ID: "f_n", Name: "n", Type: pando.FieldNumber, Options: &pando.NumberOptions{}},
		},
	}
}

// ground is a store on an empty database with the collection things, a session of
// another program, and what reads the log.
type ground struct {
	t   testing.TB
	url string
	s   *postgres.Store
	sql *pgconn.PgConn
	r   changes.LogReader
	c   *pando.Collection
}

func open(t testing.TB, opts postgres.Options) *ground {
	t.Helper()
	if opts.URL == "" {
		_, opts.URL = localclustertest.Database(t)
	}
	opts.Logger = slog.New(slog.DiscardHandler)
	s, err := postgres.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	g := &ground{t: t, url: opts.URL, s: s}
	g.sql = g.session()
	g.c = g.create(things("things"))
	g.follow()
	return g
}

func (g *ground) session() *pgconn.PgConn {
	g.t.Helper()
	c, err := pgconn.Connect(g.t.Context(), g.url)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

// follow begins to read at now.
func (g *ground) follow() {
	g.t.Helper()
	r, err := g.s.Log().Open(g.t.Context())
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { r.Close() })
	g.r = r
}

func (g *ground) create(c *pando.Collection) *pando.Collection {
	g.t.Helper()
	g.write(func(tx store.Tx) error { return tx.SaveCollection(g.t.Context(), nil, c) })
	return g.s.Catalog().Collection(c.ID)
}

func (g *ground) write(fn func(store.Tx) error) {
	g.t.Helper()
	if _, err := g.s.Write(g.t.Context(), fn); err != nil {
		g.t.Fatal(err)
	}
}

// exec runs statements as psql would, and returns the last value.
func (g *ground) exec(sql string) string {
	g.t.Helper()
	return run(g.t, g.sql, sql)
}

func run(t testing.TB, c *pgconn.PgConn, sql string) (last string) {
	t.Helper()
	results, err := c.Exec(t.Context(), sql).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	for _, r := range results {
		for _, row := range r.Rows {
			last = string(row[0])
		}
	}
	return last
}

// flushed is where the log ends.
func (g *ground) flushed() position.N {
	g.t.Helper()
	n, err := position.ParseLSN(g.exec("SELECT pg_current_wal_flush_lsn()"))
	if err != nil {
		g.t.Fatal(err)
	}
	return n
}

// entries are all up to now.
func (g *ground) entries() []changes.Entry {
	g.t.Helper()
	return g.until(g.flushed())
}

func (g *ground) until(n position.N) (list []changes.Entry) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), 30*time.Second)
	defer cancel()
	for {
		chunk, err := g.r.Next(ctx)
		if err != nil {
			g.t.Fatalf("Next: %v", err)
		}
		list = append(list, chunk.Entries...)
		if chunk.To >= n {
			return list
		}
	}
}

// text is an entry as the tests write it: its rows, then what is special.
func text(e changes.Entry) string {
	var b strings.Builder
	for _, r := range e.Rows {
		fmt.Fprintf(&b, "%s %s/%s", r.Action, strings.TrimPrefix(r.Collection, "pbc_"), r.ID)
		for _, c := range r.Columns {
			switch {
			case c.Name == "id" || strings.HasPrefix(c.Name, "_pando"):
			case c.Unchanged:
				fmt.Fprintf(&b, " %s=unchanged", c.Name)
			case c.Value == nil:
				fmt.Fprintf(&b, " %s=NULL", c.Name)
			default:
				fmt.Fprintf(&b, " %s=%.20s", c.Name, c.Value)
			}
		}
		b.WriteString("; ")
	}
	if e.All {
		b.WriteString("ALL; ")
	}
	if e.Catalog {
		b.WriteString("CATALOG " + strconv.FormatUint(e.Version, 10) + "; ")
	}
	if e.Unlisted {
		b.WriteString("UNLISTED; ")
	}
	return strings.TrimSuffix(b.String(), "; ")
}

// record, table: the tags of things.
func record(id string) position.Tag { return position.RecordTag("pbc_things", id) }
func table() position.Tag           { return position.TableTag("pbc_things") }

// TestEntries: what other programs do, and what the log says of it.
func TestEntries(t *testing.T) {
	g := open(t, postgres.Options{AnnounceDeletes: true})
	g.create(things("other"))
	g.exec(`ALTER TABLE other ADD FOREIGN KEY (title) REFERENCES things (id) ON DELETE CASCADE ON UPDATE CASCADE;
		CREATE TABLE foreign_keyed (id int PRIMARY KEY); CREATE TABLE bare (id int);
		CREATE FUNCTION count_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			INSERT INTO other (id, title, n) VALUES ('by trigger of ' || new.id, 'a', 1) ON CONFLICT DO NOTHING; RETURN new; END $$;
		SET my.trigger = off`)
	g.entries()
	all := position.AllTag
	tests := []struct {
		name string
		sql  string // entries are split by "|"
		want string
		tags []position.Tag // of the first entry; nil: not looked at
	}{
		{"insert", `INSERT INTO things (id, title, n) VALUES ('a', 'x', 1.5)`, "create things/a n=1.5 title=x", []position.Tag{table(), record("a"), all}},
		{"update", `UPDATE things SET n = 2`, "update things/a n=2 title=x", []position.Tag{table(), record("a"), all}},
		{"nothing", `UPDATE things SET n = 2 WHERE false`, "", nil},
		{"another id", `UPDATE things SET id = 'b'`, "delete things/a; create things/b n=2 title=x", []position.Tag{table(), record("a"), record("b"), all}},
		{"delete", `DELETE FROM things`, "delete things/b", []position.Tag{table(), record("b"), all}},
		{"several", `BEGIN; INSERT INTO things (id) VALUES ('a'), ('b'); UPDATE things SET n = 3 WHERE id = 'a'; COMMIT`,
			"create things/a n=0 title=; create things/b n=0 title=; update things/a n=3 title=", nil},
		{"two", `INSERT INTO things (id) VALUES ('c'); INSERT INTO things (id) VALUES ('d')`, "create things/c n=0 title=; create things/d n=0 title=", nil}, // one message is one transaction
		{"rolled back", `BEGIN; DELETE FROM things; ROLLBACK`, "", nil},
		{"savepoint", `BEGIN; UPDATE things SET n = 1 WHERE id = 'a'; SAVEPOINT s; DELETE FROM things; ROLLBACK TO s; UPDATE things SET n = 1 WHERE id = 'b'; COMMIT`,
			"update things/a n=1 title=; update things/b n=1 title=", []position.Tag{table(), record("a"), record("b"), all}},
		{"cascade", `INSERT INTO other (id, title) VALUES ('o', 'a')`, "create other/o n=0 title=a", nil},
		{"cascade 2", `DELETE FROM things WHERE id = 'a'`, "delete things/a; delete other/o", nil},
		{"trigger", `INSERT INTO things (id) VALUES ('a')`, "create things/a n=0 title=", nil},
		{"trigger 2", `BEGIN; CREATE TRIGGER up AFTER UPDATE ON things FOR EACH ROW EXECUTE FUNCTION count_up(); UPDATE things SET n = 9 WHERE id = 'a'; COMMIT`,
			"update things/a n=9 title=; create other/by trigger of a n=1 title=a; ALL; UNLISTED", nil},
		{"truncate", `TRUNCATE other`, "ALL; UNLISTED", nil},
		{"foreign table", `INSERT INTO foreign_keyed VALUES (1)`, "", nil}, // nobody reads it
		{"bare table", `INSERT INTO bare VALUES (1)`, "", nil},
		{"param", `INSERT INTO _pando_params VALUES ('k', 'v')`, "", []position.Tag{position.RecordTag("_pando", "k"), all}},
		{"param 2", `DELETE FROM _pando_params WHERE key = 'k'`, "", []position.Tag{position.RecordTag("_pando", "k"), all}},
		{"settings", `UPDATE _pando_settings SET data = data`, "ALL; CATALOG 0", []position.Tag{position.TableTag("_pando"), all}},
		{"catalog", `UPDATE _pando_meta SET catalog = catalog + 100`, "ALL; CATALOG 102", nil},
		{"a server that starts", `UPDATE _pando_meta SET term = term + 1`, "", nil},
		{"the cluster's rows", `INSERT INTO _pando_cluster VALUES ('a', 'b')`, "", nil},
		{"DDL", `ALTER TABLE things ADD COLUMN extra int`, "ALL; UNLISTED", nil},
		{"an index", `CREATE INDEX ON things (extra)`, "", nil},
		{"a temporary table", `CREATE TEMP TABLE temp (a int); INSERT INTO temp VALUES (1); DROP TABLE temp`, "", nil},
		{"DROP", `ALTER TABLE things DROP COLUMN extra`, "ALL; UNLISTED", nil},
		{"a message of others", `SELECT pg_logical_emit_message(true, 'other', 'all')`, "", nil},
		{"a message", `SELECT pg_logical_emit_message(true, 'pando', 'all')`, "ALL; UNLISTED", nil},
		{"touched", `SELECT pg_logical_emit_message(true, 'pando', 'touched {"collection":"pbc_things","id":"b"}')`, "update things/b", []position.Tag{table(), record("b"), all}},
		{"emptied", `BEGIN; DELETE FROM other; SELECT pg_logical_emit_message(true, 'pando', 'emptied pbc_other'); COMMIT`,
			"UNLISTED", []position.Tag{position.TableTag("pbc_other"), position.BulkTag("pbc_other"), all}},
		{"touched what", `SELECT pg_logical_emit_message(true, 'pando', 'touched ')`, "ALL; UNLISTED", nil},
		{"a message outside", `SELECT pg_logical_emit_message(false, 'pando', 'all'); INSERT INTO bare VALUES (1)`, "ALL; UNLISTED", nil},
		{"NULL and long", `ALTER TABLE other ALTER title DROP NOT NULL`, "ALL; UNLISTED", nil},
		{"NULL and long 2", `INSERT INTO other (id, title) VALUES ('n', NULL)`, "create other/n n=0 title=NULL", nil},
		{"not touched", `INSERT INTO things (id, title) VALUES ('long', (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 1000) i))`,
			"create things/long n=0 title=c4ca4238a0b923820dcc", nil},
		{"not touched 2", `DROP TRIGGER up ON things`, "ALL; UNLISTED", nil},
		{"not touched 3", `UPDATE things SET n = 1 WHERE id = 'long'`, "update things/long n=1 title=unchanged", nil},
	}
	var last position.N
	for _, tt := range tests {
		g.exec(tt.sql)
		list := g.entries()
		var got []string
		for _, e := range list {
			got = append(got, text(e))
			if e.N <= last {
				t.Errorf("%s: an entry at %d after one at %d", tt.name, e.N, last)
			}
			last = e.N
		}
		if strings.Join(got, "|") != tt.want {
			t.Errorf("%s: %q\n   want %q", tt.name, got, tt.want)
		}
		if tt.tags != nil && (len(list) != 1 || !sameTags(list[0].Tags, tt.tags)) {
			t.Errorf("%s: the tags are others: %+v, want %v", tt.name, list, tt.tags)
		}
	}
}

// TestAnotherKey: a table whose primary key is not the id any more. The log does not say
// whose rows are gone then, so any may be, and followers are told so.
func TestAnotherKey(t *testing.T) {
	g := open(t, postgres.Options{AnnounceDeletes: true})
	key := g.exec("SELECT quote_ident(conname) FROM pg_constraint WHERE conrelid = 'things'::regclass AND contype = 'p'")
	g.exec("INSERT INTO things (id) VALUES ('a'), ('b'); ALTER TABLE things DROP CONSTRAINT " + key)
	g.exec("ALTER TABLE things ADD PRIMARY KEY (_pando_row)")
	g.entries()
	const some = "UNLISTED" // nobody knows which
	for _, tt := range []struct{ sql, want string }{
		{"UPDATE things SET n = 1 WHERE id = 'a'", some},
		{"UPDATE things SET id = 'c' WHERE id = 'a'", some},
		{"DELETE FROM things WHERE id = 'c'", some},
		{"INSERT INTO things (id) VALUES ('d')", "create things/d n=0 title="},
		{"BEGIN; INSERT INTO things (id) VALUES ('x'); DELETE FROM things WHERE id = 'b'; INSERT INTO things (id) VALUES ('y'); COMMIT", some},
		{"ALTER TABLE things REPLICA IDENTITY FULL", "ALL; UNLISTED"},
		{"UPDATE things SET id = 'e' WHERE id = 'd'", "delete things/d n=0 title=; create things/e n=0 title="},
		{"DELETE FROM things WHERE id = 'e'", "delete things/e n=0 title="},
	} {
		g.exec(tt.sql)
		var got, missed []string
		for _, e := range g.entries() {
			got = append(got, text(e))
			missed = append(missed, g.s.Batch(t.Context(), position.Run{}, e, func() bool { return false }).Missed...)
			if tt.want == some && !sameTags(e.Tags, []position.Tag{table(), position.BulkTag("pbc_things"), position.AllTag}) {
				t.Errorf("%s: the tags are others: %v", tt.sql, e.Tags)
			}
		}
		if strings.Join(got, "|") != tt.want {
			t.Errorf("%s: %q, want %q", tt.sql, got, tt.want)
		}
		if (len(missed) > 0) != (tt.want == some) {
			t.Errorf("%s: followers have missed %v", tt.sql, missed)
		}
	}
}

func sameTags(a, b []position.Tag) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}
