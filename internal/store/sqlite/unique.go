package sqlite

import (
	"errors"
	"strings"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/indexdef"
	"github.com/pandobase/pando/internal/store"
	lib "modernc.org/sqlite/lib"
)

// refused makes a *store.UniqueError of what a unique index or the primary key
// refused; any other failure is as for a read.
func (r *reader) refused(c *pando.Collection, err error) error {
	e, ok := errors.AsType[*sqlError](err)
	if !ok {
		return r.failed(c, err)
	}
	switch e.code {
	case lib.SQLITE_CONSTRAINT_PRIMARYKEY, lib.SQLITE_CONSTRAINT_UNIQUE:
	default:
		return r.failed(c, err)
	}
	unique := &store.UniqueError{Collection: c, Err: err}
	_, what, _ := strings.Cut(e.message, "failed: ")
	if name, ok := strings.CutPrefix(what, "index '"); ok {
		unique.Index = strings.TrimSuffix(name, "'")
		unique.Fields = indexFields(c, unique.Index)
		return unique
	}
	for part := range strings.SplitSeq(what, ", ") {
		if _, column, ok := strings.Cut(part, "."); ok && c.Field(column) != nil {
			unique.Fields = append(unique.Fields, column)
		}
	}
	if e.code == lib.SQLITE_CONSTRAINT_UNIQUE {
		unique.Index = indexOn(c, unique.Fields)
	}
	return unique
}

// indexFields lists the columns of an index of c that are fields.
func indexFields(c *pando.Collection, name string) (fields []string) {
	for _, d := range indexes(c) {
		if !strings.EqualFold(d.Name, name) {
			continue
		}
		for _, col := range d.Columns {
			if f := fieldNoCase(c, col.Name); f != nil {
				fields = append(fields, f.Name)
			}
		}
	}
	return fields
}

// indexOn finds the unique index of c on exactly these columns, as SQLite's
// message names columns and not the index.
func indexOn(c *pando.Collection, fields []string) string {
	for _, d := range indexes(c) {
		if !d.Unique || len(d.Columns) != len(fields) {
			continue
		}
		equal := true
		for i, col := range d.Columns {
			equal = equal && strings.EqualFold(col.Name, fields[i])
		}
		if equal {
			return d.Name
		}
	}
	return ""
}

// indexes parses the definitions of c that can be parsed.
func indexes(c *pando.Collection) []*indexdef.Def {
	var defs []*indexdef.Def
	for _, text := range c.Indexes {
		if d, err := indexdef.Parse(text); err == nil {
			defs = append(defs, d)
		}
	}
	return defs
}

func fieldNoCase(c *pando.Collection, name string) *pando.Field {
	for _, f := range c.Fields {
		if name != "" && strings.EqualFold(f.Name, name) {
			return f
		}
	}
	return nil
}

// isSchemaError tells whether a statement did not fit the tables.
func isSchemaError(err error) bool {
	switch codeOf(err) & 0xff {
	case lib.SQLITE_ERROR, lib.SQLITE_SCHEMA, lib.SQLITE_MISMATCH:
		return true
	}
	return false
}
