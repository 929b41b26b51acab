package sqlite

import (
	"fmt"

	"github.com/pandobase/pando"
)

// alteration is what has to happen to a table's columns.
type alteration struct {
	drop    []*pando.Field
	rename  []fieldPair
	add     []*pando.Field
	convert []fieldPair // between single and multiple, under the new name
}

type fieldPair struct{ old, new *pando.Field }

func (a *alteration) empty() bool {
	return len(a.drop)+len(a.rename)+len(a.add)+len(a.convert) == 0
}

// rebuilds tells whether indexes have to make way.
func (a *alteration) rebuilds() bool { return len(a.drop)+len(a.rename)+len(a.convert) > 0 }

// compare matches fields by id; the field named id is always itself. A field
// whose values lie in another form now is another field, unless it only went
// from one value to many or back.
func compare(old, c *pando.Collection) alteration {
	var a alteration
	kept := make(map[*pando.Field]bool)
	for _, f := range c.Fields {
		o := old.FieldByID(f.ID)
		if f.Name == "id" {
			o = old.Field("id")
		}
		switch {
		case o == nil || o.Name == "id" && f.Name != "id":
			a.add = append(a.add, f)
			continue
		case formOf(o) != formOf(f) && (o.Type != f.Type || o.Multiple() == f.Multiple()):
			a.add = append(a.add, f)
			continue
		}
		kept[o] = true
		if o.Name != f.Name {
			a.rename = append(a.rename, fieldPair{o, f})
		}
		if formOf(o) != formOf(f) {
			a.convert = append(a.convert, fieldPair{o, f})
		}
	}
	for _, o := range old.Fields {
		if !kept[o] && o.Name != "id" {
			a.drop = append(a.drop, o)
		}
	}
	return a
}

// alterTable changes old's table into c's. Rows keep their rowid, and so the
// order of insertion.
func (t *tx) alterTable(old, c *pando.Collection) error {
	a := compare(old, c)
	before, after := wantedIndexes(old), wantedIndexes(c)
	gone, missing := diffIndexes(before, after)
	if a.rebuilds() {
		gone, missing = before, after
	}
	if err := t.dropIndexes(gone); err != nil {
		return err
	}
	if !a.empty() || old.Name != c.Name {
		err := t.changeUnderViews(old, nil, func() error { return t.alterColumns(a, old, c) })
		if err != nil {
			return err
		}
	}
	return t.createIndexes(missing)
}

func (t *tx) alterColumns(a alteration, old, c *pando.Collection) error {
	for _, sql := range alterSQL(a, old, c) {
		if err := t.c.execOnce(sql); err != nil {
			return words(err)
		}
	}
	return nil
}

// alterSQL lists the statements. Renames go over names that nobody has, so that
// two fields can trade names, and a name can change its case only.
func alterSQL(a alteration, old, c *pando.Collection) []string {
	alter := "ALTER TABLE " + quote(old.Name) + " "
	var sql []string
	for _, f := range a.drop {
		sql = append(sql, alter+"DROP COLUMN "+quote(f.Name))
	}
	for i, p := range a.rename {
		sql = append(sql, alter+"RENAME COLUMN "+quote(p.old.Name)+" TO "+quote(temporary(i)))
	}
	for i, p := range a.rename {
		sql = append(sql, alter+"RENAME COLUMN "+quote(temporary(i))+" TO "+quote(p.new.Name))
	}
	for _, f := range a.add {
		sql = append(sql, alter+"ADD COLUMN "+quote(f.Name)+" "+columnType(f))
	}
	for _, p := range a.convert {
		name, tmp := quote(p.new.Name), quote(temporary(0))
		sql = append(sql,
			alter+"ADD COLUMN "+tmp+" "+columnType(p.new),
			"UPDATE "+quote(old.Name)+" SET "+tmp+" = "+conversion(name, p.new.Multiple()),
			alter+"DROP COLUMN "+name,
			alter+"RENAME COLUMN "+tmp+" TO "+name,
		)
	}
	if old.Name != c.Name {
		tmp := quote(temporary(0))
		sql = append(sql, alter+"RENAME TO "+tmp, "ALTER TABLE "+tmp+" RENAME TO "+quote(c.Name))
	}
	return sql
}

func temporary(i int) string { return fmt.Sprintf("%s_tmp_%d", reserved, i) }

// conversion is the value of a column as a list, or of a list's last item.
func conversion(column string, multiple bool) string {
	isList := "json_valid(" + column + ") AND json_type(" + column + ") = 'array'"
	if multiple {
		return "CASE WHEN " + column + " = '' THEN '[]' WHEN " + isList + " THEN " + column + " ELSE json_array(" + column + ") END"
	}
	return "CASE WHEN " + isList + " THEN coalesce(json_extract(" + column + ", '$[#-1]'), '') ELSE " + column + " END"
}
