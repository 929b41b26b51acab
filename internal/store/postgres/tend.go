package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/pandobase/pando"
)

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
// what a table or view shows, in whatever schema: views read over others'. It runs all
// the time, so it adds up the hashes of rows and sorts none. A row of the catalog that
// was changed has another xmin; that of a table changes with a GRANT as well, so there
// the columns are named.
const fingerprintSQL = `WITH theirs AS (SELECT oid FROM pg_namespace WHERE nspname ^@ 'pg_' OR nspname = 'information_schema'),
	shown AS NOT MATERIALIZED (SELECT oid, hash_record_extended(ROW(oid, relname, relkind, relnamespace, relrowsecurity, relforcerowsecurity, relfilenode), 0) AS h
		FROM pg_class WHERE relkind IN ('r', 'v', 'm', 'p', 'f', 'c') AND relpersistence <> 't' AND relnamespace NOT IN (SELECT oid FROM theirs))
	SELECT md5(concat_ws('|',
	(SELECT sum(h) FROM shown),
	(SELECT sum(hash_record_extended(ROW(a.attrelid, a.attnum, a.xmin), 0))
		FROM pg_attribute a WHERE a.attnum > 0 AND a.attrelid IN (SELECT oid FROM shown)),
	(SELECT sum(hash_record_extended(ROW(w.oid, w.xmin), 1)) FROM pg_rewrite w WHERE w.ev_class IN (SELECT oid FROM shown)),
	(SELECT sum(hash_record_extended(ROW(oid, xmin), 2)) FROM pg_policy),
	(SELECT sum(hash_record_extended(ROW(oid, xmin), 3)) FROM pg_proc WHERE pronamespace NOT IN (SELECT oid FROM theirs)),
	(SELECT sum(hash_record_extended(ROW(oid, xmin), 4)) FROM pg_enum),
	(SELECT sum(hash_record_extended(ROW(oid, xmin), 5)) FROM pg_extension)))`

// untoldSQL names a collection of which the log does not tell everything: what another
// program has put in the place of its table is none, or it shows the rows of others too.
const untoldSQL = `SELECT min(p.name) FROM _pando_collections p
	LEFT JOIN pg_class r ON r.relname = p.name AND r.relnamespace = (SELECT current_schema()::regnamespace)
	WHERE CASE WHEN r.relkind = 'r' THEN r.relhassubclass AND r.oid IN (SELECT inhparent FROM pg_inherits) ELSE p.data->>'type' <> 'view' END`

// Tend looks after what other programs do to the schema: tables that views have come
// to read are published, and a change that nobody has announced is told to everybody.
// The one server that reads the log calls it, about each second.
func (s *Store) Tend(ctx context.Context) error {
	n, c, err := s.nodes.keeper(ctx)
	if err != nil {
		return err
	}
	defer n.release(c)
	if err = s.publishTables(ctx, c); err != nil {
		s.distrust(ctx, c)
		err = fmt.Errorf("publish tables: %w", err)
	}
	if c.broken() {
		return err
	}
	return errors.Join(err, announceChanged(ctx, c))
}

// announceChanged tells everybody if the schema is another one than when it was last
// looked at, or is one of which not all changes are heard: then each time.
func announceChanged(ctx context.Context, c *conn) error {
	var now, before, untold string
	err := c.each(ctx, "SELECT ("+fingerprintSQL+"), (SELECT value FROM _pando_cluster WHERE key = 'schema'), ("+untoldSQL+")", func(v [][]byte) error {
		now, before, untold = string(v[0]), string(v[1]), string(v[2])
		return nil
	})
	switch {
	case err != nil:
		return unavailable(err)
	case untold != "":
		if err := c.exec(ctx, emitAll); err != nil {
			return unavailable(err)
		}
		return pando.Invalid("The collection %s is not a table of that name any more, or other tables inherit from it: the log does not tell of all changes of its records, so nothing is cached for longer than a second. Give it back its table (DROP VIEW %[1]s; ALTER TABLE … RENAME TO %[1]s;), or ALTER TABLE … NO INHERIT %[1]s;", untold)
	case now == before:
		return nil
	}
	err = c.each(ctx, `WITH noted AS (INSERT INTO _pando_cluster VALUES ('schema', $1) ON CONFLICT (key) DO UPDATE SET value = excluded.value RETURNING key)
		SELECT pg_logical_emit_message(true, 'pando', 'all') FROM noted`, func([][]byte) error { return nil }, now)
	return unavailable(err)
}

// distrust has everything count as changed while the log does not tell of all our
// tables: what is answered is then no older than the last call of Tend.
func (s *Store) distrust(ctx context.Context, c *conn) {
	name, _, err := publicationOf(ctx, c)
	if err != nil {
		return
	}
	if d, err := publicationDiff(ctx, c, name); err != nil || d.own {
		_ = c.exec(ctx, emitAll) // without it there is no primary, and soon no lease
	}
}
