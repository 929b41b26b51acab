// Package sqlgen turns a [store.Query] into one SQL statement. It is the one
// place, beside the adapters themselves, where SQL text is written.
//
// The main table is called t. A path through single relations becomes a LEFT
// JOIN beside it (it cannot multiply rows), a path that can give many rows a
// correlated EXISTS (so that rows need no DISTINCT), and a plain operator over
// such a path a NOT EXISTS of a counterexample. What a comparison means is laid
// down in internal/rule; the SQL says the same with as little around a column as
// the meaning allows, because COALESCE and casts keep an index from being used.
//
// SQLite's types are those of the language, so its SQL is short. PostgreSQL's are
// not: its dialect knows the type of every column, and writes what SQLite's types
// would do to each other; where only the row knows (inside JSON), values are
// compared by a text that sorts as they do, made by functions in schema _pando.
// Indexes are generated beside ([PostgresIndex]), with columns and expressions as
// the statements have them.
//
// Text of a user never becomes part of the SQL: values are bound, names are
// those of collections and fields, quoted. One exception needs no trust either:
// the path of an indexed JSON expression, which must stand in the SQL as it
// stands in the index, and which is letters, digits and _ only.
package sqlgen

import (
	"fmt"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/rule"
	"github.com/pandobase/pando/internal/store"
)

// Statement is one statement with the values for its placeholders.
type Statement struct {
	SQL  string
	Args []any // nil, int64, float64, string or bool; for PostgreSQL []string too
	// Never tells that no record can match: the request decided it, and there
	// is no need to ask the database.
	Never bool
}

// Select is the statement for a query's records. Its columns are the fields of
// the collection in their order, or the id alone for IDsOnly. now is what the
// time macros mean where a condition does not say.
func Select(d Dialect, q store.Query, now time.Time) (Statement, error) {
	g, err := matching(d, q, now)
	if err != nil {
		return Statement{}, err
	}
	return g.page(g.columns)
}

// PageRows is the statement for the rows of the records that Select finds, in
// their order, where rows are known to hold all that match: the database looks
// at these only, and sorts them without carrying their columns along.
func PageRows(d Dialect, q store.Query, now time.Time, rows []int64) (Statement, error) {
	g, err := matching(d, q, now)
	if err != nil {
		return Statement{}, err
	}
	g.among(rows)
	return g.page(func(out *buffer) { out.text(d.rowID("t")) })
}

// page is the statement for columns of one page in order.
func (g *generator) page(columns func(*buffer)) (Statement, error) {
	if err := g.order(); err != nil {
		return Statement{}, err
	}
	out := buffer{sql: make([]byte, 0, 512)}
	out.text("SELECT ")
	columns(&out)
	g.from(&out)
	out.add(&g.sorted)
	if g.q.Limit > 0 || g.q.Offset > 0 {
		g.d.limit(&out, g.q.Limit, g.q.Offset)
	}
	return g.statement(&out)
}

// Count is the statement for the number of a query's records; Offset and Limit
// do not count, nor does the order.
func Count(d Dialect, q store.Query, now time.Time) (Statement, error) {
	g, err := matching(d, q, now)
	if err != nil {
		return Statement{}, err
	}
	var out buffer
	out.text("SELECT COUNT(*)")
	g.from(&out)
	return g.statement(&out)
}

// Rows is the statement for the rows of a query's records, in any order and at
// most limit of them: one column, the row's number within its table.
func Rows(d Dialect, q store.Query, now time.Time, limit int) (Statement, error) {
	g, err := matching(d, q, now)
	if err != nil {
		return Statement{}, err
	}
	var out buffer
	out.text("SELECT " + d.rowID("t"))
	g.from(&out)
	d.limit(&out, limit, 0)
	return g.statement(&out)
}

// RowsAmong is Rows for those of the rows given that match.
func RowsAmong(d Dialect, q store.Query, now time.Time, rows []int64) (Statement, error) {
	g, err := matching(d, q, now)
	if err != nil {
		return Statement{}, err
	}
	g.among(rows)
	var out buffer
	out.text("SELECT " + d.rowID("t"))
	g.from(&out)
	return g.statement(&out)
}

// matching is a generator with all conditions written.
func matching(d Dialect, q store.Query, now time.Time) (*generator, error) {
	g := newGenerator(d, q, now)
	if err := g.where(); err != nil {
		return nil, err
	}
	return g, g.sortConditions()
}

// generator makes one statement. Its parts are written apart, since a condition
// may ask for a join before it.
type generator struct {
	d   Dialect
	q   store.Query
	now time.Time

	joined buffer // LEFT JOINs beside t
	conds  buffer // after WHERE
	sorted buffer // ORDER BY
	never  bool
	known  bool // which rows can match

	bound   *rule.Bound // of the condition at hand
	aliases int
	top     scope // joins beside t
	err     error
}

func newGenerator(d Dialect, q store.Query, now time.Time) *generator {
	return &generator{d: d, q: q, now: now}
}

func (g *generator) statement(out *buffer) (Statement, error) {
	return Statement{SQL: string(g.d.placeholders(out.sql, out.args)), Args: out.args, Never: g.never}, g.err
}

func (g *generator) columns(out *buffer) {
	if g.q.IDsOnly {
		out.text("t." + g.d.quote("id"))
		return
	}
	for i, f := range g.q.Collection.Fields {
		if i > 0 {
			out.text(", ")
		}
		out.text("t." + g.d.quote(f.Name))
	}
}

func (g *generator) from(out *buffer) {
	out.text(" FROM ")
	if g.q.Virtual != nil {
		g.virtual(out, g.q.Virtual)
	} else {
		out.text(g.d.quote(g.q.Collection.Name))
	}
	out.text(" AS t")
	if g.known {
		out.text(g.d.byRowOnly())
	}
	out.add(&g.joined)
	if !g.conds.empty() {
		out.text(" WHERE ")
		out.add(&g.conds)
	}
}

// virtual is a table of one row: a record that is not stored.
func (g *generator) virtual(out *buffer, rec *pando.Record) {
	out.text("(SELECT ")
	for i, f := range g.q.Collection.Fields {
		if i > 0 {
			out.text(", ")
		}
		g.d.virtualColumn(out, f, rec.Get(f.Name))
		out.text(" AS " + g.d.quote(f.Name))
	}
	out.text(")")
}

// where writes all conditions.
func (g *generator) where() error {
	for _, m := range g.q.Match {
		f := g.q.Collection.Field(m.Field)
		if f == nil {
			return fmt.Errorf("sqlgen: %s has no field %q", g.q.Collection.Name, m.Field)
		}
		g.d.match(g.and(), "t."+g.d.quote(f.Name), f, m)
	}
	for _, w := range g.q.Where {
		now := w.Now
		if now.IsZero() {
			now = g.now
		}
		if w.Rule.Collection() != nil && w.Rule.Collection().ID != g.q.Collection.ID {
			return fmt.Errorf("sqlgen: a rule of %s cannot ask for records of %s", w.Rule.Collection().Name, g.q.Collection.Name)
		}
		g.bound = w.Rule.Bind(w.Request, now)
		g.condition(g.bound.Cond)
	}
	if g.q.After != "" && g.q.Virtual == nil {
		g.d.after(g.and(), g.d.quote(g.q.Collection.Name), g.q.After)
	}
	return g.err
}

// condition adds a top-level condition.
func (g *generator) condition(n rule.Node) {
	switch n := n.(type) {
	case rule.Const:
		if !n {
			g.and().text("1 = 0")
			g.never = true
		}
	case rule.And:
		for _, p := range n {
			g.condition(p)
		}
	default:
		g.node(g.and(), &g.top, n)
	}
}

// among leaves only these rows of t.
func (g *generator) among(rows []int64) {
	g.d.among(g.and(), "t", rows)
	g.known = true
}

// and begins one more condition.
func (g *generator) and() *buffer {
	if !g.conds.empty() {
		g.conds.text(" AND ")
	}
	return &g.conds
}

// placeholder stands in the text for a value until the statement is finished:
// parts are written apart, so only then is it known which value is which. No
// name and no text of SQL holds this byte.
const placeholder = 0

// buffer is SQL text with the values of its placeholders, in order.
type buffer struct {
	sql  []byte
	args []any
}

func (b *buffer) text(s string) { b.sql = append(b.sql, s...) }

func (b *buffer) bind(v any) {
	b.sql = append(b.sql, placeholder)
	b.args = append(b.args, v)
}

func (b *buffer) add(o *buffer) {
	b.sql = append(b.sql, o.sql...)
	b.args = append(b.args, o.args...)
}

func (b *buffer) empty() bool { return len(b.sql) == 0 }
