package field

import (
	"fmt"
	"time"

	"github.com/pandobase/pando"
)

type date struct{}

func (date) cast(_ *pando.Field, raw any) any { return ParseTime(raw) }

func (date) check(f *pando.Field, v any) *pando.FieldError {
	s, o := v.(string), f.Options.(*pando.DateOptions)
	switch { // dates of this form compare as text
	case s == "":
		return required(f)
	case o.Min != "" && s < o.Min:
		return outside("validation_min_greater_equal_than_required", "Must be no less than %v.", o.Min)
	case o.Max != "" && s > o.Max:
		return outside("validation_max_less_equal_than_required", "Must be no greater than %v.", o.Max)
	}
	return nil
}

func outside(code, message, bound string) *pando.FieldError {
	t, _ := time.Parse(pando.TimeLayout, bound)
	return &pando.FieldError{Code: code, Message: fmt.Sprintf(message, t), Params: map[string]any{"threshold": t}}
}

type autodate struct{}

func (autodate) cast(_ *pando.Field, raw any) any { return ParseTime(raw) }

// An autodate is the server's own work: there is nothing to complain about.
func (autodate) check(*pando.Field, any) *pando.FieldError { return nil }

// options has nothing to refuse: a bound that is no date has become none in
// Normalize.
func (date) options(_, _ *pando.Field, _ pando.FieldErrors) {}

func (autodate) options(f, _ *pando.Field, errs pando.FieldErrors) {
	if o := f.Options.(*pando.AutodateOptions); !o.OnCreate && !o.OnUpdate {
		for _, key := range []string{"onCreate", "onUpdate"} {
			errs[key] = &pando.FieldError{Code: "validation_required", Message: "Either onCreate or onUpdate must be enabled."}
		}
	}
}
