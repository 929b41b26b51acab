package wal

import (
	"encoding/json"
	"slices"

	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
)

const (
	// maxChanges is how many changes of a transaction are named one by one.
	maxChanges = 10_000
	// maxBytes is how much of the values of its rows is kept for followers.
	maxBytes = 8 << 20
)

// sizeOf is what a row takes in memory, about.
func sizeOf(row *changes.Row) int {
	n := 100 + len(row.ID)
	for i := range row.Columns {
		n += 48 + len(row.Columns[i].Value)
	}
	return n
}

// transaction is what the log has said so far of one that is not yet committed.
type transaction struct {
	xid uint32 // as the log has it
	// sub is the part that changes are read of: the transaction itself, or a
	// subtransaction, which can be rolled back alone.
	sub     uint32
	changes []change
	bytes   int // of the values in changes

	params  map[position.Tag]bool
	tables  map[string]bool // collections of which more changed than changes name
	foreign bool            // a table that is no collection changed
	all     bool
	rowless bool // the rows' values were too many
	dropped bool // a collection, with all records of it

	catalog   bool
	version   uint64
	renamings []renaming
	names     *names // with renamings; nil: there are none

	// relations are those that came with it. A streamed transaction has its own,
	// until it is committed.
	relations map[uint32]*relation
}

// change is one of a record.
type change struct {
	sub uint32
	row changes.Row
}

// add notes a change of a record.
func (t *transaction) add(row changes.Row) {
	switch {
	case t.tables[row.Collection]:
		return
	case t.tables != nil:
		t.tables[row.Collection] = true
		return
	case len(t.changes) == maxChanges:
		t.collapse()
		t.tables[row.Collection] = true
		return
	}
	t.bytes += sizeOf(&row)
	t.changes = append(t.changes, change{t.sub, row})
	if t.bytes > maxBytes {
		t.forget()
	}
}

// listing tells whether rows are still of interest.
func (t *transaction) listing() bool { return !t.rowless && t.tables == nil }

// forget keeps the records' ids and not their values.
func (t *transaction) forget() {
	t.rowless, t.bytes = true, 0 // of what is left nothing more is counted
	for i := range t.changes {
		t.changes[i].row.Columns = nil
	}
}

// collapse keeps tables and not records.
func (t *transaction) collapse() {
	t.tables = make(map[string]bool)
	for _, c := range t.changes {
		t.tables[c.row.Collection] = true
	}
	t.changes, t.bytes = nil, 0
}

// param notes a change of a value that is no record.
func (t *transaction) param(tag position.Tag) {
	if t.params == nil {
		t.params = make(map[position.Tag]bool)
	}
	if t.params[tag] = true; len(t.params) > maxChanges {
		t.params, t.all = nil, true
	}
}

// rename notes a change of a row of the table of collections.
func (t *transaction) rename(r renaming, before *names) {
	r.sub = t.sub
	t.catalog = true
	t.dropped = t.dropped || r.removed
	t.renamings = append(t.renamings, r)
	if t.names == nil {
		t.names = before.clone()
	}
	t.names.apply([]renaming{r})
}

// rollBack takes back what a subtransaction did. What was collapsed stays: things
// count as changed that are not.
func (t *transaction) rollBack(sub uint32, before *names) {
	t.changes = slices.DeleteFunc(t.changes, func(c change) bool {
		if c.sub != sub {
			return false
		}
		t.bytes -= sizeOf(&c.row)
		return true
	})
	if t.names != nil {
		t.renamings = slices.DeleteFunc(t.renamings, func(r renaming) bool { return r.sub == sub })
		t.names = before.clone()
		t.names.apply(t.renamings)
	}
}

// deleted puts the values of a deleted record to its row.
func (t *transaction) deleted(text []byte, id string) {
	var m struct {
		Collection string             `json:"collection"`
		Columns    map[string]*string `json:"columns"`
	}
	if !t.listing() || json.Unmarshal(text, &m) != nil || m.Columns[id] == nil {
		return
	}
	for i := range slices.Backward(t.changes) {
		row := &t.changes[i].row
		if row.Action != changes.Delete || row.Collection != m.Collection || row.ID != *m.Columns[id] {
			continue
		}
		t.bytes -= sizeOf(row)
		row.Columns = columnsOf(m.Columns)
		t.bytes += sizeOf(row)
		if t.bytes > maxBytes {
			t.forget()
		}
		return
	}
}

// unnamed notes that records of a collection changed, and not which.
func (t *transaction) unnamed(collection string) {
	if t.tables == nil {
		t.collapse()
	}
	t.tables[collection] = true
}

// touched notes an update that left its record as it was.
func (t *transaction) touched(text []byte) {
	var m struct {
		Collection, ID string
		Columns        map[string]*string // none by a server of the version before
	}
	if json.Unmarshal(text, &m) != nil || m.Collection == "" {
		t.all = true
		return
	}
	row := changes.Row{Action: changes.Update, Collection: m.Collection, ID: m.ID}
	if t.listing() {
		row.Columns = columnsOf(m.Columns)
	}
	t.add(row)
}

func columnsOf(m map[string]*string) (list []changes.Column) {
	for name, value := range m {
		c := changes.Column{Name: name}
		if value != nil {
			c.Value = []byte(*value)
		}
		list = append(list, c)
	}
	return list
}

// entry is the transaction, committed; ok is false if nothing changed that anybody
// could depend on.
func (t *transaction) entry(tables *Tables, n position.N, xid uint64) (e changes.Entry, ok bool) {
	e = changes.Entry{N: n, XID: xid, All: t.all || t.catalog, Catalog: t.catalog}
	if t.catalog {
		e.Version = t.version
		e.Tags = append(e.Tags, tables.CatalogTag)
	}
	for tag := range t.params {
		e.Tags = append(e.Tags, tag)
	}
	for id := range t.tables {
		e.Tags = append(e.Tags, position.TableTag(id), position.BulkTag(id))
	}
	e.Unlisted = t.rowless || t.tables != nil || t.all || t.dropped
	last, seen := "", make(map[string]bool)
	for _, c := range t.changes {
		if c.row.Collection != last {
			if last = c.row.Collection; !seen[last] {
				seen[last] = true
				e.Tags = append(e.Tags, position.TableTag(last))
			}
		}
		e.Tags = append(e.Tags, position.RecordTag(c.row.Collection, c.row.ID))
		if !t.rowless {
			e.Rows = append(e.Rows, c.row)
		}
	}
	if len(e.Tags) == 0 && !t.foreign && !e.All {
		return e, false
	}
	e.Tags = append(e.Tags, position.AllTag)
	return e, true
}
