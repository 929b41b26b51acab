package rule

import (
	"context"
	"errors"

	"github.com/pandobase/pando"
)

// Rule is a checked rule or filter: every name in it is known. It is immutable
// and may be used by many at once.
type Rule struct {
	text string
}

// SortKey is one checked key of a sort list.
type SortKey struct {
	Desc bool
}

// Compile parses text and checks it against scope. The error is an *Error.
func Compile(text string, scope Scope) (*Rule, error) {
	return nil, errors.New("rule: not built yet")
}

// CompileSort parses and checks a sort list: at most 8 keys of at most 255
// characters.
func CompileSort(text string, scope Scope) ([]SortKey, error) {
	return nil, errors.New("rule: not built yet")
}

// String is the text that the rule was compiled from.
func (r *Rule) String() string { return r.text }

// Local tells whether the rule reads nothing but the record and the request, so
// that it can be evaluated without a database.
func (r *Rule) Local() bool { return false }

// Inputs lists what the rule reads of the request, without "@request.": auth.id,
// query.x, headers.y, body.title, body.title:isset, method, context … sorted,
// each once. Answers that hang on the rule hang on these values.
func (r *Rule) Inputs() []string { return nil }

// Reads lists the collections whose records the rule reads, its own included:
// a change of any of them may change the verdict.
func (r *Rule) Reads() []*pando.Collection { return nil }

// Volatile tells whether the verdict can change without any write: @now and the
// other time macros, strftime of now. A SortKey can be volatile as well (@random).
func (r *Rule) Volatile() bool { return false }

// Match evaluates the rule in memory for one record.
func (r *Rule) Match(ctx context.Context, env Env, rec *pando.Record) (bool, error) {
	return false, errors.New("rule: not built yet")
}

// Reads lists the collections whose records the key reads, as [Rule.Reads].
func (k SortKey) Reads() []*pando.Collection { return nil }

// Volatile tells whether the order can change without any write (@random).
func (k SortKey) Volatile() bool { return false }
