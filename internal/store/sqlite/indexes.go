package sqlite

import (
	"strings"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/indexdef"
	"github.com/pandobase/pando/internal/store"
)

// index is one that a table should have.
type index struct {
	place int // in the collection's list; -1 is the store's own
	name  string
	sql   string
	err   error // the user's text cannot be read
}

// wantedIndexes lists what c asks for, with its own table in place of whatever
// the text names, and the store's own.
//
// The store keeps an index on each date that is set at creation: the newest
// first is what most lists want, and without it each such list sorts the whole
// table. Dates that are set at each update get none: it would have to be moved
// with every write, for lists that are rarer. It keeps one on each relation to a
// single record as well: owner rules, back relations and cascades look records
// up by it, and would read the whole table each time.
func wantedIndexes(c *pando.Collection) []index {
	var list []index
	first := make(map[string]bool) // columns that an index of the user begins with
	for i, text := range c.Indexes {
		d, err := indexdef.Parse(text)
		if err != nil {
			list = append(list, index{place: i, err: &pando.Error{Kind: pando.KindInvalid, Message: err.Error(), Err: err}})
			continue
		}
		if strings.HasPrefix(strings.ToLower(d.Name), reserved) {
			list = append(list, index{place: i, err: pando.Invalid("The index name %s is reserved: it begins with %s.", d.Name, reserved)})
			continue
		}
		d.Table, d.Schema = c.Name, ""
		list = append(list, index{place: i, name: d.Name, sql: d.String()})
		if d.Where == "" && len(d.Columns) > 0 {
			first[strings.ToLower(d.Columns[0].Name)] = true
		}
	}
	for _, f := range c.Fields {
		if !worthIndex(f) || first[strings.ToLower(f.Name)] {
			continue
		}
		name := reserved + "_auto_" + c.ID + "_" + f.ID
		list = append(list, index{place: -1, name: name, sql: "CREATE INDEX " + quote(name) + " ON " + quote(c.Name) + " (" + quote(f.Name) + ")"})
	}
	return list
}

// worthIndex tells whether the store keeps an index of its own on f.
func worthIndex(f *pando.Field) bool {
	switch o := f.Options.(type) {
	case *pando.AutodateOptions:
		return o.OnCreate && !o.OnUpdate
	case *pando.RelationOptions:
		return !f.Multiple()
	}
	return false
}

// diffIndexes tells which indexes go and which come; what stays as it is, apart
// from the table's name, is not built again.
func diffIndexes(before, after []index) (gone, missing []index) {
	have := make(map[string]bool, len(before))
	want := make(map[string]bool, len(after))
	for _, x := range before {
		have[x.key()] = true
	}
	for _, x := range after {
		want[x.key()] = true
		if x.err != nil || !have[x.key()] {
			missing = append(missing, x)
		}
	}
	for _, x := range before {
		if x.err == nil && !want[x.key()] {
			gone = append(gone, x)
		}
	}
	return gone, missing
}

// key is the definition without the table's name, which a rename changes in the
// database by itself.
func (x index) key() string {
	if d, err := indexdef.Parse(x.sql); err == nil {
		d.Table = ""
		return d.String()
	}
	return x.sql
}

func (t *tx) dropIndexes(list []index) error {
	for _, x := range list {
		if x.err != nil {
			continue
		}
		if err := t.c.execOnce("DROP INDEX IF EXISTS " + quote(x.name)); err != nil {
			return unavailable(err)
		}
	}
	return nil
}

func (t *tx) createIndexes(list []index) error {
	for _, x := range list {
		err := x.err
		if err == nil {
			err = words(t.c.execOnce(x.sql))
		}
		if err != nil && x.place >= 0 {
			err = &store.IndexError{Index: x.place, Err: err}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
