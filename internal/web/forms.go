package web

import (
	"fmt"

	"github.com/pandobase/pando"
)

// Checks of forms that belong to no service.

func invalidForm(field string, e *pando.FieldError) error {
	return &pando.Error{Kind: pando.KindInvalid, Message: messageValidate, Data: pando.FieldErrors{field: e}}
}

func required() *pando.FieldError {
	return &pando.FieldError{Code: "validation_required", Message: "Cannot be blank."}
}

func tooLong(most, least int) *pando.FieldError {
	if least == 0 {
		return &pando.FieldError{
			Code:    "validation_length_too_long",
			Message: fmt.Sprintf("The length must be no more than %d.", most),
			Params:  map[string]any{"max": most, "min": 0},
		}
	}
	return &pando.FieldError{
		Code:    "validation_length_out_of_range",
		Message: fmt.Sprintf("The length must be between %d and %d.", least, most),
		Params:  map[string]any{"max": most, "min": least},
	}
}

func notAllowed() *pando.FieldError {
	return &pando.FieldError{Code: "validation_in_invalid", Message: "Must be a valid value."}
}
