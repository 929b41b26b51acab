package wal

import (
	"strconv"

	"github.com/pandobase/pando/internal/changes"
)

// row reads a change of a row.
func (d *decoder) row(t *transaction, r *relation, kind byte, in *input) error {
	d.old, d.new = d.old[:0], d.new[:0]
	which := in.byte()
	if which == 'K' || which == 'O' {
		if d.old = in.tuple(d.old); kind == 'U' {
			which = in.byte()
		}
	}
	if kind != 'D' {
		if which != 'N' {
			in.short = true
		}
		d.new = in.tuple(d.new)
	}
	if in.short || len(d.old) > len(r.columns) || len(d.new) > len(r.columns) {
		return errShort
	}
	d.changed(t, r, kind)
	return nil
}

// changed notes what a change of a row means.
func (d *decoder) changed(t *transaction, r *relation, kind byte) {
	if r.schema != d.schema {
		t.foreign = true
		return
	}
	switch r.name {
	case d.tables.Collections:
		d.collection(t, r, kind)
		return
	case d.tables.Settings:
		t.catalog = true
		return
	case d.tables.Meta: // a row that says the same of the catalog is about something else
		version, err := strconv.ParseUint(d.value(r, d.new, "catalog"), 10, 64)
		if err != nil || version != d.version {
			t.catalog, t.version = true, version
		}
		return
	case d.tables.Params:
		for _, cells := range [][]cell{d.old, d.new} {
			if len(cells) > 0 {
				t.param(d.tables.ParamTag(d.value(r, cells, "key")))
			}
		}
		return
	}
	in := d.names
	if t.names != nil {
		in = t.names
	}
	id, ok := in.ids[r.name]
	if !ok {
		t.foreign = true
		return
	}
	d.record(t, r, kind, id)
}

// collection reads a row of the table of collections.
func (d *decoder) collection(t *transaction, r *relation, kind byte) {
	if kind == 'D' {
		t.rename(renaming{row: Collection{Seq: d.value(r, d.old, "seq")}, removed: true}, d.names)
		return
	}
	if len(d.old) > 0 {
		t.rename(renaming{row: Collection{Seq: d.value(r, d.old, "seq")}, removed: true}, d.names)
	}
	row := Collection{Seq: d.value(r, d.new, "seq"), ID: d.value(r, d.new, "id"), Name: d.value(r, d.new, "name")}
	t.rename(renaming{row: row}, d.names)
}

func (d *decoder) value(r *relation, cells []cell, column string) string {
	if i := r.at(column); i >= 0 && i < len(cells) {
		return string(cells[i].text)
	}
	return ""
}

// record notes a change of a record. One that gets another id is another record. Of a
// row that was there before, the log has the columns of the replica identity only: if
// the id is none of them (somebody has given the table another primary key), it does
// not say which record was deleted, or that one got another id: it may be any.
func (d *decoder) record(t *transaction, r *relation, kind byte, collection string) {
	at := r.at(d.tables.ID)
	if at < 0 || kind != 'I' && !r.key[at] {
		t.unnamed(collection)
		return
	}
	idIn := func(cells []cell) string {
		if at < len(cells) {
			return string(cells[at].text)
		}
		return ""
	}
	switch {
	case kind == 'I':
		t.add(d.rowOf(t, r, changes.Create, collection, idIn(d.new), d.new))
	case kind == 'D':
		t.add(d.rowOf(t, r, changes.Delete, collection, idIn(d.old), d.old))
	case len(d.old) > 0 && idIn(d.old) != idIn(d.new):
		t.add(d.rowOf(t, r, changes.Delete, collection, idIn(d.old), d.old))
		t.add(d.rowOf(t, r, changes.Create, collection, idIn(d.new), d.new))
	default:
		t.add(d.rowOf(t, r, changes.Update, collection, idIn(d.new), d.new))
	}
}

// rowOf is a row of its own: cells belong to the message. Of a deleted row the log
// has the columns of the replica identity only.
func (d *decoder) rowOf(t *transaction, r *relation, action changes.Action, collection, id string, cells []cell) changes.Row {
	row := changes.Row{Action: action, Collection: collection, ID: id}
	if !t.listing() {
		return row
	}
	size := 0
	for _, c := range cells {
		size += len(c.text)
	}
	texts := make([]byte, 0, size)
	row.Columns = make([]changes.Column, 0, len(cells))
	for i, c := range cells {
		col := changes.Column{Name: r.columns[i]}
		switch {
		case action == changes.Delete && !r.key[i]:
			continue
		case c.kind == cellUnchanged:
			col.Unchanged = true
		case c.kind != cellNull:
			from := len(texts)
			texts = append(texts, c.text...)
			col.Value = texts[from:len(texts):len(texts)]
		}
		row.Columns = append(row.Columns, col)
	}
	return row
}
