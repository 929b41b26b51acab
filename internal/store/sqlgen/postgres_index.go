package sqlgen

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/indexdef"
)

// PostgresIndex is the CREATE INDEX of d for c's table, whatever table d names:
// an index that the statements for c use where SQLite's would use d. The error
// says what cannot be carried over, for the user who wrote it.
//
// The columns stand in it as the statements have them: a date as a time that is
// never null, a path as the key of its value, NOCASE as lower case. Behind them
// comes the row's number, as in SQLite's indexes, so that a list in the order of
// the index is sorted to the end. A list of values alone has an index of its
// items, unless the index is unique.
func PostgresIndex(c *pando.Collection, d *indexdef.Def) (string, error) {
	if len(d.Columns) == 0 {
		return "", errors.New("the index has no columns")
	}
	if c.IsView() {
		return "", fmt.Errorf("%s is a view and cannot have an index", c.Name)
	}
	x := indexer{c: c}
	var keys []string
	method := ""
	for _, column := range d.Columns {
		if f := x.list(column); f != nil && len(d.Columns) == 1 && !d.Unique {
			method = "USING gin "
			keys = append(keys, x.d.quote(f.Name))
			break
		}
		key, err := x.key(column)
		if err != nil {
			return "", err
		}
		keys = append(keys, key)
	}
	if method == "" && !d.Unique {
		keys = append(keys, postgresRow)
	}
	var b strings.Builder
	b.WriteString("CREATE ")
	if d.Unique {
		b.WriteString("UNIQUE ")
	}
	b.WriteString("INDEX ")
	if d.IfNotExists {
		b.WriteString("IF NOT EXISTS ")
	}
	b.WriteString(x.d.quote(d.Name) + " ON " + x.d.quote(c.Name) + " " + method + "(" + strings.Join(keys, ", ") + ")")
	if d.Where != "" {
		where, err := x.where(d.Where)
		if err != nil {
			return "", err
		}
		b.WriteString(" WHERE " + where)
	}
	return b.String(), nil
}

// indexer writes the parts of one index.
type indexer struct {
	c *pando.Collection
	d postgres
}

// list is the field of a column that holds a list, if the column is just it.
func (x indexer) list(column indexdef.Column) *pando.Field {
	if f := x.field(column.Name); f != nil && f.Multiple() && column.Collate == "" {
		return f
	}
	return nil
}

// field finds a field by its name in any case, as SQLite finds columns.
func (x indexer) field(name string) *pando.Field {
	for _, f := range x.c.Fields {
		if strings.EqualFold(f.Name, name) {
			return f
		}
	}
	return nil
}

// key writes one key: the column or expression, and its direction.
func (x indexer) key(column indexdef.Column) (string, error) {
	var e indexdef.Expr = indexdef.Name(column.Name)
	if column.Name == "" {
		var err error
		if e, err = indexdef.ParseExpr(column.Expr); err != nil {
			return "", fmt.Errorf("%s: %w", column.Expr, err)
		}
	}
	collation := strings.ToUpper(column.Collate)
	if e, ok := e.(indexdef.Collate); ok && collation == "" {
		return x.key(indexdef.Column{Expr: e.X.String(), Collate: e.Collation, Sort: column.Sort})
	}
	t, err := x.term(e)
	if err != nil {
		return "", err
	}
	if t.constant {
		return "", fmt.Errorf("%s is the same for all records: an index needs a column", e)
	}
	var w buffer
	x.d.sortKey(&w, t)
	switch text := !t.form.number() && t.form != formDate; {
	case collation == "" || collation == "BINARY" || !text:
	case collation == "NOCASE":
		w = wrapped("lower(", w, ")")
	case collation == "RTRIM":
		w = wrapped("rtrim(", w, ", ' ')")
	default:
		return "", fmt.Errorf("there is no collation %s: it is BINARY, NOCASE or RTRIM", column.Collate)
	}
	sql := literal(w)
	if !strings.HasPrefix(sql, `"`) || strings.HasSuffix(sql, ")") {
		sql = "(" + sql + ")"
	}
	if strings.EqualFold(column.Sort, "DESC") {
		return sql + x.d.direction(true, t.nullable), nil
	}
	return sql + x.d.direction(false, t.nullable), nil
}

func wrapped(before string, w buffer, after string) buffer {
	var out buffer
	out.text(before)
	out.add(&w)
	out.text(after)
	return out
}

// where writes the condition of a partial index.
func (x indexer) where(text string) (string, error) {
	e, err := indexdef.ParseExpr(text)
	if err != nil {
		return "", fmt.Errorf("WHERE %s: %w", text, err)
	}
	var w buffer
	if err := x.condition(&w, e, false); err != nil {
		return "", fmt.Errorf("WHERE %s: %w", text, err)
	}
	return literal(w), nil
}

// literal puts the values into the text: an index has no parameters. They come
// from a collection's definition, which only a superuser writes, and are quoted.
func literal(w buffer) string {
	var b strings.Builder
	n := 0
	for _, c := range w.sql {
		if c != placeholder {
			b.WriteByte(c)
			continue
		}
		switch v := w.args[n].(type) {
		case string:
			b.WriteString(quoteText(v))
		case bool:
			fmt.Fprint(&b, v)
		case []string:
			b.WriteString(pathLiteral(v)) // no other list is in an index
		default:
			fmt.Fprintf(&b, "'%v'%s", v, castOf(v))
		}
		n++
	}
	return b.String()
}

// quoteText is a text in quotes; a backslash is one of its own characters
// however the server is set.
func quoteText(s string) string {
	q := "'" + strings.ReplaceAll(s, "'", "''") + "'"
	if strings.Contains(s, `\`) {
		q = " E" + strings.ReplaceAll(q, `\`, `\\`)
	}
	return q
}
