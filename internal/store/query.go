package store

import (
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/rule"
)

// Query asks for records of one collection. All conditions must hold.
type Query struct {
	Collection *pando.Collection
	Match      []Match
	Where      []Condition
	Sort       []rule.SortKey // none: insertion order
	Request    *pando.Request // who asks for the order; nil: whoever Where asks for
	Offset     int
	Limit      int  // 0: no limit
	Total      bool // also count all matching records
	IDsOnly    bool // records have only their id set, other values are zero
	// After, if set, returns only records inserted after the one of this id (in
	// insertion order; Sort must be empty): for walking a whole collection.
	After string
	// Virtual stands in for the whole table: the query sees it as the only row
	// of its collection. A create rule asks about a record that is not there yet.
	Virtual *pando.Record
}

// Match is an equality that comes from code, not from a rule. On a field of many
// values it holds if one of them is Value.
type Match struct {
	Field  string
	Value  string
	NoCase bool // compare ASCII letters in any case
}

// Condition is a checked rule with the request that it is asked for.
type Condition struct {
	Rule    *rule.Rule
	Request *pando.Request
	Now     time.Time // what @now means; the zero time is the store's clock
}

// Page is the answer to a Query.
type Page struct {
	Records []*pando.Record
	Total   int // if asked for, else -1
}
