package field

import "github.com/pandobase/pando"

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

// size checks an option that counts bytes or items.
func size[N int | int64](errs pando.FieldErrors, key string, n N) {
	Put(errs, key, AtLeast(n, 0))
	Put(errs, key, AtMost(n, maxSafeInt))
}
