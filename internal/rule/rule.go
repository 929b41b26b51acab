// Package rule is the filter and rule language: one grammar, one checker, one
// evaluator in memory. SQL is generated from the same checked tree by
// internal/store/sqlgen; text files of cases and a fuzz target hold the two
// together.
//
// A text goes through four steps. parse.go reads the grammar. resolve.go and its
// neighbours look every name up and make a tree of comparisons over columns,
// request values and joins (tree.go); group.go moves the joins as far into the
// tree as the meaning allows. Then either evaluate.go runs the tree over one
// record, or bind.go puts a request's values in and gives the tree to sqlgen.
// What a comparison means is in compare.go and value.go, and only there.
package rule

import (
	"github.com/pandobase/pando"
)

// Schema finds collections: a store's catalog.
type Schema interface {
	// Collection finds by id, or by name in any case; nil if there is none.
	Collection(ref string) *pando.Collection
	// All lists the collections.
	All() []*pando.Collection
}

// Scope is what a rule is checked in.
type Scope struct {
	Schema     Schema
	Collection *pando.Collection
	// Client marks a filter or sort that a client sent who is no superuser:
	// hidden fields, passwords (a hash could be guessed letter by letter) and
	// system identifiers are refused, paths through another
	// collection bring that collection's list rule along, and e-mails match
	// only where they are visible.
	Client bool
}

// String is the text that the rule was compiled from.
func (r *Rule) String() string { return r.text }

// Collection is the collection that the rule was checked for.
func (r *Rule) Collection() *pando.Collection { return r.own }

// Local tells whether the rule reads nothing but the record and the request, so
// that it can be evaluated without a database.
func (r *Rule) Local() bool { return r.local }

// Inputs lists what the rule reads of the request, without "@request.": auth.id,
// query.x, headers.y, body.title, body.title:isset, method, context … sorted,
// each once. Answers that hang on the rule hang on these values:
// [Rule.AppendInputs] gives them for a request.
func (r *Rule) Inputs() []string {
	if len(r.inputs) == 0 {
		return nil
	}
	out := make([]string, len(r.inputs))
	for i, in := range r.inputs {
		out[i] = in.name
	}
	return out
}

// Reads lists the collections whose records the rule reads, its own included:
// a change of any of them may change the verdict.
func (r *Rule) Reads() []*pando.Collection { return r.reads }

// Volatile tells whether the verdict can change without any write: @now and the
// other time macros, strftime of now.
func (r *Rule) Volatile() bool { return r.volatile }

// AppendInputs appends the values of [Rule.Inputs] in req, in a form in which
// different values differ: it may be part of the key of a cached answer.
func (r *Rule) AppendInputs(to []byte, req *pando.Request) []byte {
	for _, in := range r.inputs {
		to = in.appendKey(to, req)
	}
	return to
}

// SortKey is one checked key of a sort list.
type SortKey struct {
	Desc   bool
	Random bool // in no order
	RowID  bool // in insertion order

	rule *Rule // resolves the operand; nil for the two above
}

// Key is the rule that finds what to sort by, in [Bound.Key]; nil for Random and
// RowID. Its condition must hold for the records that are sorted.
func (k SortKey) Key() *Rule { return k.rule }

// Reads is as [Rule.Reads] for what the key reads.
func (k SortKey) Reads() []*pando.Collection {
	if k.rule == nil {
		return nil
	}
	return k.rule.reads
}

// Inputs is as [Rule.Inputs]: a client's key brings the list rules of the
// collections along that it leads through, and those ask about the request.
func (k SortKey) Inputs() []string {
	if k.rule == nil {
		return nil
	}
	return k.rule.Inputs()
}

// Volatile tells whether the order can change without any write.
func (k SortKey) Volatile() bool { return k.Random || k.rule != nil && k.rule.volatile }

// Restricts tells whether sorting by the key leaves records out: a client's key
// brings the list rules of the collections along that it leads through.
func (k SortKey) Restricts() bool { return k.rule != nil && k.rule.plan.cond != Const(true) }
