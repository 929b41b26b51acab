package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

// alike tells whether the values of two fields lie in the same form.
func alike(a, b *pando.Field) bool { return formOf(a) == formOf(b) }

// touched are the names of the columns that do not stay what they are.
func touched(a store.Alteration) (names []string) {
	for _, f := range a.Drop {
		names = append(names, f.Name)
	}
	for _, p := range append(a.Rename, a.Convert...) {
		names = append(names, p.Old.Name, p.New.Name)
	}
	return names
}

// alterTable changes old's table into c's.
func (t *tx) alterTable(ctx context.Context, old, c *pando.Collection) error {
	a := store.Compare(old, c, alike)
	gone, missing := diffIndexes(wantedIndexes(old), wantedIndexes(c), touched(a))
	if err := t.dropIndexes(ctx, gone); err != nil {
		return err
	}
	if len(a.Drop) > 0 {
		err := t.changeUnderViews(ctx, old, func() error { return t.exec(ctx, dropSQL(a, old)...) })
		if err != nil {
			return err
		}
	}
	if renames := renameSQL(a, old, c); len(renames) > 0 {
		if err := t.renameUnderViews(ctx, a, old, c, renames); err != nil {
			return err
		}
	}
	if err := t.exec(ctx, addSQL(a, c)...); err != nil {
		return err
	}
	if len(a.Convert) > 0 {
		err := t.changeUnderViews(ctx, c, func() error { return t.exec(ctx, convertSQL(a, c)...) })
		if err != nil {
			return err
		}
	}
	return t.createIndexes(ctx, missing)
}

func alterTable(name string) string { return "ALTER TABLE " + quote(name) + " " }

func dropSQL(a store.Alteration, old *pando.Collection) (sql []string) {
	for _, f := range a.Drop {
		sql = append(sql, alterTable(old.Name)+"DROP COLUMN "+quote(f.Name))
	}
	return sql
}

// renameSQL renames columns, then the table. Names that are still taken (two
// fields trade theirs) are reached over others.
func renameSQL(a store.Alteration, old, c *pando.Collection) (sql []string) {
	taken := make(map[string]bool)
	for _, p := range a.Rename {
		taken[p.Old.Name] = true
	}
	detour := make([]string, len(a.Rename))
	for i, p := range a.Rename {
		detour[i] = p.Old.Name
		if taken[p.New.Name] {
			detour[i] = fmt.Sprintf("%s_tmp_%d", reserved, i)
			sql = append(sql, alterTable(old.Name)+"RENAME COLUMN "+quote(p.Old.Name)+" TO "+quote(detour[i]))
		}
	}
	for i, p := range a.Rename {
		sql = append(sql, alterTable(old.Name)+"RENAME COLUMN "+quote(detour[i])+" TO "+quote(p.New.Name))
	}
	if old.Name != c.Name {
		sql = append(sql, alterTable(old.Name)+"RENAME TO "+quote(c.Name))
	}
	return sql
}

func addSQL(a store.Alteration, c *pando.Collection) (sql []string) {
	for _, f := range a.Add {
		sql = append(sql, alterTable(c.Name)+"ADD COLUMN "+quote(f.Name)+" "+columnType(f))
	}
	return sql
}

// convertSQL changes the types of columns. PostgreSQL computes the new values
// from the newest rows; an UPDATE would from those of the snapshot.
func convertSQL(a store.Alteration, c *pando.Collection) (sql []string) {
	for _, p := range a.Convert {
		kind, rest, _ := strings.Cut(columnType(p.New), " NOT NULL ") // text[] COLLATE "C", DEFAULT '{}'
		alter := "ALTER COLUMN " + quote(p.New.Name) + " "
		sql = append(sql, alterTable(c.Name)+
			alter+"DROP DEFAULT, "+
			alter+"TYPE "+kind+" USING "+conversion(quote(p.New.Name), p.New.Multiple())+", "+
			alter+"SET "+rest)
	}
	return sql
}

// conversion is the value of a column as a list, or of a list's last item.
func conversion(column string, multiple bool) string {
	if multiple {
		return "CASE WHEN " + column + " = '' THEN '{}'::text[] ELSE ARRAY[" + column + "] END"
	}
	return "coalesce(" + column + "[cardinality(" + column + ")], '')"
}
