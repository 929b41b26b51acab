package sqlite

import (
	"fmt"
	"strings"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

// rebuilds tells whether indexes have to make way.
func rebuilds(a store.Alteration) bool { return len(a.Drop)+len(a.Rename)+len(a.Convert) > 0 }

// alike tells whether the values of two fields lie in the same form.
func alike(a, b *pando.Field) bool { return formOf(a) == formOf(b) }

// alterTable changes old's table into c's. Rows keep their rowid, and so the
// order of insertion.
func (t *tx) alterTable(old, c *pando.Collection) error {
	a := store.Compare(old, c, alike)
	before, after := wantedIndexes(old), wantedIndexes(c)
	gone, missing := diffIndexes(before, after)
	if rebuilds(a) {
		gone, missing = before, after
	}
	if err := t.dropIndexes(gone); err != nil {
		return err
	}
	if len(a.Drop) > 0 {
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
	if len(a.Convert) > 0 {
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

func dropSQL(a store.Alteration, old *pando.Collection) (sql []string) {
	for _, f := range a.Drop {
		sql = append(sql, alterTable(old.Name)+"DROP COLUMN "+quote(f.Name))
	}
	return sql
}

// renameSQL renames columns, then the table. Names that are still taken (two
// fields trade theirs, or only the case changes) are reached over others.
func renameSQL(a store.Alteration, old, c *pando.Collection) (sql []string) {
	taken := make(map[string]bool)
	for _, p := range a.Rename {
		taken[strings.ToLower(p.Old.Name)] = true
	}
	detour := make([]string, len(a.Rename))
	for i, p := range a.Rename {
		detour[i] = p.Old.Name
		if taken[strings.ToLower(p.New.Name)] {
			detour[i] = temporary(i)
			sql = append(sql, alterTable(old.Name)+"RENAME COLUMN "+quote(p.Old.Name)+" TO "+quote(detour[i]))
		}
	}
	for i, p := range a.Rename {
		sql = append(sql, alterTable(old.Name)+"RENAME COLUMN "+quote(detour[i])+" TO "+quote(p.New.Name))
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

func addSQL(a store.Alteration, c *pando.Collection) (sql []string) {
	for _, f := range a.Add {
		sql = append(sql, alterTable(c.Name)+"ADD COLUMN "+quote(f.Name)+" "+columnType(f))
	}
	return sql
}

// convertSQL puts a column of the other type in the place of each.
func convertSQL(a store.Alteration, c *pando.Collection) (sql []string) {
	for _, p := range a.Convert {
		name, tmp := quote(p.New.Name), quote(temporary(0))
		sql = append(sql,
			alterTable(c.Name)+"ADD COLUMN "+tmp+" "+columnType(p.New),
			"UPDATE "+quote(c.Name)+" SET "+tmp+" = "+conversion(name, p.New.Multiple()),
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
