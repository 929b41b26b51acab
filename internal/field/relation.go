package field

import (
	"fmt"

	"github.com/pandobase/pando"
)

type relation struct{}

func (relation) cast(f *pando.Field, raw any) any { return castList(f, raw) }

func (relation) check(f *pando.Field, v any) *pando.FieldError {
	list, o := asList(v), f.Options.(*pando.RelationOptions)
	if len(list) == 0 {
		return required(f)
	}
	if len(list) < o.MinSelect {
		return &pando.FieldError{
			Code:    "validation_not_enough_values",
			Message: fmt.Sprintf("Select at least %d.", o.MinSelect),
			Params:  map[string]any{"minSelect": o.MinSelect},
		}
	}
	if limit := max(o.MaxSelect, 1); len(list) > limit {
		return tooMany(limit)
	}
	return nil
}

func (relation) options(f, old *pando.Field, errs pando.FieldErrors) {
	o := f.Options.(*pando.RelationOptions)
	switch {
	case o.CollectionID == "":
		errs["collectionId"] = Blank()
	case old != nil && old.Options.(*pando.RelationOptions).CollectionID != o.CollectionID:
		errs["collectionId"] = &pando.FieldError{
			Code: "validation_field_relation_change", Message: "The relation collection cannot be changed.",
		}
	}
	Put(errs, "minSelect", AtLeast(o.MinSelect, 0))
	if o.MinSelect > 1 && o.MaxSelect == 0 {
		errs["maxSelect"] = Blank()
	}
	Put(errs, "maxSelect", AtLeast(o.MaxSelect, max(o.MinSelect, 0)))
	Put(errs, "maxSelect", AtMost(o.MaxSelect, maxSafeInt))
}
