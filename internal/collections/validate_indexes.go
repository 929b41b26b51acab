package collections

import (
	"fmt"
	"strings"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/field"
	"github.com/pandobase/pando/internal/indexdef"
)

// indexes checks the CREATE INDEX texts as far as that is possible without the
// database, which still has to make them. The first bad one is told.
func (v *validator) indexes() {
	if v.c.IsView() {
		if len(v.c.Indexes) > 0 {
			v.errs["indexes"] = &pando.FieldError{
				Code: "validation_indexes_not_supported", Message: "View collections don't support indexes.",
			}
		}
		return
	}
	taken := v.indexNames()
	names, definitions := map[string]bool{}, map[string]bool{}
	for i, text := range v.c.Indexes {
		d, err := indexdef.Parse(text)
		if err != nil || d.Name == "" {
			v.indexError(i, "validation_invalid_index_expression", "Invalid CREATE INDEX expression.", nil)
			return
		}
		name, body := strings.ToLower(d.Name), definition(d)
		switch {
		case names[name]:
			v.indexError(i, "validation_duplicated_index_name", "The index name already exists.", nil)
		case taken[name] != "":
			v.indexError(i, "validation_existing_index_name",
				fmt.Sprintf("The index name is already used in %s collection.", taken[name]), map[string]any{"usedTableName": taken[name]})
		case definitions[body]:
			v.indexError(i, "validation_duplicated_index_definition", "The index definition already exists.", nil)
		}
		if v.errs["indexes"] != nil {
			return
		}
		names[name], definitions[body] = true, true
	}
}

func (v *validator) indexError(i int, code, message string, params map[string]any) {
	field.PutItem(v.errs, "indexes", i, &pando.FieldError{Code: code, Message: message, Params: params})
}

// foreseeIndexes says what the database would say of a definition that is right
// so far, before anything is changed, and the same for every database.
func (v *validator) foreseeIndexes() {
	for i, text := range v.c.Indexes {
		if len(v.errs) > 0 {
			return
		}
		if d, err := indexdef.Parse(text); err == nil {
			v.foreseeIndex(i, d)
		}
	}
}

func (v *validator) foreseeIndex(i int, d *indexdef.Def) {
	why := ""
	switch {
	case d.Schema != "":
		why = fmt.Sprintf("unknown database `%s`", d.Schema)
	case internalTable(d.Name):
		why = "object name reserved for internal use: " + d.Name
	case v.isTable(d.Name):
		why = "there is already a table named " + d.Name
	}
	for _, column := range d.Columns {
		if why == "" && column.Name != "" && !v.hasColumn(column.Name) {
			why = "no such column: " + column.Name
		}
	}
	if why != "" {
		v.errs["indexes"] = indexErrors(i, d.Name, sqlWords(why))
	}
}

// indexErrors is what an index that the database would not make leaves.
func indexErrors(i int, name, why string) pando.FieldErrors {
	errs := pando.FieldErrors{}
	field.PutItem(errs, "indexes", i, &pando.FieldError{
		Code: "validation_invalid_index_expression", Message: fmt.Sprintf("Failed to create index %s - %s.", name, why),
	})
	return errs["indexes"].(pando.FieldErrors)
}

func (v *validator) isTable(name string) bool {
	for _, other := range v.catalog.Collections {
		if other.ID != v.c.ID && strings.EqualFold(other.Name, name) {
			return true
		}
	}
	return strings.EqualFold(v.c.Name, name)
}

func (v *validator) hasColumn(name string) bool {
	for _, f := range v.c.Fields {
		if strings.EqualFold(f.Name, name) {
			return true
		}
	}
	return false
}

// indexNames is the collection of every index that is not c's, by its name in
// lower case: names of indexes are unique in the database.
func (v *validator) indexNames() map[string]string {
	names := map[string]string{}
	for _, other := range v.catalog.Collections {
		if other.ID == v.c.ID {
			continue
		}
		for _, text := range other.Indexes {
			if d, err := indexdef.Parse(text); err == nil {
				names[strings.ToLower(d.Name)] = other.Name
			}
		}
	}
	return names
}

// definition is what an index does, without the names of itself and its table.
func definition(d *indexdef.Def) string {
	plain := *d
	plain.Name, plain.Table, plain.Schema, plain.IfNotExists = "x", "x", "", false
	return plain.String()
}
