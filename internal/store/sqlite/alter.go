package sqlite

import (
	"fmt"
	"strings"

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
	if len(a.drop) > 0 {
		err := t.changeUnderViews(old, nil, func() error { return t.execAll(dropSQL(a, old)) })
		if err != nil {
			return err
		}
	}
	if renames := renameSQL(a, old, c); len(renames) > 0 {
		if err := t.renameUnderViews(renames); err != nil {
			return err
		}
	}
	if err := t.execAll(addSQL(a, c)); err != nil {
		return err
	}
	if len(a.convert) > 0 {
		err := t.changeUnderViews(c, nil, func() error { return t.execAll(convertSQL(a, c)) })
		if err != nil {
			return err
		}
	}
	return t.createIndexes(missing)
}

func (t *tx) execAll(list []string) error {
	for _, sql := range list {
		if err := t.c.execOnce(sql); err != nil {
			return words(err)
		}
	}
	return nil
}

func alterTable(name string) string { return "ALTER TABLE " + quote(name) + " " }

func dropSQL(a alteration, old *pando.Collection) (sql []string) {
	for _, f := range a.drop {
		sql = append(sql, alterTable(old.Name)+"DROP COLUMN "+quote(f.Name))
	}
	return sql
}

// renameSQL renames columns, then the table. Names that are still taken (two
// fields trade theirs, or only the case changes) are reached over others.
func renameSQL(a alteration, old, c *pando.Collection) (sql []string) {
	taken := make(map[string]bool)
	for _, p := range a.rename {
		taken[strings.ToLower(p.old.Name)] = true
	}
	detour := make([]string, len(a.rename))
	for i, p := range a.rename {
		detour[i] = p.old.Name
		if taken[strings.ToLower(p.new.Name)] {
			detour[i] = temporary(i)
			sql = append(sql, alterTable(old.Name)+"RENAME COLUMN "+quote(p.old.Name)+" TO "+quote(detour[i]))
		}
	}
	for i, p := range a.rename {
		sql = append(sql, alterTable(old.Name)+"RENAME COLUMN "+quote(detour[i])+" TO "+quote(p.new.Name))
	}
	name := old.Name
	if name != c.Name && strings.EqualFold(name, c.Name) {
		sql = append(sql, alterTable(name)+"RENAME TO "+quote(temporary(0)))
		name = temporary(0)
	}
	if name != c.Name {
		sql = append(sql, alterTable(name)+"RENAME TO "+quote(c.Name))
	}
	return sql
}

func addSQL(a alteration, c *pando.Collection) (sql []string) {
	for _, f := range a.add {
		sql = append(sql, alterTable(c.Name)+"ADD COLUMN "+quote(f.Name)+" "+columnType(f))
	}
	return sql
}

// convertSQL puts a column of the other type in the place of each.
func convertSQL(a alteration, c *pando.Collection) (sql []string) {
	for _, p := range a.convert {
		name, tmp := quote(p.new.Name), quote(temporary(0))
		sql = append(sql,
			alterTable(c.Name)+"ADD COLUMN "+tmp+" "+columnType(p.new),
			"UPDATE "+quote(c.Name)+" SET "+tmp+" = "+conversion(name, p.new.Multiple()),
			alterTable(c.Name)+"DROP COLUMN "+name,
			alterTable(c.Name)+"RENAME COLUMN "+tmp+" TO "+name,
		)
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
