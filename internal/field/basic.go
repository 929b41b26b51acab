package field

import (
	"fmt"
	"regexp"
	"strconv"
	"unicode/utf8"

	"github.com/asaskevich/govalidator"

	"github.com/pandobase/pando"
)

// The checks of this file are the same for values, for options, for
// collections and for settings. Each returns nil if there is nothing to
// complain about, and lets the zero value pass: whether something may be missing
// is asked by [Blank].

// Blank is the error of something that is missing.
func Blank() *pando.FieldError {
	return &pando.FieldError{Code: "validation_required", Message: "Cannot be blank."}
}

// MustBeBlank is the error of something that another value rules out.
func MustBeBlank() *pando.FieldError {
	return &pando.FieldError{Code: "validation_empty", Message: "Must be blank."}
}

// InvalidFormat is the error of a text that must match a fixed pattern.
func InvalidFormat() *pando.FieldError {
	return &pando.FieldError{Code: "validation_match_invalid", Message: "Must be in a valid format."}
}

// NotInList is the error of a value that is none of the few allowed ones.
func NotInList() *pando.FieldError {
	return &pando.FieldError{Code: "validation_in_invalid", Message: "Must be a valid value."}
}

// Forbidden is the error of a value that is one of a few that are not allowed.
func Forbidden() *pando.FieldError {
	return &pando.FieldError{Code: "validation_not_in_invalid", Message: "Must not be in list."}
}

// AtLeast checks a lower bound.
func AtLeast[N int | int64 | float64](n, least N) *pando.FieldError {
	if n == 0 || n >= least {
		return nil
	}
	return &pando.FieldError{
		Code: "validation_min_greater_equal_than_required", Message: fmt.Sprintf("Must be no less than %v.", least),
		Params: map[string]any{"threshold": least},
	}
}

// AtMost checks an upper bound.
func AtMost[N int | int64 | float64](n, most N) *pando.FieldError {
	if n == 0 || n <= most {
		return nil
	}
	return &pando.FieldError{
		Code: "validation_max_less_equal_than_required", Message: fmt.Sprintf("Must be no greater than %v.", most),
		Params: map[string]any{"threshold": most},
	}
}

// Length checks the length of a text in characters; least may be 0.
func Length(s string, least, most int) *pando.FieldError {
	n := utf8.RuneCountInString(s)
	if n == 0 || n >= least && n <= most {
		return nil
	}
	if least == 0 {
		return &pando.FieldError{
			Code: "validation_length_too_long", Message: fmt.Sprintf("The length must be no more than %d.", most),
			Params: map[string]any{"max": most, "min": 0},
		}
	}
	return &pando.FieldError{
		Code: "validation_length_out_of_range", Message: fmt.Sprintf("The length must be between %d and %d.", least, most),
		Params: map[string]any{"min": least, "max": most},
	}
}

// Email checks the form of an e-mail address.
func Email(s string) *pando.FieldError {
	if s == "" || govalidator.IsEmail(s) {
		return nil
	}
	return &pando.FieldError{Code: "validation_is_email", Message: "Must be a valid email address."}
}

// URL checks the form of a URL.
func URL(s string) *pando.FieldError {
	if s == "" || govalidator.IsURL(s) {
		return nil
	}
	return &pando.FieldError{Code: "validation_is_url", Message: "Must be a valid URL."}
}

// Host checks that s is an IP address or a DNS name.
func Host(s string) *pando.FieldError {
	if s == "" || govalidator.IsHost(s) {
		return nil
	}
	return &pando.FieldError{Code: "validation_is_host", Message: "Must be a valid IP address or DNS name."}
}

// Put notes err under key, unless it is nil or key has an error already: the
// first complaint about a thing is the one that is told.
func Put(errs pando.FieldErrors, key string, err *pando.FieldError) {
	if _, told := errs[key]; !told && err != nil {
		errs[key] = err
	}
}

// PutItem notes err for one item of a list, under its index.
func PutItem(errs pando.FieldErrors, key string, i int, err *pando.FieldError) {
	list, _ := errs[key].(pando.FieldErrors)
	if list == nil {
		list = pando.FieldErrors{}
		errs[key] = list
	}
	Put(list, strconv.Itoa(i), err)
}

// PutNested notes the errors of something with keys of its own, unless there
// are none.
func PutNested(errs pando.FieldErrors, key string, nested pando.FieldErrors) {
	if _, told := errs[key]; !told && len(nested) > 0 {
		errs[key] = nested
	}
}

// Regexp checks that s is a regular expression.
func Regexp(s string) *pando.FieldError {
	if _, err := regexp.Compile(s); err != nil {
		return &pando.FieldError{Code: "validation_invalid_regex", Message: Sentence(err.Error())}
	}
	return nil
}
