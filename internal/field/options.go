package field

import "github.com/pandobase/pando"

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
func (text) options(f, old *pando.Field, errs pando.FieldErrors)     {}
func (number) options(f, old *pando.Field, errs pando.FieldErrors)   {}
func (boolean) options(f, old *pando.Field, errs pando.FieldErrors)  {}
func (email) options(f, old *pando.Field, errs pando.FieldErrors)    {}
func (url) options(f, old *pando.Field, errs pando.FieldErrors)      {}
func (editor) options(f, old *pando.Field, errs pando.FieldErrors)   {}
func (date) options(f, old *pando.Field, errs pando.FieldErrors)     {}
func (autodate) options(f, old *pando.Field, errs pando.FieldErrors) {}
func (choice) options(f, old *pando.Field, errs pando.FieldErrors)   {}
func (document) options(f, old *pando.Field, errs pando.FieldErrors) {}
func (file) options(f, old *pando.Field, errs pando.FieldErrors)     {}
func (relation) options(f, old *pando.Field, errs pando.FieldErrors) {}
func (password) options(f, old *pando.Field, errs pando.FieldErrors) {}
func (geoPoint) options(f, old *pando.Field, errs pando.FieldErrors) {}
