package postgres

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/pandobase/pando"
)

// What a publication names is in the log as logical decoding shows it: our tables,
// and those of other programs that views read. It names them one by one, as FOR
// ALL TABLES takes a superuser. UPDATE and DELETE of a table in it take a replica
// identity, so a table without a primary key is left out.
//
// A table that others may be writing to is locked when it is added: of a
// transaction that has changed it before, and is committed after, the log would
// say nothing.

// publicationSQL names ours in the database: one of another schema has its own.
const publicationSQL = `SELECT CASE WHEN current_schema() = 'public' THEN 'pando' ELSE 'pando_' || current_schema()::regnamespace::oid::text END`

// wantedSQL lists the tables that belong into a publication: ours, and all that
// views of ours read, over other views too, if they can be in it.
const wantedSQL = `WITH RECURSIVE reads(oid) AS (
		SELECT r.oid FROM _pando_collections p JOIN pg_class r ON r.relname = p.name AND r.relnamespace = current_schema()::regnamespace
		UNION
		SELECT d.refobjid FROM reads JOIN pg_rewrite w ON w.ev_class = reads.oid
		JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
	), wanted AS (
		SELECT oid FROM reads UNION
		SELECT oid FROM pg_class WHERE relnamespace = current_schema()::regnamespace
			AND relname IN ('_pando_meta', '_pando_settings', '_pando_collections', '_pando_params')
	), able AS (
		SELECT r.oid, r.relnamespace, r.relname FROM wanted JOIN pg_class r USING (oid) JOIN pg_index i ON i.indrelid = r.oid
		WHERE r.relkind = 'r' AND r.relpersistence = 'p' AND i.indisprimary AND r.relreplident IN ('d', 'f')
			AND r.relnamespace <> 'pg_catalog'::regnamespace AND pg_has_role(r.relowner, 'USAGE')
	)`

// publicationChange is what must be done to a publication: the tables' names, quoted.
type publicationChange struct {
	add, drop []string
	unable    []string // collections that cannot be in it
}

func (d publicationChange) none() bool { return len(d.add)+len(d.drop)+len(d.unable) == 0 }

// publicationDiff looks what is missing and what can be in it no longer.
func publicationDiff(ctx context.Context, c *conn, name string) (d publicationChange, err error) {
	err = c.each(ctx, wantedSQL+`, have AS (
		SELECT p.prrelid AS oid FROM pg_publication_rel p JOIN pg_publication q ON q.oid = p.prpubid WHERE q.pubname = $1)
		SELECT 'add', format('%I.%I', n.nspname, a.relname) FROM able a JOIN pg_namespace n ON n.oid = a.relnamespace
		WHERE a.oid NOT IN (SELECT oid FROM have)
		UNION ALL
		SELECT 'drop', format('%I.%I', n.nspname, r.relname) FROM have JOIN pg_class r USING (oid) JOIN pg_namespace n ON n.oid = r.relnamespace
		WHERE r.oid NOT IN (SELECT oid FROM able)
		UNION ALL
		SELECT 'unable', format('%I', r.relname) FROM _pando_collections p
		JOIN pg_class r ON r.relname = p.name AND r.relnamespace = current_schema()::regnamespace AND r.relkind <> 'v'
		WHERE r.oid NOT IN (SELECT oid FROM able)
		ORDER BY 1, 2`, func(v [][]byte) error {
		list := map[string]*[]string{"add": &d.add, "drop": &d.drop, "unable": &d.unable}[string(v[0])]
		*list = append(*list, string(v[1]))
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
	if err != nil || there && d.none() {
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
	if err != nil {
		return s.noPublication(err)
	}
	if !there {
		s.announceDDL(ctx, c, name)
	}
	return nil
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
	var sql []string
	add := strings.Join(d.add, ", ")
	switch {
	case !there: // the log is opened after this, and waits for those who write now
		sql = append(sql, "CREATE PUBLICATION "+quote(name)+" FOR TABLE "+add)
	case len(d.add) > 0:
		sql = append(sql, "LOCK TABLE "+add+" IN SHARE MODE", "ALTER PUBLICATION "+quote(name)+" ADD TABLE "+add)
	}
	if len(d.drop) > 0 {
		sql = append(sql, "ALTER PUBLICATION "+quote(name)+" DROP TABLE "+strings.Join(d.drop, ", "))
	}
	return c.exec(ctx, append(sql, emitAll)...)
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

// Published tells whether the log tells of everything that a view hangs on: it reads
// nothing but tables that are in the publication, with functions that read nothing.
// What does not may change unseen, and must not be cached. The answer may turn
// with every entry of the log that is All.
func (s *Store) Published(ctx context.Context, view *pando.Collection) (ok bool, err error) {
	n, c, err := s.nodes.reader(ctx, 0, true)
	if err != nil {
		return false, err
	}
	defer n.release(c)
	err = c.each(ctx, publishedSQL, func(v [][]byte) error {
		ok = string(v[0]) == "t"
		return nil
	}, quote(view.Name))
	return ok, unavailable(err)
}

// publishedSQL looks at all that a view reads, over other views, and at what it calls.
const publishedSQL = `WITH RECURSIVE reads(oid) AS (
		SELECT to_regclass($1)::oid
		UNION
		SELECT d.refobjid FROM reads JOIN pg_rewrite w ON w.ev_class = reads.oid
		JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
	), tree AS (SELECT w.ev_action::text AS t FROM reads JOIN pg_rewrite w ON w.ev_class = reads.oid),
	listed AS (SELECT DISTINCT m[1]::oid AS oid FROM tree, regexp_matches(t, ':relid (\d+)', 'g') AS m WHERE m[1] <> '0'),
	called AS (SELECT DISTINCT m[1]::oid AS oid FROM tree, regexp_matches(t, ':(?:funcid|opfuncid|aggfnoid|winfnoid) (\d+)', 'g') AS m)
	SELECT to_regclass($1) IS NOT NULL AND NOT EXISTS (
		SELECT FROM (SELECT oid FROM reads UNION SELECT oid FROM listed) AS used JOIN pg_class r USING (oid)
		WHERE r.relkind <> 'v' AND (r.relhassubclass OR r.relrowsecurity OR NOT EXISTS (SELECT FROM pg_publication_rel p JOIN pg_publication q ON q.oid = p.prpubid
			WHERE p.prrelid = r.oid AND q.pubname = (` + publicationSQL + `)))
	) AND NOT EXISTS (
		SELECT FROM called JOIN pg_proc p USING (oid)
		WHERE p.provolatile <> 'i' AND p.pronamespace NOT IN ('pg_catalog'::regnamespace, coalesce(to_regnamespace('_pando'), 'pg_catalog'::regnamespace)))`

const emitAll = "SELECT pg_logical_emit_message(true, 'pando', 'all')"

// announceDDL has the database itself say when somebody changes its schema. Only a
// superuser can have that; without it, Tend looks.
func (s *Store) announceDDL(ctx context.Context, c *conn, name string) {
	super, err := c.queryInt(ctx, "SELECT count(*) FROM pg_roles WHERE rolname = current_user AND rolsuper")
	if err != nil || super == 0 {
		return
	}
	err = c.exec(ctx, "BEGIN", announceFunction,
		"DROP EVENT TRIGGER IF EXISTS "+quote(name+"_ddl"), "DROP EVENT TRIGGER IF EXISTS "+quote(name+"_drop"),
		"CREATE EVENT TRIGGER "+quote(name+"_ddl")+" ON ddl_command_end EXECUTE FUNCTION _pando.announce_ddl()",
		"CREATE EVENT TRIGGER "+quote(name+"_drop")+" ON sql_drop EXECUTE FUNCTION _pando.announce_ddl()", "COMMIT")
	if err != nil {
		if !c.broken() {
			_ = c.exec(context.WithoutCancel(ctx), "ROLLBACK")
		}
		s.log.Warn("changes of the schema by other programs are noticed within a second and not at once", "err", err)
	}
}

// announceFunction is of use to all event triggers. What is temporary, and what
// changes no answer, is not worth a word.
const announceFunction = `CREATE OR REPLACE FUNCTION _pando.announce_ddl() RETURNS event_trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
	BEGIN
		IF TG_EVENT = 'sql_drop' THEN
			IF NOT EXISTS (SELECT FROM pg_event_trigger_dropped_objects() WHERE NOT is_temporary AND object_type <> 'index') THEN
				RETURN;
			END IF;
		ELSIF NOT EXISTS (SELECT FROM pg_event_trigger_ddl_commands() WHERE schema_name IS DISTINCT FROM 'pg_temp'
			AND command_tag NOT IN ('CREATE INDEX', 'ALTER INDEX', 'COMMENT', 'GRANT', 'REVOKE', 'CREATE STATISTICS', 'CREATE PUBLICATION', 'CREATE SUBSCRIPTION')) THEN
			RETURN;
		END IF;
		PERFORM pg_logical_emit_message(true, 'pando', 'all');
	END $$`

// fingerprintSQL is another text after each change of the schema that can change
// what a table or view shows.
const fingerprintSQL = `SELECT md5(concat_ws('|',
	(SELECT string_agg(concat_ws(',', r.oid, r.relname, r.relkind, r.relnamespace, r.relrowsecurity, r.relfilenode), ';' ORDER BY r.oid)
		FROM pg_class r WHERE r.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
		AND r.relpersistence <> 't' AND r.relkind IN ('r', 'v', 'm', 'p', 'f') AND r.relnamespace <> 'pg_toast'::regnamespace),
	(SELECT string_agg(concat_ws(',', a.attrelid, a.attnum, a.attname, a.atttypid, a.attisdropped), ';' ORDER BY a.attrelid, a.attnum)
		FROM pg_attribute a JOIN pg_class r ON r.oid = a.attrelid WHERE r.relnamespace = current_schema()::regnamespace
		AND a.attnum > 0 AND r.relkind IN ('r', 'v', 'm', 'p', 'f')),
	(SELECT string_agg(concat_ws(',', w.oid, w.xmin), ';' ORDER BY w.oid)
		FROM pg_rewrite w JOIN pg_class r ON r.oid = w.ev_class WHERE r.relnamespace = current_schema()::regnamespace),
	(SELECT string_agg(concat_ws(',', p.oid, p.xmin), ';' ORDER BY p.oid) FROM pg_policy p),
	(SELECT string_agg(concat_ws(',', p.oid, p.xmin), ';' ORDER BY p.oid) FROM pg_proc p
		WHERE p.pronamespace = current_schema()::regnamespace)))`

// Tend looks after what other programs do to the schema: tables that views have come
// to read are published, and a change that nobody has announced is told to everybody.
// The one server that reads the log calls it, about each second.
func (s *Store) Tend(ctx context.Context) error {
	n, c, err := s.nodes.reader(ctx, 0, true)
	if err != nil {
		return err
	}
	defer n.release(c)
	if err := s.publishTables(ctx, c); err != nil {
		return fmt.Errorf("publish tables: %w", err)
	}
	var now, before string
	err = c.each(ctx, "SELECT ("+fingerprintSQL+"), (SELECT value FROM _pando_cluster WHERE key = 'schema')", func(v [][]byte) error {
		now, before = string(v[0]), string(v[1])
		return nil
	})
	if err != nil || now == before {
		return unavailable(err)
	}
	err = c.each(ctx, `WITH noted AS (INSERT INTO _pando_cluster VALUES ('schema', $1) ON CONFLICT (key) DO UPDATE SET value = excluded.value RETURNING key)
		SELECT pg_logical_emit_message(true, 'pando', 'all') FROM noted`, func([][]byte) error { return nil }, now)
	return unavailable(err)
}

// StreamPossible tells whether the log of the present primary can be read; why says
// what is missing, and what to do.
func (s *Store) StreamPossible(ctx context.Context) (why string, ok bool) {
	n, c, err := s.nodes.reader(ctx, 0, true)
	if err != nil {
		return "The primary cannot be reached: " + err.Error(), false
	}
	defer n.release(c)
	return s.streamPossible(ctx, n, c)
}

func (s *Store) streamPossible(ctx context.Context, n *node, c *conn) (why string, ok bool) {
	err := c.each(ctx, `SELECT current_setting('wal_level'),
		(SELECT rolsuper OR rolreplication FROM pg_roles WHERE rolname = current_user),
		current_setting('max_replication_slots')::int - (SELECT count(*) FROM pg_replication_slots),
		current_setting('max_wal_senders')::int - (SELECT count(*) FROM pg_stat_get_wal_senders()),
		EXISTS (SELECT FROM pg_publication WHERE pubname = (`+publicationSQL+`)) OR has_database_privilege(current_database(), 'CREATE'),
		pg_is_in_recovery()`,
		func(v [][]byte) error {
			why = s.streamMissing(v)
			return nil
		})
	if err != nil {
		return "What the primary allows cannot be asked: " + err.Error(), false
	}
	if n.cluster.pooled() || n.reads.pooled() {
		why = cmp.Or(why, "The database is reached through a pooler in transaction mode, which cannot hand on its log: name the servers themselves in the database URL.")
	}
	return why, why == ""
}

func (s *Store) streamMissing(v [][]byte) string {
	none := func(b []byte) bool { return len(b) > 0 && (b[0] == '-' || string(b) == "0") }
	switch {
	case string(v[5]) == "t":
		return "The server is a replica."
	case string(v[0]) != "logical":
		return fmt.Sprintf("wal_level is %s: set wal_level = logical in its configuration and restart it.", v[0])
	case string(v[1]) != "t":
		return fmt.Sprintf("The role %s may not read the log: ALTER ROLE %[1]s REPLICATION;", s.user())
	case none(v[2]):
		return "All replication slots are taken: raise max_replication_slots (a cluster takes two)."
	case none(v[3]):
		return "All connections for replication are taken: raise max_wal_senders (a cluster takes two)."
	case string(v[4]) != "t":
		return fmt.Sprintf("The role %s may not make a publication: GRANT CREATE ON DATABASE %s TO %[1]s;", s.user(), s.database())
	}
	return ""
}
