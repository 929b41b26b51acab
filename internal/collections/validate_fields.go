package collections

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/field"
)

// fields checks the list of fields. Its parts build on each other, so the first
// that complains ends it.
func (v *validator) fields() {
	for _, check := range []func(){v.fieldList, v.fieldNames, v.primaryKey, v.fieldTypes, v.systemFields, v.eachField} {
		if check(); v.errs["fields"] != nil {
			return
		}
	}
}

func (v *validator) fieldList() {
	if len(v.c.Fields) == 0 {
		v.errs["fields"] = field.Blank()
	}
}

// fieldNames finds fields that the database could not tell apart.
func (v *validator) fieldNames() {
	ids, names := map[string]bool{}, map[string]bool{}
	for i, f := range v.c.Fields {
		name := strings.ToLower(f.Name)
		switch {
		case ids[f.ID]:
			v.fieldError(i, "id", &pando.FieldError{
				Code: "validation_duplicated_field_id", Message: fmt.Sprintf("Duplicated or invalid field id %s.", f.ID),
				Params: map[string]any{"fieldId": f.ID},
			})
		case names[name]:
			v.fieldError(i, "name", &pando.FieldError{
				Code: "validation_duplicated_field_name", Message: fmt.Sprintf("Duplicated or invalid field name %s.", f.Name),
				Params: map[string]any{"fieldName": f.Name},
			})
		}
		ids[f.ID], names[name] = true, true
	}
}

// fieldError notes what is wrong with one key of one field, if anything is.
func (v *validator) fieldError(i int, key string, err any) {
	if e, ok := err.(*pando.FieldError); ok && e == nil {
		return
	}
	list, _ := v.errs["fields"].(pando.FieldErrors)
	if list == nil {
		list = pando.FieldErrors{}
		v.errs["fields"] = list
	}
	at := strconv.Itoa(i)
	keys, _ := list[at].(pando.FieldErrors)
	if keys == nil {
		keys = pando.FieldErrors{}
		list[at] = keys
	}
	if keys[key] == nil {
		keys[key] = err
	}
}

func (v *validator) primaryKey() {
	id := v.c.Field("id")
	if id == nil || !isPrimary(id) {
		v.errs["fields"] = &pando.FieldError{Code: "validation_missing_primary_key", Message: "Missing or invalid \"id\" PK field."}
	}
}

func isPrimary(f *pando.Field) bool {
	o, ok := f.Options.(*pando.TextOptions)
	return ok && o.PrimaryKey
}

func (v *validator) fieldTypes() {
	if v.old == nil || v.c.IsView() {
		return
	}
	for i, f := range v.c.Fields {
		if was := v.old.FieldByID(f.ID); was != nil && was.Type != f.Type {
			field.PutItem(v.errs, "fields", i, &pando.FieldError{
				Code: "validation_field_type_change", Message: "Field type cannot be changed.",
			})
			return
		}
	}
}

func (v *validator) systemFields() {
	if v.old == nil || v.c.IsView() {
		return
	}
	for _, was := range v.old.Fields {
		if f := v.c.FieldByID(was.ID); was.System && (f == nil || f.Name != was.Name) {
			v.errs["fields"] = &pando.FieldError{
				Code: "validation_system_field_change", Message: "System fields cannot be deleted or renamed.",
			}
			return
		}
	}
}

func (v *validator) eachField() {
	primary := 0
	for _, f := range v.c.Fields {
		if isPrimary(f) {
			primary++
		}
	}
	for i, f := range v.c.Fields {
		v.fieldError(i, "id", fieldIDError(f.ID))
		v.fieldError(i, "name", v.fieldName(f))
		v.fieldError(i, "help", field.Length(f.Help, 0, 300))
		if primary > 1 && isPrimary(f) {
			v.fieldError(i, "primaryKey", &pando.FieldError{
				Code:    "validation_unsupported_composite_pk",
				Message: "Composite PKs are not supported and the collection must have only 1 PK.",
			})
		}
		v.fieldOptions(i, f)
	}
}

func fieldIDError(id string) *pando.FieldError {
	if id == "" {
		return field.Blank()
	}
	return field.Length(id, 1, 100)
}

func (v *validator) fieldName(f *pando.Field) *pando.FieldError {
	switch {
	case f.Name == "":
		return field.Blank()
	case field.Length(f.Name, 1, 100) != nil:
		return field.Length(f.Name, 1, 100)
	case !wordPattern.MatchString(f.Name):
		return field.InvalidFormat()
	case strings.Contains(f.Name, "_via_"):
		return via()
	}
	switch f.Name {
	case "null", "true", "false", "_rowid_", "collectionId", "collectionName", "expand":
		return field.Forbidden()
	case "passwordConfirm", "oldPassword":
		if v.c.IsAuth() {
			return &pando.FieldError{
				Code: "validation_reserved_field_name", Message: "The field name is reserved and cannot be used.",
			}
		}
	}
	return nil
}

// fieldOptions checks what is particular to the field's type. The fields of a
// view are copies: what holds for their originals need not hold for them.
func (v *validator) fieldOptions(i int, f *pando.Field) {
	if v.c.IsView() {
		return
	}
	var was *pando.Field
	if v.old != nil {
		was = v.old.FieldByID(f.ID)
	}
	for key, err := range field.CheckOptions(f, was) {
		v.fieldError(i, key, err)
	}
	if o, ok := f.Options.(*pando.RelationOptions); ok {
		v.fieldError(i, "collectionId", v.target(o.CollectionID))
	}
}

// target checks the collection that a relation points to.
func (v *validator) target(id string) *pando.FieldError {
	c := v.catalog.Collection(id)
	switch {
	case c == nil || c.ID != id:
		return &pando.FieldError{
			Code: "validation_field_relation_missing_collection", Message: "The relation collection doesn't exist.",
		}
	case c.IsView():
		return &pando.FieldError{
			Code:    "validation_relation_field_non_view_base_collection",
			Message: "Only view collections are allowed to have relations to other views.",
		}
	}
	return nil
}
