package field

import (
	"fmt"
	"unicode/utf8"

	"github.com/pandobase/pando"
)

// DefaultPasswordMax is the longest password, in characters, of a field that
// sets no limit. bcrypt reads 72 bytes.
const DefaultPasswordMax = 71

type password struct{}

func (password) cast(_ *pando.Field, raw any) any { return toString(raw) }

func (password) check(f *pando.Field, v any) *pando.FieldError {
	s, o := v.(string), f.Options.(*pando.PasswordOptions)
	if s == "" {
		return required(f)
	}
	limit := o.Max
	if limit == 0 {
		limit = DefaultPasswordMax
	}
	n := utf8.RuneCountInString(s)
	switch {
	case n < o.Min:
		return &pando.FieldError{
			Code: "validation_min_text_constraint", Message: fmt.Sprintf("Must be at least %d character(s).", o.Min),
		}
	case n > limit:
		return &pando.FieldError{
			Code: "validation_max_text_constraint", Message: fmt.Sprintf("Must be less than %d character(s).", limit),
		}
	case o.Pattern != "" && !matches(o.Pattern, s):
		return invalidFormat()
	}
	return nil
}

func (password) options(f, _ *pando.Field, errs pando.FieldErrors) {
	o := f.Options.(*pando.PasswordOptions)
	Put(errs, "min", AtLeast(o.Min, 1))
	Put(errs, "min", AtMost(o.Min, DefaultPasswordMax))
	Put(errs, "max", AtLeast(o.Max, max(o.Min, 0)))
	Put(errs, "max", AtMost(o.Max, DefaultPasswordMax))
	Put(errs, "cost", AtLeast(o.Cost, 4)) // bcrypt's own bounds
	Put(errs, "cost", AtMost(o.Cost, 31))
	Put(errs, "pattern", Regexp(o.Pattern))
}
