package field

import (
	"fmt"
	"math"

	"github.com/spf13/cast"

	"github.com/pandobase/pando"
)

type number struct{}

func (number) cast(_ *pando.Field, raw any) any {
	n := cast.ToFloat64(raw)
	if n == 0 {
		return 0.0 // not -0, which prints differently
	}
	return n
}

func (number) check(f *pando.Field, v any) *pando.FieldError {
	n, o := v.(float64), f.Options.(*pando.NumberOptions)
	switch {
	case math.IsNaN(n) || math.IsInf(n, 0):
		return &pando.FieldError{Code: "validation_not_a_number", Message: "The submitted number is not properly formatted."}
	case n == 0:
		return required(f)
	case o.OnlyInt && (n != math.Trunc(n) || math.Abs(n) >= 1<<63):
		return onlyInt()
	case o.Min != nil && n < *o.Min:
		return &pando.FieldError{Code: "validation_min_number_constraint", Message: fmt.Sprintf("Must be larger than %f.", *o.Min)}
	case o.Max != nil && n > *o.Max:
		return &pando.FieldError{Code: "validation_max_number_constraint", Message: fmt.Sprintf("Must be less than %f.", *o.Max)}
	}
	return nil
}

func (number) options(f, _ *pando.Field, errs pando.FieldErrors) {
	o := f.Options.(*pando.NumberOptions)
	if o.Min != nil && o.Max != nil && *o.Max < *o.Min {
		errs["max"] = &pando.FieldError{
			Code: "validation_min_greater_equal_than_required", Message: fmt.Sprintf("Must be no less than %v.", *o.Min),
			Params: map[string]any{"threshold": *o.Min},
		}
	}
	for key, bound := range map[string]*float64{"min": o.Min, "max": o.Max} {
		if o.OnlyInt && bound != nil && *bound != math.Trunc(*bound) {
			errs[key] = onlyInt()
		}
	}
}

func onlyInt() *pando.FieldError {
	return &pando.FieldError{Code: "validation_only_int_constraint", Message: "Decimal numbers are not allowed."}
}
