package postgres

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pandobase/pando"
)

// What a publication names is in the log as logical decoding shows it: our tables,
// and those of other programs that views read. It names them one by one, as FOR
// ALL TABLES takes a superuser. UPDATE and DELETE of a table in it take a replica
// identity, so a table without a primary key is left out.
//
// What others make of it is put right: it names whole tables, and publishes all that
// happens to them.
//
// A table that others may be writing to is locked when it is added: of a
// transaction that has changed it before, and is committed after, the log would
// say nothing.

// publicationSQL names ours in the database: one of another schema has its own.
const publicationSQL = `SELECT CASE WHEN current_schema() = 'public' THEN 'pando' ELSE 'pando_' || current_schema()::regnamespace::oid::text END`

// wantedSQL lists the tables that belong into a publication: ours, and all that
// views of ours read, over other views too, if they can be in it.
const wantedSQL = `WITH RECURSIVE reads(oid) AS (
		SELECT r.oid FROM _pando_collections p JOIN pg_class r ON r.relname = p.name AND r.relnamespace = (SELECT current_schema()::regnamespace)
		UNION
		SELECT d.refobjid FROM reads JOIN pg_rewrite w ON w.ev_class = reads.oid
		JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
	), wanted AS (
		SELECT oid FROM reads UNION
		SELECT oid FROM pg_class WHERE relnamespace = (SELECT current_schema()::regnamespace)
			AND relname IN ('_pando_meta', '_pando_settings', '_pando_collections', '_pando_params')
	), able AS (
		SELECT r.oid, r.relnamespace, r.relname FROM wanted JOIN pg_class r USING (oid) JOIN pg_index i ON i.indrelid = r.oid
		WHERE r.relkind = 'r' AND r.relpersistence = 'p' AND i.indisprimary AND r.relreplident IN ('d', 'f')
			AND r.relnamespace <> 'pg_catalog'::regnamespace AND pg_has_role(r.relowner, 'USAGE')
	)`

// heardSQL lists what is in a publication, whose name follows; whole tells whether all
// changes of a table are. PostgreSQL 14 has no filters of rows and columns.
const heardSQL = `SELECT p.prrelid AS oid,
		q.pubinsert AND q.pubupdate AND q.pubdelete AND q.pubtruncate AND NOT jsonb_strip_nulls(to_jsonb(p)) ?| '{prqual,prattrs}' AS whole
	FROM pg_publication_rel p JOIN pg_publication q ON q.oid = p.prpubid WHERE q.pubname = `

// publicationChange is what must be done to a publication: the tables' names, quoted.
type publicationChange struct {
	add, drop []string
	partial   []string // are in it, but not whole, and in add too
	own       bool     // one of ours is to be added
	unable    []string // collections that cannot be in it
}

func (d publicationChange) none() bool { return len(d.add)+len(d.drop)+len(d.unable) == 0 }

// publicationDiff looks what is missing and what can be in it no longer.
func publicationDiff(ctx context.Context, c *conn, name string) (d publicationChange, err error) {
	err = c.each(ctx, wantedSQL+`, have AS (`+heardSQL+`$1)
		SELECT 'add', format('%I.%I', n.nspname, a.relname), a.relnamespace = (SELECT current_schema()::regnamespace)
			AND (a.relname ^@ '_pando_' OR a.relname IN (SELECT name FROM _pando_collections))
		FROM able a JOIN pg_namespace n ON n.oid = a.relnamespace
		WHERE a.oid NOT IN (SELECT oid FROM have WHERE whole)
		UNION ALL
		SELECT CASE WHEN r.oid IN (SELECT oid FROM able) THEN 'partial' ELSE 'drop' END, format('%I.%I', n.nspname, r.relname), false
		FROM have JOIN pg_class r USING (oid) JOIN pg_namespace n ON n.oid = r.relnamespace
		WHERE NOT whole OR r.oid NOT IN (SELECT oid FROM able)
		UNION ALL
		SELECT 'unable', format('%I', r.relname), true FROM _pando_collections p
		JOIN pg_class r ON r.relname = p.name AND r.relnamespace = (SELECT current_schema()::regnamespace) AND r.relkind <> 'v'
		WHERE CASE WHEN r.oid IN (SELECT oid FROM able) THEN false ELSE p.data->>'type' <> 'view' END
		ORDER BY 1, 2`, func(v [][]byte) error {
		list := map[string]*[]string{"add": &d.add, "drop": &d.drop, "partial": &d.partial, "unable": &d.unable}[string(v[0])]
		*list = append(*list, string(v[1]))
		d.own = d.own || string(v[2]) == "t"
		return nil
	}, name)
	return d, err
}

// publicationOf is the name of ours; there tells whether it is there.
func publicationOf(ctx context.Context, c *conn) (name string, there bool, err error) {
	err = c.each(ctx, "SELECT name, EXISTS (SELECT FROM pg_publication WHERE pubname = name) FROM ("+publicationSQL+") AS ours(name)",
		func(v [][]byte) error {
			name, there = string(v[0]), string(v[1]) == "t"
			return nil
		})
	return name, there, err
}

// publishTables makes the publication, or makes it whole. It is called before the
// log is opened, and by whoever reads it from time to time.
func (s *Store) publishTables(ctx context.Context, c *conn) error {
	name, there, err := publicationOf(ctx, c)
	if err != nil {
		return err
	}
	d, err := publicationDiff(ctx, c, name)
	if err != nil || there && (d.none() || !d.own && len(d.drop) == 0 && s.publishing.resting()) {
		return err
	}
	// No collection is made meanwhile. Tables that are added to one that is there are
	// locked as well: the log may be being read.
	err = c.exec(ctx, "BEGIN ISOLATION LEVEL READ COMMITTED", "SET LOCAL lock_timeout = '1s'", "LOCK TABLE _pando_meta IN EXCLUSIVE MODE")
	if err == nil {
		err = s.republish(ctx, c)
	}
	if err == nil {
		err = c.exec(ctx, "COMMIT")
	} else if !c.broken() {
		_ = c.exec(context.WithoutCancel(ctx), "ROLLBACK")
	}
	s.publishing.rest(codeOf(err) == codeLockTimeout)
	if err != nil {
		return s.noPublication(err)
	}
	if !there {
		s.announceDDL(ctx, c, name)
	}
	return nil
}

// publishing is when tables of other programs, that a view reads, are tried to be
// published again. Each try holds writes up for a moment, and somebody who has written
// there and does not end can make them all be in vain.
type publishing struct {
	mu    sync.Mutex
	pause time.Duration
	until time.Time
}

const longestRest = time.Minute

func (p *publishing) resting() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Now().Before(p.until)
}

// rest makes the next try later if one was in vain.
func (p *publishing) rest(inVain bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !inVain {
		p.pause = 0
		return
	}
	p.pause = min(max(2*p.pause, time.Second), longestRest)
	p.until = time.Now().Add(p.pause)
}

// republish changes the publication, and says so to everybody.
func (s *Store) republish(ctx context.Context, c *conn) error {
	name, there, err := publicationOf(ctx, c)
	if err != nil {
		return err
	}
	d, err := publicationDiff(ctx, c, name)
	if err != nil {
		return err
	}
	if len(d.unable) > 0 {
		return pando.Invalid("The table %s has no primary key, or belongs to another role: the log cannot tell of its changes. Give it back its primary key, or ALTER TABLE %[1]s OWNER TO %s;", d.unable[0], s.user())
	}
	sql := d.statements(name)
	if !there { // the log is opened after this, and waits for those who write now
		sql = []string{"CREATE PUBLICATION " + quote(name) + " FOR TABLE " + strings.Join(d.add, ", ")}
	}
	return c.exec(ctx, append(sql, emitAll)...)
}

// statements change a publication that is there.
func (d publicationChange) statements(name string) (sql []string) {
	add, gone := strings.Join(d.add, ", "), slices.Concat(d.drop, d.partial)
	alter := "ALTER PUBLICATION " + quote(name)
	if len(d.add) > 0 { // all writes wait while this does, for whoever has written there and has not ended
		sql = append(sql, "SET LOCAL lock_timeout = '100ms'", "LOCK TABLE "+add+" IN SHARE MODE")
	}
	if len(gone) > 0 {
		sql = append(sql, alter+" DROP TABLE "+strings.Join(gone, ", "))
	}
	if len(d.add) > 0 {
		sql = append(sql, alter+" SET (publish = 'insert, update, delete, truncate')", alter+" ADD TABLE "+add)
	}
	return sql
}

func (s *Store) noPublication(err error) error {
	if codeOf(err) != codePrivilege {
		return err
	}
	return pando.Invalid("The role %s may not make a publication of Pando's tables in the database %s: GRANT CREATE ON DATABASE %[2]s TO %[1]s; and let it own the tables and the publication.", s.user(), s.database())
}

// addPublished puts a new collection's table into the publication, if there is
// one, within the transaction that makes the table.
func (t *tx) addPublished(ctx context.Context, c *pando.Collection) error {
	name, there, err := publicationOf(ctx, t.c)
	if err := t.retried(ctx, err); err != nil {
		return unavailable(err)
	}
	if !there {
		return nil
	}
	err = t.retried(ctx, t.c.exec(ctx, "ALTER PUBLICATION "+quote(name)+" ADD TABLE "+quote(c.Name)))
	if codeOf(err) == codePrivilege {
		return pando.Invalid("The collection %s cannot be made: the publication %s belongs to another role, and without it other servers would not hear of its records. ALTER PUBLICATION %[2]s OWNER TO %s;", c.Name, name, t.s.user())
	}
	return unavailable(err)
}
