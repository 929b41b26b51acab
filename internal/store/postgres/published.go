package postgres

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/position"
)

// viewReads is what a view is made from.
type viewReads struct {
	told    bool     // the log tells of everything that changes it
	own     []string // the ids of the collections whose tables it reads
	foreign bool     // it reads tables of other programs, too
}

// viewsRead remembers what views read: until the log says that everything may have
// changed, as it does after each change of the schema.
type viewsRead struct {
	mu sync.Mutex
	by map[string]*viewRead // by id of the collection
}

// viewRead is what one view reads, as of a moment of an index.
type viewRead struct {
	mu      sync.Mutex
	x       *position.Index
	since   position.N // the last that changes everything, by then
	reads   viewReads
	failed  time.Time       // when somebody looked in vain
	looking chan struct{}   // one looks for all, and closes it; nil: nobody does
	by      *position.Index // who looks goes by it
}

// of tells whether it is what the view reads by all that an index knows now. v.mu is held.
func (v *viewRead) of(x *position.Index) bool { return v.x == x && v.since == x.Covers(nil) }

const (
	viewLook  = 2 * time.Second        // how long a look may take
	viewWait  = 300 * time.Millisecond // how long a read waits for one
	viewPause = time.Second            // how long nobody looks after one that was in vain
)

func (v *viewsRead) of(view *pando.Collection) *viewRead {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.by == nil {
		v.by = make(map[string]*viewRead)
	}
	r := v.by[view.ID]
	if r == nil {
		r = new(viewRead)
		v.by[view.ID] = r
	}
	return r
}

// ViewTags are what a fact hangs on that was made from a view, for somebody who has just
// read it. ok is false if it must not be kept: the log does not tell of all that changes
// the view, or nobody can say.
func (s *Store) ViewTags(ctx context.Context, view *pando.Collection) (tags []position.Tag, ok bool) {
	if s.clock == nil {
		return nil, false
	}
	x := s.clock.Index()
	if !x.Streamed() {
		return nil, false
	}
	v := s.viewsRead.of(view)
	if !s.lookedAt(ctx, x, v, view) {
		return nil, false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.of(x) {
		return nil, false
	}
	if v.reads.foreign { // of which the log tells that they have changed, and not which
		return []position.Tag{position.AllTag}, v.reads.told
	}
	for _, id := range v.reads.own {
		tags = append(tags, position.TableTag(id))
	}
	return tags, v.reads.told
}

// lookedAt waits until somebody has looked at a view; false if that takes too long. The look
// goes on then, for those who come later.
func (s *Store) lookedAt(ctx context.Context, x *position.Index, v *viewRead, view *pando.Collection) bool {
	v.mu.Lock()
	if v.of(x) {
		v.mu.Unlock()
		return true
	}
	done := v.looking
	switch {
	case done != nil && v.by != x, !x.Leased(): // it would be in vain
		v.mu.Unlock()
		return false
	case done == nil:
		if time.Since(v.failed) < viewPause || s.enter() != nil {
			v.mu.Unlock()
			return false
		}
		done = make(chan struct{})
		v.looking, v.by = done, x
		go func() {
			defer s.running.Done()
			s.look(context.WithoutCancel(ctx), x, v, view)
		}()
	}
	v.mu.Unlock()
	timer := time.NewTimer(viewWait)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// look looks at a view for all who wait.
func (s *Store) look(ctx context.Context, x *position.Index, v *viewRead, view *pando.Collection) {
	ctx, cancel := context.WithTimeout(ctx, viewLook)
	defer cancel()
	reads, since, err := s.lookAtView(ctx, x, view)
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case err == nil:
		v.x, v.since, v.reads = x, since, reads
	case x == s.clock.Index(): // else it could only fail
		v.failed = time.Now()
	}
	close(v.looking)
	v.looking = nil
}

// lookAtView finds out what a view reads. It is true of every moment from the last change
// of the schema that x knows of until now: the primary shows that change, and x has come
// as far as the primary's answer and has heard of none since.
func (s *Store) lookAtView(ctx context.Context, x *position.Index, view *pando.Collection) (reads viewReads, since position.N, err error) {
	since = x.Covers(nil)
	if now := s.Catalog().Collection(view.ID); now == nil || now.Name != view.Name { // who asks goes by an older one
		return reads, 0, errChanged
	}
	if err := x.AwaitSafe(ctx, x.Frontier()); err != nil {
		return reads, 0, err
	}
	n, c, err := s.nodes.reader(ctx, 0, true)
	if err != nil {
		return reads, 0, err
	}
	reads, err = c.viewReads(ctx, view.Name)
	var at where // behind the answer
	if err == nil {
		err = c.run(ctx, at.query(n))
	}
	n.release(c)
	if err != nil {
		return reads, 0, err
	}
	if err := x.AwaitFrontier(ctx, at.n); err != nil {
		return reads, 0, err
	}
	if x.Covers(nil) != since || !x.Leased() {
		return reads, 0, errChanged
	}
	return reads, since, nil
}

// viewReads asks a primary what a view reads.
func (c *conn) viewReads(ctx context.Context, name string) (reads viewReads, err error) {
	err = c.each(ctx, viewReadsSQL, func(v [][]byte) error {
		reads = viewReads{told: string(v[0]) == "t", foreign: string(v[2]) == "t"}
		if len(v[1]) > 0 {
			reads.own = strings.Split(string(v[1]), ",")
		}
		return nil
	}, quote(name))
	return reads, err
}

// steadyFunctions are those of PostgreSQL's stable functions that hang on their arguments
// and on settings of the session, which are the same in all of ours. Others may hang on
// the time, or on what the log does not tell of; so do those that make dates of texts,
// one of which may be 'today'.
const steadyFunctions = `{to_char,to_date,to_number,to_timestamp,date_trunc,date_part,extract,timezone,timestamptz,timestamp,date,time,timetz,
	timestamptz_pl_interval,timestamptz_mi_interval,interval_pl_timestamptz,
	concat,concat_ws,format,array_to_string,string_to_array,textanycat,anytextcat,
	to_json,to_jsonb,row_to_json,array_to_json,json_build_object,json_build_array,jsonb_build_object,jsonb_build_array,
	json_agg,json_object_agg,jsonb_agg,jsonb_object_agg,enum_in,interval_in}`

// viewReadsSQL looks at all that a view reads, over other views too, and at what it
// calls. The log tells of all that changes it if it reads nothing but tables that are in
// the publication, and calls nothing that reads, or that means something else each time.
const viewReadsSQL = `WITH RECURSIVE reads(oid) AS (
		SELECT to_regclass($1)::oid
		UNION
		SELECT d.refobjid FROM reads JOIN pg_rewrite w ON w.ev_class = reads.oid
		JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
	), tree AS (SELECT w.ev_action::text AS t FROM reads JOIN pg_rewrite w ON w.ev_class = reads.oid),
	listed AS (SELECT DISTINCT m[1]::oid AS oid FROM tree, regexp_matches(t, ':relid (\d+)', 'g') AS m WHERE m[1] <> '0'),
	named AS (SELECT DISTINCT m[1]::oid AS oid FROM tree, regexp_matches(t, ':(?:funcid|opfuncid|aggfnoid|winfnoid) (\d+)', 'g') AS m),
	casts AS (SELECT DISTINCT m[1]::oid AS oid FROM tree, regexp_matches(t, ':resulttype (\d+) :resultcollid', 'g') AS m),
	called AS (
		SELECT oid FROM named
		UNION
		SELECT coalesce(item.typinput, y.typinput) FROM casts JOIN pg_type y USING (oid)
		LEFT JOIN pg_type item ON item.oid = y.typelem AND y.typinput = 'array_in'::regproc
		UNION
		SELECT part FROM named JOIN pg_aggregate a ON a.aggfnoid = named.oid JOIN pg_proc p ON p.oid = named.oid AND p.pronamespace <> 'pg_catalog'::regnamespace,
			unnest(ARRAY[a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn, a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn]) AS part
	), tables AS (SELECT r.oid, r.relname, r.relnamespace, r.relhassubclass, r.relrowsecurity
		FROM (SELECT oid FROM reads UNION SELECT oid FROM listed) AS used JOIN pg_class r USING (oid) WHERE r.relkind <> 'v'),
	ours AS (SELECT t.oid, c.id FROM tables t JOIN _pando_collections c ON c.name = t.relname AND t.relnamespace = current_schema()::regnamespace)
	SELECT to_regclass($1) IS NOT NULL AND NOT EXISTS (
		SELECT FROM tables t WHERE t.relhassubclass OR t.relrowsecurity OR NOT EXISTS (
			SELECT FROM (` + heardSQL + `(` + publicationSQL + `)) AS heard WHERE heard.oid = t.oid AND heard.whole)
	) AND NOT EXISTS (SELECT FROM tree WHERE t ~ '\{(SQLVALUEFUNCTION|TABLESAMPLECLAUSE|NEXTVALUEEXPR|TABLEFUNC|JSONEXPR) ')
	AND NOT EXISTS (SELECT FROM called JOIN pg_proc p USING (oid)
		WHERE p.oid = to_regprocedure('_pando.to_date(text)') OR p.provolatile <> 'i' AND p.pronamespace IS DISTINCT FROM to_regnamespace('_pando')
		AND NOT (p.provolatile = 's' AND p.pronamespace = 'pg_catalog'::regnamespace AND p.proname = ANY ('` + steadyFunctions + `'))),
	(SELECT string_agg(id, ',') FROM ours),
	EXISTS (SELECT FROM tables WHERE oid NOT IN (SELECT oid FROM ours))`
