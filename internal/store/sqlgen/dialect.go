package sqlgen

import (
	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/rule"
	"github.com/pandobase/pando/internal/store"
)

// Dialect is what databases say in different words. It is closed: see [SQLite].
type Dialect interface {
	// same and differs are operators that take null for a value.
	same() string
	differs() string
	// like is the operator that takes ASCII letters in any case, with spaces.
	like() string
	// untyped, before a column, takes its type's pull on the other side away.
	untyped() string
	random() string
	rowID(alias string) string

	limit(w *buffer, limit, offset int)
	match(w *buffer, column string, f *pando.Field, m store.Match)
	after(w *buffer, table, id string)
	// among asks for the rows of these numbers.
	among(w *buffer, alias string, rows []int64)
	virtualColumn(w *buffer, f *pando.Field, v any)
	cast(w *buffer, v rule.Value, to rule.Affinity)

	// columnItems and valueItems are tables of the items of a list.
	columnItems(w *buffer, column string)
	valueItems(w *buffer, values []rule.Value)
	item(w *buffer, alias string)
	itemIs(w *buffer, id, alias string)
	listHas(w *buffer, column, id string)
	length(w *buffer, column string, f *pando.Field)

	path(w *buffer, column, path string)
	indexedPath(w *buffer, column, path string, form pathForm)
	distance(w *buffer, args [4]*buffer)
}
