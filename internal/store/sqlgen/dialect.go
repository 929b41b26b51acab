package sqlgen

import (
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/rule"
	"github.com/pandobase/pando/internal/store"
)

// Dialect is what databases say in different words. It is closed: see [SQLite]
// and [Postgres].
type Dialect interface {
	// quote is a name as an identifier.
	quote(name string) string
	// placeholders writes the database's own in a finished statement.
	placeholders(sql []byte, args []any) []byte

	statements
	tables
	operands
}

// statements are the parts of one around its conditions.
type statements interface {
	random() string
	rowID(alias string) string
	limit(w *buffer, limit, offset int)
	match(w *buffer, column string, f *pando.Field, m store.Match)
	after(w *buffer, table, id string)
	// among asks for the rows of these numbers.
	among(w *buffer, alias string, rows []int64)
	virtualColumn(w *buffer, f *pando.Field, v any)
}

// tables are what joins are made of.
type tables interface {
	// one is a table of one row.
	one() string
	// byRowOnly follows a table of which only rows of known numbers are asked
	// for.
	byRowOnly() string
	// columnItems and valueItems are tables of the items of a list.
	columnItems(w *buffer, column, alias string)
	valueItems(w *buffer, values []rule.Value, alias string)
	itemIs(w *buffer, id, alias string)
	listHas(w *buffer, column, id string)
	idIn(w *buffer, id string, values []rule.Value)
	// narrow says what n, which asks for rows of joins, implies of t alone and
	// an index can serve; false if there is nothing.
	narrow(w *buffer, n *rule.Exists, column func(*rule.Join, *pando.Field) string) bool
	// first is ORDER BY for the rows of joins; "" if they come in order by
	// themselves.
	first(joins []*rule.Join, sc *scope) string
}

// operands make terms and compare them. What a comparison means is laid down in
// internal/rule.
type operands interface {
	value(t *term)
	// field is a column of the row that alias stands for.
	field(t *term, alias string)
	// path is one into the JSON column; form says how an index has it.
	path(t *term, column string, form pathForm)
	// item is one of the values, or of a column if there are none.
	item(t *term, alias string, values []rule.Value)
	length(t *term, column string)
	changed(t *term, differs *buffer)
	distance(t *term, args [4]*term)
	// strftime reads the text "now" of a row as the time now.
	strftime(t *term, args []*term, now time.Time)
	lower(t *term)

	// compare writes a comparison. strict asks for the exact truth, null
	// included, because NOT stands around it; else only whether it holds
	// matters, and the SQL may be simpler.
	compare(w *buffer, c *rule.Compare, l, r *term, strict bool)
	// sortKey writes a term as ORDER BY has it, direction what follows it.
	sortKey(w *buffer, t *term)
	direction(desc, nullable bool) string
}
