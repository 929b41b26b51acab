package postgres

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/indexdef"
	"github.com/pandobase/pando/internal/store"
)

// refused makes a *store.UniqueError of what a unique index or the primary key
// refused; any other failure is as for a read.
func (t *tx) refused(c *pando.Collection, err error) error {
	e, ok := errors.AsType[*pgconn.PgError](err)
	switch {
	case !ok:
		return t.failed(c, err)
	case e.Code == "22021": // bytes that are no text
		return &pando.Error{Kind: pando.KindInvalid, Message: "PostgreSQL cannot store this text: " + e.Message + ".", Err: err}
	case strings.HasPrefix(e.Code, "54"):
		return misfit(c, e, "is too long: it has at most some 2,700 bytes for each record")
	case strings.HasPrefix(e.Code, "22") && t.cat.Collection(c.ID) == c:
		return misfit(c, e, "cannot be computed of it")
	case e.Code != codeUnique:
		return t.failed(c, err)
	}
	unique := &store.UniqueError{Collection: c, Err: err}
	if e.ConstraintName == primaryKey(c) {
		unique.Fields = []string{"id"}
		return unique
	}
	unique.Index = e.ConstraintName
	for _, text := range c.Indexes {
		d, err := indexdef.Parse(text)
		if err != nil || d.Name != unique.Index {
			continue
		}
		for _, col := range d.Columns {
			if f := fieldNoCase(c, col.Name); f != nil {
				unique.Fields = append(unique.Fields, f.Name)
			}
		}
	}
	return unique
}

// misfit says that a record, as good as any of its kind, does not fit an index.
// PostgreSQL's own words may quote what the client must not see.
func misfit(c *pando.Collection, e *pgconn.PgError, why string) error {
	name := "an index"
	if e.ConstraintName != "" {
		name = "the index " + e.ConstraintName
	}
	return &pando.Error{
		Kind: pando.KindInvalid, Err: e,
		Message: "The record cannot be stored in " + c.Name + ": what goes into " + name + " " + why + ".",
	}
}

// primaryKey is the name of a table's primary key.
func primaryKey(c *pando.Collection) string { return internalName("pk", c.ID) }

func fieldNoCase(c *pando.Collection, name string) *pando.Field {
	for _, f := range c.Fields {
		if name != "" && strings.EqualFold(f.Name, name) {
			return f
		}
	}
	return nil
}
