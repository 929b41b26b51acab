package sqlgen

import (
	"strings"
	"sync"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/indexdef"
)

// pathForm is how an index writes a JSON path.
type pathForm uint8

const (
	noIndex  pathForm = iota
	extract           // json_extract(column, '$.a')
	arrow             // column ->> '$.a'
	arrowKey          // column ->> 'a'
)

// indexedPath tells how an index of c writes the path into column. Users
// declare it as
//
//	CREATE INDEX idx ON posts (json_extract(data, '$.a'))
//
// or with data->>'$.a' or, for a path of one key, data->>'a'.
func indexedPath(c *pando.Collection, column, path string) pathForm {
	for _, d := range indexes(c) {
		if d.Where != "" {
			continue // a filter would have to repeat the clause
		}
		first := d.Columns[0]
		if first.Expr == "" || first.Collate != "" {
			continue
		}
		if form := pathOf(first.Expr, column, path); form != noIndex {
			return form
		}
	}
	return noIndex
}

func pathOf(expr, column, path string) pathForm {
	for strings.HasPrefix(expr, "(") && strings.HasSuffix(expr, ")") {
		expr = strings.TrimSpace(expr[1 : len(expr)-1])
	}
	if len(expr) > 13 && strings.EqualFold(expr[:13], "json_extract(") && strings.HasSuffix(expr, ")") {
		name, text, ok := strings.Cut(expr[13:len(expr)-1], ",")
		if ok && isColumn(name, column) && strings.TrimSpace(text) == "'"+path+"'" {
			return extract
		}
		return noIndex
	}
	name, text, ok := strings.Cut(expr, "->>")
	if !ok || !isColumn(name, column) {
		return noIndex
	}
	switch strings.TrimSpace(text) {
	case "'" + path + "'":
		return arrow
	case "'" + strings.TrimPrefix(path, "$.") + "'":
		if !strings.ContainsAny(path[2:], ".[") {
			return arrowKey
		}
	}
	return noIndex
}

// isColumn tells whether text, as written in an expression, names the column.
func isColumn(text, column string) bool {
	text = strings.TrimSpace(text)
	if n := len(text); n > 2 && strings.IndexByte("`\"[", text[0]) >= 0 {
		text = text[1 : n-1]
	}
	return strings.EqualFold(text, column)
}

// parsed keeps the indexes that were read before, by their texts, which come
// from collections only.
var parsed sync.Map // string → *indexdef.Def, nil for a text that is no index

func indexes(c *pando.Collection) []*indexdef.Def {
	var out []*indexdef.Def
	for _, text := range c.Indexes {
		v, ok := parsed.Load(text)
		if !ok {
			d, err := indexdef.Parse(text)
			if err != nil || len(d.Columns) == 0 {
				d = nil
			}
			v, _ = parsed.LoadOrStore(text, d)
		}
		if d := v.(*indexdef.Def); d != nil {
			out = append(out, d)
		}
	}
	return out
}
