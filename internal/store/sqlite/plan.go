package sqlite

import (
	"strings"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/indexdef"
)

// quote writes a name as SQL.
func quote(name string) string { return indexdef.Quote(name) }

// plan is what the store works out once for a collection: the statements for
// single records, and how a row becomes a record.
type plan struct {
	c     *pando.Collection
	forms []form // by position of the field
	id    int    // position of the id field; -1 in a collection without one

	columns string // all columns, in the order of the fields
	byID    string
	byIDs   string // of a JSON array
	byRow   string
	idByRow string
	insert  string
	delete  string

	updates map[string]string // by the set of changed fields; the writer's alone
}

// form is how a field's values lie in its column.
type form uint8

const (
	formText form = iota
	formNumber
	formBool
	formList // a JSON array of strings
	formJSON
	formPoint // a JSON object
)

func formOf(f *pando.Field) form {
	switch f.Type {
	case pando.FieldNumber:
		return formNumber
	case pando.FieldBool:
		return formBool
	case pando.FieldJSON:
		return formJSON
	case pando.FieldGeoPoint:
		return formPoint
	}
	if f.Multiple() {
		return formList
	}
	return formText
}

// columnType is the column that PocketBase makes for such a field.
func columnType(f *pando.Field) string {
	if f.Name == "id" {
		return "TEXT PRIMARY KEY DEFAULT ('r'||lower(hex(randomblob(7)))) NOT NULL"
	}
	switch formOf(f) {
	case formNumber:
		return "NUMERIC DEFAULT 0 NOT NULL"
	case formBool:
		return "BOOLEAN DEFAULT FALSE NOT NULL"
	case formList:
		return "JSON DEFAULT '[]' NOT NULL"
	case formJSON:
		return "JSON DEFAULT NULL"
	case formPoint:
		return `JSON DEFAULT '{"lon":0,"lat":0}' NOT NULL`
	}
	return "TEXT DEFAULT '' NOT NULL"
}

func newPlan(c *pando.Collection) *plan {
	p := &plan{c: c, id: c.FieldIndex("id"), forms: make([]form, len(c.Fields)), updates: make(map[string]string)}
	names := make([]string, len(c.Fields))
	for i, f := range c.Fields {
		p.forms[i] = formOf(f)
		names[i] = quote(f.Name)
	}
	table := quote(c.Name)
	p.columns = strings.Join(names, ", ")
	p.byID = "SELECT " + p.columns + " FROM " + table + " WHERE id = ? LIMIT 1"
	p.byIDs = "SELECT " + p.columns + " FROM " + table + " WHERE id IN (SELECT value FROM json_each(?))"
	p.byRow = "SELECT " + p.columns + " FROM " + table + " WHERE _rowid_ = ?"
	p.idByRow = "SELECT id FROM " + table + " WHERE _rowid_ = ?"
	p.insert = "INSERT INTO " + table + " (" + p.columns + ") VALUES (?" + strings.Repeat(", ?", max(0, len(names)-1)) + ")"
	p.delete = "DELETE FROM " + table + " WHERE id = ?"
	return p
}

// update is the statement that sets the fields whose bit is set in changed.
// Columns that stay are left out, and with them the work on their indexes.
func (p *plan) update(changed []byte) string {
	if sql := p.updates[string(changed)]; sql != "" {
		return sql
	}
	var set []string
	for i, f := range p.c.Fields {
		if changed[i/8]&(1<<(i%8)) != 0 {
			set = append(set, quote(f.Name)+" = ?")
		}
	}
	sql := "UPDATE " + quote(p.c.Name) + " SET " + strings.Join(set, ", ") + " WHERE id = ?"
	if len(p.updates) < 1000 {
		p.updates[string(changed)] = sql
	}
	return sql
}
