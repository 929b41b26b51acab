package sqlgen_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/rule/ruletest"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/store/sqlgen"
)

// engine runs generated SQL on a database.
type engine struct {
	name string
	d    sqlgen.Dialect
	// run gives the values of the last column as texts.
	run func(ctx context.Context, sql string, args ...any) ([]string, error)
	add func(*pando.Record) error // inserts a record
}

// engines are all databases with the world in them.
func engines(t testing.TB, w *ruletest.World) []*engine {
	t.Helper()
	return []*engine{openSQLite(t, w), openPostgres(t, w)}
}

func (e *engine) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	if _, err := e.run(context.Background(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func (e *engine) insert(t testing.TB, r *pando.Record) {
	t.Helper()
	if err := e.add(r); err != nil {
		t.Fatalf("%s %s: %v", r.Collection.Name, r.ID(), err)
	}
}

func (*engine) Sorts() bool { return true }

func (e *engine) Find(ctx context.Context, q ruletest.Question) ([]string, error) {
	query := store.Query{Collection: q.Collection, Sort: q.Sort, Virtual: q.Virtual, IDsOnly: true}
	if q.Rule != nil {
		query.Where = []store.Condition{{Rule: q.Rule, Request: q.Request, Now: q.Now}}
	}
	ids, err := e.query(ctx, query, q.Now)
	if err != nil {
		return nil, err
	}
	st, err := sqlgen.Count(e.d, query, q.Now)
	if err != nil {
		return nil, err
	}
	n, err := e.run(ctx, st.SQL, st.Args...)
	if err != nil {
		return nil, fmt.Errorf("%s %v: %w", st.SQL, st.Args, err)
	}
	if n[0] != fmt.Sprint(len(ids)) {
		return nil, fmt.Errorf("counted %s, found %d: %s", n, len(ids), st.SQL)
	}
	return ids, nil
}

func (e *engine) query(ctx context.Context, q store.Query, now time.Time) ([]string, error) {
	st, err := sqlgen.Select(e.d, q, now)
	if err != nil {
		return nil, err
	}
	ids, err := e.run(ctx, st.SQL, st.Args...)
	if err != nil {
		return nil, fmt.Errorf("%s %v: %w", st.SQL, st.Args, err)
	}
	if st.Never && len(ids) > 0 {
		return nil, fmt.Errorf("never, and yet %v: %s", ids, st.SQL)
	}
	return ids, nil
}

func TestFiles(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		ruletest.Run(t, func(t *testing.T, w *ruletest.World) ruletest.Engine { return openSQLite(t, w) })
	})
	t.Run("postgres", func(t *testing.T) {
		ruletest.Run(t, func(t *testing.T, w *ruletest.World) ruletest.Engine { return openPostgres(t, w) })
	})
}
