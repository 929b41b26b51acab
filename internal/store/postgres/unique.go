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
