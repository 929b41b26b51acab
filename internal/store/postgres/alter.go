package postgres

import (
	"context"
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

// touched are the names of the columns that do not stay what they are.
func (a *alteration) touched() (names []string) {
	for _, f := range a.drop {
		names = append(names, f.Name)
	}
	for _, p := range append(a.rename, a.convert...) {
		names = append(names, p.old.Name, p.new.Name)
	}
	return names
}

// alterTable changes old's table into c's.
func (t *tx) alterTable(ctx context.Context, old, c *pando.Collection) error {
	a := compare(old, c)
	gone, missing := diffIndexes(wantedIndexes(old), wantedIndexes(c), a.touched())
	if err := t.dropIndexes(ctx, gone); err != nil {
		return err
	}
	if len(a.drop) > 0 {
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
	if len(a.convert) > 0 {
		err := t.changeUnderViews(ctx, c, func() error { return t.exec(ctx, convertSQL(a, c)...) })
		if err != nil {
			return err
		}
	}
	return t.createIndexes(ctx, missing)
}

func alterTable(name string) string { return "ALTER TABLE " + quote(name) + " " }

func dropSQL(a alteration, old *pando.Collection) (sql []string) {
	for _, f := range a.drop {
		sql = append(sql, alterTable(old.Name)+"DROP COLUMN "+quote(f.Name))
	}
	return sql
}

// renameSQL renames columns, then the table. Names that are still taken (two
// fields trade theirs) are reached over others.
func renameSQL(a alteration, old, c *pando.Collection) (sql []string) {
	taken := make(map[string]bool)
	for _, p := range a.rename {
		taken[p.old.Name] = true
	}
	detour := make([]string, len(a.rename))
	for i, p := range a.rename {
		detour[i] = p.old.Name
		if taken[p.new.Name] {
			detour[i] = fmt.Sprintf("%s_tmp_%d", reserved, i)
			sql = append(sql, alterTable(old.Name)+"RENAME COLUMN "+quote(p.old.Name)+" TO "+quote(detour[i]))
		}
	}
	for i, p := range a.rename {
		sql = append(sql, alterTable(old.Name)+"RENAME COLUMN "+quote(detour[i])+" TO "+quote(p.new.Name))
	}
	if old.Name != c.Name {
		sql = append(sql, alterTable(old.Name)+"RENAME TO "+quote(c.Name))
	}
	return sql
}

func addSQL(a alteration, c *pando.Collection) (sql []string) {
	for _, f := range a.add {
		sql = append(sql, alterTable(c.Name)+"ADD COLUMN "+quote(f.Name)+" "+columnType(f))
	}
	return sql
}

// convertSQL changes the types of columns. PostgreSQL computes the new values
// from the newest rows; an UPDATE would from those of the snapshot.
func convertSQL(a alteration, c *pando.Collection) (sql []string) {
	for _, p := range a.convert {
		kind, rest, _ := strings.Cut(columnType(p.new), " NOT NULL ") // text[] COLLATE "C", DEFAULT '{}'
		alter := "ALTER COLUMN " + quote(p.new.Name) + " "
		sql = append(sql, alterTable(c.Name)+
			alter+"DROP DEFAULT, "+
			alter+"TYPE "+kind+" USING "+conversion(quote(p.new.Name), p.new.Multiple())+", "+
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
