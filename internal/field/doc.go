// Package field knows what each type of field does with a value: how a submitted
// value is cast to the Go type that [pando.Record] documents, how a modifier
// changes it, which checks it must pass, what it is when nobody gave one, and
// whether the field's own options make sense.
//
// There is one file for each type; cast.go, modify.go, check.go and options.go
// choose among them. Nothing here needs a database or the content of a file:
// uniqueness, the existence of related records and what an upload holds are for
// the records service to check.
package field

import "github.com/pandobase/pando"

// kind is what one type of field does. Its methods are called with fields of
// that type only.
type kind interface {
	// cast makes the Go type of the field of whatever came in; what cannot be
	// understood becomes the zero value.
	cast(f *pando.Field, raw any) any
	// check says what is wrong with a cast value, nil if nothing is.
	check(f *pando.Field, v any) *pando.FieldError
	// options adds what is wrong with the field's options to errs. old is the
	// field as it was, nil if it is new.
	options(f, old *pando.Field, errs pando.FieldErrors)
}

func kindOf(t pando.FieldType) kind {
	switch t {
	case pando.FieldText:
		return text{}
	case pando.FieldNumber:
		return number{}
	case pando.FieldBool:
		return boolean{}
	case pando.FieldEmail:
		return email{}
	case pando.FieldURL:
		return url{}
	case pando.FieldEditor:
		return editor{}
	case pando.FieldDate:
		return date{}
	case pando.FieldAutodate:
		return autodate{}
	case pando.FieldSelect:
		return choice{}
	case pando.FieldJSON:
		return document{}
	case pando.FieldFile:
		return file{}
	case pando.FieldRelation:
		return relation{}
	case pando.FieldPassword:
		return password{}
	case pando.FieldGeoPoint:
		return geoPoint{}
	}
	return nil
}
