package field

import (
	"fmt"
	"regexp"
	"sync"
	"unicode/utf8"

	"github.com/pandobase/pando"
)

// DefaultTextMax is the longest text, in runes, of a text field that sets none.
const DefaultTextMax = 5000

type text struct{}

func (text) cast(_ *pando.Field, raw any) any { return toString(raw) }

func (text) check(f *pando.Field, v any) *pando.FieldError {
	s, o := v.(string), f.Options.(*pando.TextOptions)
	if s == "" {
		// A record without an id cannot be, whatever the options say.
		if o.PrimaryKey {
			return Blank()
		}
		return required(f)
	}
	limit := o.Max
	if limit == 0 {
		limit = DefaultTextMax
	}
	n := utf8.RuneCountInString(s)
	switch {
	case o.Min > 0 && n < o.Min:
		return &pando.FieldError{
			Code:    "validation_min_text_constraint",
			Message: fmt.Sprintf("Must be at least %d character(s).", o.Min),
			Params:  map[string]any{"min": o.Min},
		}
	case n > limit:
		return &pando.FieldError{
			Code:    "validation_max_text_constraint",
			Message: fmt.Sprintf("Must be no more than %d character(s).", limit),
			Params:  map[string]any{"max": limit},
		}
	case o.Pattern != "" && !matches(o.Pattern, s):
		return invalidFormat()
	}
	return nil
}

func invalidFormat() *pando.FieldError {
	return &pando.FieldError{Code: "validation_invalid_format", Message: "Invalid value format."}
}

// patterns keeps compiled patterns by their text. Patterns come out of
// collections, which superusers write, so there are few.
var patterns sync.Map // string → *regexp.Regexp

// matches tells whether s matches pattern; a pattern that does not compile
// matches nothing.
func matches(pattern, s string) bool {
	if re, ok := patterns.Load(pattern); ok {
		return re.(*regexp.Regexp).MatchString(s)
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return false
	}
	patterns.Store(pattern, re)
	return re.MatchString(s)
}

func (text) options(f, _ *pando.Field, errs pando.FieldErrors) {
	o := f.Options.(*pando.TextOptions)
	size(errs, "min", o.Min)
	Put(errs, "max", AtLeast(o.Max, max(o.Min, 0)))
	Put(errs, "max", AtMost(o.Max, maxSafeInt))
	Put(errs, "pattern", Regexp(o.Pattern))
	autogenerate(f, o, errs)
	if !o.PrimaryKey {
		return
	}
	if f.Name != "id" {
		errs["name"] = &pando.FieldError{Code: "validation_in_invalid", Message: "The primary key must be named \"id\"."}
	}
	if !f.Required {
		errs["required"] = Blank()
	}
	if f.Hidden {
		errs["hidden"] = MustBeBlank()
	}
	if o.Pattern == "" {
		errs["pattern"] = Blank()
	}
}

// autogenerate tries the pattern: what it makes must pass the field's own checks.
func autogenerate(f *pando.Field, o *pando.TextOptions, errs pando.FieldErrors) {
	const key = "autogeneratePattern"
	if o.AutogeneratePattern == "" {
		return
	}
	if Put(errs, key, Regexp(o.AutogeneratePattern)); errs[key] != nil {
		return
	}
	example, err := Generate(o.AutogeneratePattern)
	if err != nil {
		errs[key] = &pando.FieldError{Code: "validation_invalid_autogenerate_pattern", Message: Sentence(err.Error())}
		return
	}
	if Check(f, example) != nil {
		errs[key] = &pando.FieldError{
			Code:    "validation_invalid_autogenerate_pattern_value",
			Message: Sentence(fmt.Sprintf("The provided autogenerate pattern could produce invalid field values, ex.: %q", example)),
		}
	}
}
