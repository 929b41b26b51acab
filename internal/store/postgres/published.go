package postgres

import (
	"context"

	"github.com/pandobase/pando"
)

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
