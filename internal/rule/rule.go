// Package rule is the filter and rule language: one grammar, one checker, one
// evaluator in memory. SQL is generated from the same checked tree by
// internal/store/sqlgen; text files of cases and a fuzz target hold the two
// together.
package rule

import (
	"context"
	"time"

	"github.com/pandobase/pando"
)

// Schema finds collections: a store's catalog.
type Schema interface {
	// Collection finds by id, or by name in any case; nil if there is none.
	Collection(ref string) *pando.Collection
}

// Scope is what a rule is checked in.
type Scope struct {
	Schema     Schema
	Collection *pando.Collection
	// Client marks a filter or sort that a client sent who is no superuser:
	// hidden fields and system identifiers are refused, paths through another
	// collection bring that collection's list rule along, and e-mails match
	// only where they are visible.
	Client bool
}

// Source finds the records that a rule reads beside the one it is asked about.
// Only rules that are not [Rule.Local] need it.
type Source interface {
	// All yields every record of a collection in insertion order.
	All(ctx context.Context, c *pando.Collection) ([]*pando.Record, error)
}

// Env is what a rule is evaluated in.
type Env struct {
	Request *pando.Request
	Stored  *pando.Record // the record as stored, for :changed; nil on create
	Now     time.Time     // what @now means
	Source  Source        // may be nil for local rules
}
