package postgres

import (
	"context"
	"crypto/rand"
	"strings"

	"github.com/pandobase/pando"
)

// A view's query is for reading records. PostgreSQL's SELECT can do much more:
// change the session that everybody's reads share, take locks, read and write
// files of the server, end sessions, read the roles' passwords and our own secrets.
// What a text would do is not to be seen in the text, so PostgreSQL makes a view
// of it, and we look at what the view calls and reads, before it is ever run.

// harmless refuses a query that may do more than read records. The connection's
// transaction must be one that can write; nothing of it is kept.
func harmless(ctx context.Context, c *conn, query string) error {
	why := ""
	err := savepoint(ctx, c, false, func(c *conn) error {
		name := quote(internalName("look", strings.ToLower(rand.Text())))
		if err := c.exec(ctx, "CREATE VIEW "+name+" AS SELECT 1 AS one FROM "+viewSource(query)); err != nil {
			return words(err)
		}
		return unavailable(c.each(ctx, lookSQL, func(v [][]byte) error {
			why = string(v[0])
			return nil
		}, name))
	})
	if err == nil && why != "" {
		err = pando.Invalid("A view may only read records: %s.", why)
	}
	return err
}

// lookSQL finds one reason to refuse a view in its parsed query. A function that is
// VOLATILE can do anything; some others run queries given as texts.
const lookSQL = `WITH tree AS (SELECT ev_action::text AS t FROM pg_rewrite WHERE ev_class = $1::regclass),
	called AS (SELECT DISTINCT m[1]::oid AS oid FROM tree, regexp_matches(t, ':(?:funcid|opfuncid|aggfnoid|winfnoid) (\d+)', 'g') AS m),
	listed AS (SELECT DISTINCT m[1]::oid AS oid FROM tree, regexp_matches(t, ':relid (\d+)', 'g') AS m)
	SELECT 'the function ' || p.proname || ' can do more' ||
		CASE WHEN p.pronamespace = 'pg_catalog'::regnamespace THEN '' ELSE ' (it is VOLATILE; if it does not, ALTER FUNCTION ' || p.oid::regprocedure || ' STABLE)' END
	FROM called JOIN pg_proc p USING (oid)
	WHERE p.provolatile = 'v' AND NOT (p.pronamespace = 'pg_catalog'::regnamespace
		AND p.proname IN ('random', 'random_normal', 'gen_random_uuid', 'uuidv4', 'uuidv7', 'clock_timestamp', 'timeofday'))
	OR p.pronamespace = 'pg_catalog'::regnamespace AND p.proname ~ '^(table|query|cursor|schema|database)_to_xml'
	UNION ALL
	SELECT relname || ' is of the database itself' FROM listed JOIN pg_class USING (oid)
	WHERE oid <> $1::regclass AND (relname ~* '^_pando' OR relnamespace = 'pg_catalog'::regnamespace)
	UNION ALL
	SELECT 'FOR UPDATE and FOR SHARE lock them' FROM tree WHERE strpos(t, '{ROWMARKCLAUSE') > 0
	LIMIT 1`

// harmless implements asker.
func (t *tx) harmless(ctx context.Context, query string) error {
	if err := t.usable(ctx); err != nil {
		return err
	}
	t.blind = false
	if err := t.send(ctx, false); err != nil {
		return err
	}
	err := harmless(ctx, t.c, query)
	if t.c.broken() {
		return t.lost(ctx, err)
	}
	return err
}

// harmless implements asker, in a transaction of its own on the primary.
func (r *snapshot) harmless(ctx context.Context, query string) error {
	n, c, err := r.s.nodes.writer(ctx)
	if err != nil {
		return err
	}
	defer n.release(c)
	if err := c.exec(ctx, "BEGIN ISOLATION LEVEL READ COMMITTED"); err != nil {
		return unavailable(err)
	}
	err = harmless(ctx, c, query)
	if !c.broken() {
		_ = c.exec(context.WithoutCancel(ctx), "ROLLBACK") // without it the connection is not used again
	}
	return err
}
