// Package indexdef reads and prints the CREATE INDEX texts that users give with
// a collection.
//
// A text is kept as the user wrote it; what a database is told is what
// [Def.String] prints, with the table put in by whoever creates it: the table
// that the text names counts for nothing. The grammar is SQLite's: columns or
// expressions, each with COLLATE and ASC or DESC, and a WHERE clause.
// Expressions are kept as text, so the database is the one to say whether they
// make sense; this package makes sure that they are one expression and nothing
// behind it.
package indexdef

import "strings"

// Def is one CREATE INDEX statement.
type Def struct {
	Unique      bool
	IfNotExists bool
	Schema      string // "main" in main.idx; "" mostly
	Name        string
	Table       string
	Columns     []Column
	Where       string // the expression after WHERE, "" if there is none
}

// Column is one key of an index: a plain column or an expression.
type Column struct {
	Name    string // a plain column, without quotes; "" for an expression
	Expr    string // the expression's text; "" for a plain column
	Collate string // "" if not given
	Sort    string // ASC, DESC, or "" if not given
}

// String prints d in one normal form, names in backquotes; [Parse] reads it
// back to an equal Def.
func (d *Def) String() string {
	var b strings.Builder
	b.WriteString("CREATE ")
	if d.Unique {
		b.WriteString("UNIQUE ")
	}
	b.WriteString("INDEX ")
	if d.IfNotExists {
		b.WriteString("IF NOT EXISTS ")
	}
	if d.Schema != "" {
		b.WriteString(Quote(d.Schema))
		b.WriteByte('.')
	}
	b.WriteString(Quote(d.Name))
	b.WriteString(" ON ")
	b.WriteString(Quote(d.Table))
	b.WriteString(" (")
	for i, c := range d.Columns {
		if len(d.Columns) > 1 {
			b.WriteString("\n  ")
		}
		b.WriteString(c.String())
		if i < len(d.Columns)-1 {
			b.WriteByte(',')
		}
	}
	if len(d.Columns) > 1 {
		b.WriteByte('\n')
	}
	b.WriteByte(')')
	if d.Where != "" {
		b.WriteString(" WHERE ")
		b.WriteString(d.Where)
	}
	return b.String()
}

// String prints the column as it stands in the statement.
func (c Column) String() string {
	s := c.Expr
	if c.Name != "" {
		s = Quote(c.Name)
	}
	if c.Collate != "" {
		s += " COLLATE " + c.Collate
	}
	if c.Sort != "" {
		s += " " + c.Sort
	}
	return s
}

// UniqueOn tells whether d is unique with name, in any case, as its only
// column. A WHERE clause does not count: see [Def.Covers].
func (d *Def) UniqueOn(name string) bool {
	return d.Unique && len(d.Columns) == 1 && d.Columns[0].Name != "" && strings.EqualFold(d.Columns[0].Name, name)
}

// Covers is [Def.UniqueOn] without a WHERE clause: then a value of that column
// names at most one record.
func (d *Def) Covers(name string) bool { return d.UniqueOn(name) && d.Where == "" }

// Quote writes name as a quoted identifier.
func Quote(name string) string {
	return "`" + strings.ReplaceAll(name, "`", "``") + "`"
}
