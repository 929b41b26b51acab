package field

import (
	"fmt"
	"slices"

	"github.com/pandobase/pando"
)

// choice is a select field.
type choice struct{}

func (choice) cast(f *pando.Field, raw any) any { return castList(f, raw) }

func (choice) check(f *pando.Field, v any) *pando.FieldError {
	list, o := asList(v), f.Options.(*pando.SelectOptions)
	if len(list) == 0 {
		return required(f)
	}
	if limit := max(o.MaxSelect, 1); len(list) > limit {
		return tooMany(limit)
	}
	for _, s := range list {
		if !slices.Contains(o.Values, s) {
			return &pando.FieldError{
				Code:    "validation_invalid_value",
				Message: Sentence("Invalid value " + s),
				Params:  map[string]any{"value": s},
			}
		}
	}
	return nil
}

func tooMany(limit int) *pando.FieldError {
	return &pando.FieldError{
		Code:    "validation_too_many_values",
		Message: fmt.Sprintf("Select no more than %d.", limit),
		Params:  map[string]any{"maxSelect": limit},
	}
}

func (choice) options(f, _ *pando.Field, errs pando.FieldErrors) {
	o := f.Options.(*pando.SelectOptions)
	if len(o.Values) == 0 {
		errs["values"] = Blank()
	}
	Put(errs, "maxSelect", AtLeast(o.MaxSelect, 0))
	Put(errs, "maxSelect", AtMost(o.MaxSelect, len(o.Values)))
}
