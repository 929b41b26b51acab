package field

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/pandobase/pando"
)

// maxSafeInt is the greatest whole number that a JSON number holds exactly.
const maxSafeInt = 1<<53 - 1

// CheckOptions says what is wrong with the options of f itself, by option name;
// nil if nothing is. old is the field of the same id as it is stored, nil if
// there is none. What needs other fields or collections (names that are taken,
// the collection of a relation) is checked by the collections service.
func CheckOptions(f, old *pando.Field) pando.FieldErrors {
	errs := pando.FieldErrors{}
	kindOf(f.Type).options(f, old, errs)
	if len(errs) == 0 {
		return nil
	}
	return errs
}

// Normalize brings the options of f into the form in which they are stored:
// dates as [pando.TimeLayout].
func Normalize(f *pando.Field) {
	if o, ok := f.Options.(*pando.DateOptions); ok {
		o.Min, o.Max = ParseTime(o.Min), ParseTime(o.Max)
	}
}

// atLeast and atMost are the usual bounds of an option. Zero is "not set" and
// passes, as everywhere in this API.
func atLeast[N int | int64 | float64](errs pando.FieldErrors, key string, n, least N) {
	if n != 0 && n < least {
		errs[key] = &pando.FieldError{
			Code: "validation_min_greater_equal_than_required", Message: fmt.Sprintf("Must be no less than %v.", least),
			Params: map[string]any{"threshold": least},
		}
	}
}

func atMost[N int | int64 | float64](errs pando.FieldErrors, key string, n, most N) {
	if n != 0 && n > most {
		errs[key] = &pando.FieldError{
			Code: "validation_max_less_equal_than_required", Message: fmt.Sprintf("Must be no greater than %v.", most),
			Params: map[string]any{"threshold": most},
		}
	}
}

// size is the check of an option that counts bytes.
func size(errs pando.FieldErrors, key string, n int64) {
	atLeast(errs, key, n, 0)
	atMost(errs, key, n, maxSafeInt)
}

// expression is the check of an option that is a regular expression.
func expression(errs pando.FieldErrors, key, pattern string) {
	if _, err := regexp.Compile(pattern); err != nil {
		errs[key] = &pando.FieldError{Code: "validation_invalid_regex", Message: sentence(err.Error())}
	}
}

// mustBeBlank is the error of an option that another one rules out.
func mustBeBlank() *pando.FieldError {
	return &pando.FieldError{Code: "validation_empty", Message: "Must be blank."}
}

// item puts the error of one item of a list option under its index.
func item(errs pando.FieldErrors, key string, i int, err *pando.FieldError) {
	list, _ := errs[key].(pando.FieldErrors)
	if list == nil {
		list = pando.FieldErrors{}
		errs[key] = list
	}
	list[strconv.Itoa(i)] = err
}
