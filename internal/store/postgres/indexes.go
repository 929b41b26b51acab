package postgres

import (
	"context"
	"strings"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/indexdef"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/store/sqlgen"
)

// index is one that a table should have.
type index struct {
	place int // in the collection's list; -1 is the store's own
	name  string
	text  string // as the user wrote it, or would have
	sql   string
	err   error // the user's text cannot be read
}

// wantedIndexes lists what c asks for, with its own table in place of whatever
// the text names, and the store's own: those that internal/store/sqlite keeps
// too, and for the same reasons.
func wantedIndexes(c *pando.Collection) []index {
	var list []index
	first := make(map[string]bool) // columns that an index of the user begins with
	for i, text := range c.Indexes {
		x := index{place: i, text: text}
		d, err := indexdef.Parse(text)
		switch {
		case err != nil:
			x.err = &pando.Error{Kind: pando.KindInvalid, Message: err.Error(), Err: err}
		case strings.HasPrefix(strings.ToLower(d.Name), reserved):
			x.err = pando.Invalid("The index name %s is reserved: it begins with %s.", d.Name, reserved)
		case len(d.Name) > longestName:
			x.err = pando.Invalid("The index name %s is longer than the %d bytes that PostgreSQL's names can have.", d.Name, longestName)
		}
		if x.err == nil {
			d.Table, d.Schema = c.Name, ""
			x.name = d.Name
			if x.sql, err = sqlgen.PostgresIndex(c, d); err != nil {
				x.err = &pando.Error{Kind: pando.KindInvalid, Message: err.Error(), Err: err}
			}
			if d.Where == "" && len(d.Columns) > 0 {
				first[strings.ToLower(d.Columns[0].Name)] = true
			}
		}
		list = append(list, x)
	}
	for _, f := range c.Fields {
		if !worthIndex(f) || first[strings.ToLower(f.Name)] {
			continue
		}
		name := internalName("auto", c.ID, f.ID)
		columns := " (" + quote(f.Name) + ")"
		list = append(list, index{
			place: -1, name: name, text: columns,
			sql: "CREATE INDEX " + quote(name) + " ON " + quote(c.Name) + columns,
		})
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

// diffIndexes tells which indexes go and which come. What stays as it is, apart
// from the table's name, is not built again, unless a column that it may name
// goes, comes or changes: PostgreSQL's indexes follow their columns, and these
// are to follow their texts.
func diffIndexes(before, after []index, touched []string) (gone, missing []index) {
	have := make(map[string]bool, len(before))
	for _, x := range before {
		if x.err == nil && !x.names(touched) {
			have[x.key()] = true
		}
	}
	want := make(map[string]bool, len(after))
	for _, x := range after {
		stays := x.err == nil && have[x.key()] && !x.names(touched)
		if stays {
			want[x.key()] = true
		} else {
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

// names tells whether the index may name one of the columns.
func (x index) names(columns []string) bool {
	text := strings.ToLower(x.text)
	for _, c := range columns {
		if strings.Contains(text, strings.ToLower(c)) {
			return true
		}
	}
	return false
}

// key is the definition without the table's name, which a rename changes in the
// database by itself.
func (x index) key() string {
	if d, err := indexdef.Parse(x.text); err == nil {
		d.Table, d.Schema = "", ""
		return d.String()
	}
	return x.name + x.text
}

func (t *tx) dropIndexes(ctx context.Context, list []index) error {
	for _, x := range list {
		if err := t.exec(ctx, "DROP INDEX IF EXISTS "+quote(x.name)); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) createIndexes(ctx context.Context, list []index) error {
	for _, x := range list {
		err := x.err
		if err == nil {
			err = t.exec(ctx, x.sql)
		}
		if err != nil && x.place >= 0 && t.again == nil {
			err = &store.IndexError{Index: x.place, Err: err}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
