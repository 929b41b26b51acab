package postgres

import (
	"strconv"
	"strings"
	"sync"

	"github.com/pandobase/pando"
)

// quote writes a name as SQL.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// plan is what the store works out once for a collection: the statements for
// single records, and how a row becomes a record.
type plan struct {
	c     *pando.Collection
	forms []form // by position of the field
	id    int    // position of the id field; -1 in a collection without one

	columns string // all columns, in the order of the fields
	byID    string
	byIDs   string
	insert  string
	gated   string // insert, if the gate is as one more value says
	delete  string
	// announced is delete where other servers follow.
	announced string
	touched   string  // says to the log that nothing changed
	held      string  // has nothing change
	formats   []int16 // of insert's values

	mu      sync.RWMutex
	updates map[string]*update // by the set of changed fields
}

// update is a statement that sets some fields.
type update struct {
	sql     string
	formats []int16
}

// form is how a field's values lie in its column.
type form uint8

const (
	formText form = iota
	formNumber
	formBool
	formDate
	formList // an array of texts
	formJSON
	formPoint // a JSON object
)

func formOf(f *pando.Field) form {
	switch f.Type {
	case pando.FieldNumber:
		return formNumber
	case pando.FieldBool:
		return formBool
	case pando.FieldDate, pando.FieldAutodate:
		return formDate
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

// format is how a form's values are sent.
func (f form) format() int16 {
	switch f {
	case formNumber, formBool, formDate, formList:
		return 1
	}
	return 0
}

// sqlType is the type of a form's values.
func (f form) sqlType() string {
	switch f {
	case formNumber:
		return "float8"
	case formBool:
		return "bool"
	case formDate:
		return "timestamptz"
	case formList:
		return "text[]"
	case formJSON, formPoint:
		return "json"
	}
	return "text"
}

func newPlan(c *pando.Collection) *plan {
	p := &plan{c: c, id: c.FieldIndex("id"), forms: make([]form, len(c.Fields)), updates: make(map[string]*update)}
	names := make([]string, len(c.Fields))
	values := make([]string, len(c.Fields))
	typed := make([]string, len(c.Fields))
	p.formats = make([]int16, len(c.Fields))
	for i, f := range c.Fields {
		p.forms[i] = formOf(f)
		p.formats[i] = p.forms[i].format()
		names[i] = quote(f.Name)
		values[i] = "$" + strconv.Itoa(i+1)
		typed[i] = values[i] + "::" + p.forms[i].sqlType()
	}
	table := quote(c.Name)
	id := quote("id")
	if c.IsView() {
		id += "::text" // it may be of any type there
	}
	p.columns = strings.Join(names, ", ")
	p.byID = "SELECT " + p.columns + " FROM " + table + " WHERE " + id + " = $1 LIMIT 1"
	p.byIDs = "SELECT " + p.columns + " FROM " + table + " WHERE " + id + " = ANY($1::text[])"
	p.insert = "INSERT INTO " + table + " (" + p.columns + ") VALUES (" + strings.Join(values, ", ") + ")"
	p.gated = "INSERT INTO " + table + " (" + p.columns + ") SELECT " + strings.Join(typed, ", ") +
		" FROM _pando_gate WHERE last_value = $" + strconv.Itoa(len(c.Fields)+1) + "::bigint"
	p.delete = "DELETE FROM " + table + " WHERE " + id + " = $1"
	p.announced, p.touched, p.held = p.announcedSQL(), p.touchedSQL(), p.heldSQL()
	return p
}

// update is the statement that sets the fields whose bit is set in changed.
// Columns that stay are left out: then the row can stay on its page, and its
// indexes as they are.
func (p *plan) update(changed []byte) *update {
	p.mu.RLock()
	u := p.updates[string(changed)]
	p.mu.RUnlock()
	if u != nil {
		return u
	}
	u = new(update)
	var set []string
	for i, f := range p.c.Fields {
		if changed[i/8]&(1<<(i%8)) != 0 {
			u.formats = append(u.formats, p.forms[i].format())
			set = append(set, quote(f.Name)+" = $"+strconv.Itoa(len(u.formats)))
		}
	}
	u.formats = append(u.formats, 0)
	u.sql = "UPDATE " + quote(p.c.Name) + " SET " + strings.Join(set, ", ") + " WHERE " + quote("id") + " = $" + strconv.Itoa(len(u.formats))
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.updates) < 1000 {
		p.updates[string(changed)] = u
	}
	return u
}
