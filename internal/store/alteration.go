package store

import "github.com/pandobase/pando"

// Alteration is what has to happen to a table's columns.
type Alteration struct {
	Drop    []*pando.Field
	Rename  []FieldPair
	Add     []*pando.Field
	Convert []FieldPair // between single and multiple, under the new name
}

// FieldPair is one field before and after a change.
type FieldPair struct{ Old, New *pando.Field }

// Compare matches fields by id; the field named id is always itself. A field
// whose values lie in another form now, as alike tells, is another field, unless
// it only went from one value to many or back.
func Compare(old, c *pando.Collection, alike func(a, b *pando.Field) bool) Alteration {
	var a Alteration
	kept := make(map[*pando.Field]bool)
	for _, f := range c.Fields {
		o := old.FieldByID(f.ID)
		if f.Name == "id" {
			o = old.Field("id")
		}
		switch {
		case o == nil || o.Name == "id" && f.Name != "id":
			a.Add = append(a.Add, f)
			continue
		case !alike(o, f) && (o.Type != f.Type || o.Multiple() == f.Multiple()):
			a.Add = append(a.Add, f)
			continue
		}
		kept[o] = true
		if o.Name != f.Name {
			a.Rename = append(a.Rename, FieldPair{o, f})
		}
		if !alike(o, f) {
			a.Convert = append(a.Convert, FieldPair{o, f})
		}
	}
	for _, o := range old.Fields {
		if !kept[o] && o.Name != "id" {
			a.Drop = append(a.Drop, o)
		}
	}
	return a
}
