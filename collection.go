package pando

import "strings"

// CollectionType is base, auth or view.
type CollectionType string

// The types of collections: plain records, records that can log in, and what a
// SELECT shows.
const (
	TypeBase CollectionType = "base"
	TypeAuth CollectionType = "auth"
	TypeView CollectionType = "view"
)

// SuperusersName is the name of the system auth collection whose records pass
// every rule.
const SuperusersName = "_superusers"

// Collection is a named set of records of one shape, with the rules that guard
// it. A collection that came out of a catalog is shared and must not be
// changed: [Collection.Clone] it first.
type Collection struct {
	ID     string
	Name   string
	Type   CollectionType
	System bool

	// Rules: nil means superusers only, "" means everyone, else a filter.
	ListRule, ViewRule, CreateRule, UpdateRule, DeleteRule *string

	Fields  []*Field // in the order the user gave them
	Indexes []string // CREATE INDEX texts in SQLite's grammar
	Created string   // as [FormatTime] writes it
	Updated string

	ViewQuery string       // view collections only
	Auth      *AuthOptions // auth collections only
}

// Field finds a field by its exact name; nil if there is none. Collections have
// a handful of fields, so a scan is faster than a map and never out of date.
func (c *Collection) Field(name string) *Field {
	if i := c.FieldIndex(name); i >= 0 {
		return c.Fields[i]
	}
	return nil
}

// FieldIndex is the position of a field by its exact name, -1 if there is none.
func (c *Collection) FieldIndex(name string) int {
	for i, f := range c.Fields {
		if f.Name == name {
			return i
		}
	}
	return -1
}

// FieldByID finds a field by its id; nil if there is none.
func (c *Collection) FieldByID(id string) *Field {
	for _, f := range c.Fields {
		if f.ID == id {
			return f
		}
	}
	return nil
}

// IsAuth tells whether records of c can log in.
func (c *Collection) IsAuth() bool { return c.Type == TypeAuth }

// IsView tells whether c is a read-only query over other collections.
func (c *Collection) IsView() bool { return c.Type == TypeView }

// IsSuperusers tells whether c is the system collection of superusers.
func (c *Collection) IsSuperusers() bool { return c.IsAuth() && c.Name == SuperusersName }

// Is tells whether ref names c: by its exact id or by its name in any case.
func (c *Collection) Is(ref string) bool {
	return c.ID == ref || strings.EqualFold(c.Name, ref)
}

// Clone is a deep copy that may be changed.
func (c *Collection) Clone() *Collection {
	d := *c
	for _, r := range []**string{&d.ListRule, &d.ViewRule, &d.CreateRule, &d.UpdateRule, &d.DeleteRule} {
		if *r != nil {
			*r = new(**r)
		}
	}
	d.Fields = make([]*Field, len(c.Fields))
	for i, f := range c.Fields {
		d.Fields[i] = f.Clone()
	}
	d.Indexes = append([]string(nil), c.Indexes...)
	if c.Auth != nil {
		d.Auth = c.Auth.Clone()
	}
	return &d
}
