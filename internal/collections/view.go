package collections

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

// viewFields finds the fields of a view. The error is for the user who wrote
// the query, unless the store failed for a reason of its own.
func viewFields(ctx context.Context, r store.Reader, c *pando.Collection) ([]*pando.Field, *pando.FieldError, error) {
	if why := notOneSelect(c.ViewQuery); why != "" {
		return nil, invalidQuery(why), nil
	}
	columns, err := r.DescribeView(ctx, c.ViewQuery)
	if err != nil {
		var e *pando.Error
		if errors.As(err, &e) && e.Kind == pando.KindInvalid {
			return nil, invalidQuery(sqlWords(e.Message)), nil
		}
		return nil, nil, err
	}
	q := parseQuery(c.ViewQuery)
	if q.bad != "" {
		return nil, invalidQuery(q.bad), nil
	}
	for _, col := range q.columns {
		if col.star {
			return nil, invalidQuery("dynamic column names are not supported"), nil
		}
	}
	fields := make([]*pando.Field, len(columns))
	hasID := false
	for i, described := range columns {
		col := column{}
		if len(q.columns) == len(columns) {
			col = q.columns[i]
		}
		fields[i] = viewField(r.Catalog(), q, described.Name, col)
		hasID = hasID || described.Name == "id"
	}
	if !hasID {
		return fields, invalidQuery("missing required id column (you can use `(ROW_NUMBER() OVER()) as id` if you don't have one)"), nil
	}
	return fields, nil, nil
}

// notOneSelect says why text cannot be the query of a view, as far as that shows
// without the database.
func notOneSelect(text string) string {
	toks := tokens(text)
	for i, t := range toks {
		if t.text == ";" && i < len(toks)-1 && toks[i+1].text != ";" {
			return "multiple statements are not supported"
		}
	}
	if len(toks) > 0 && !toks[0].is("select") && !toks[0].is("with") {
		return sqlWords(fmt.Sprintf("near \"%s\": syntax error", toks[0].text))
	}
	return ""
}

// sqlWords is what a database said about a text, in the form in which clients
// know it from SQLite.
func sqlWords(message string) string {
	if name, ok := strings.CutPrefix(message, "no such table: "); ok && !strings.Contains(name, ".") {
		message = "no such table: main." + name
	}
	return "SQL logic error: " + message + " (1)"
}

func invalidQuery(why string) *pando.FieldError {
	return &pando.FieldError{Code: "validation_invalid_view_query", Message: "Invalid query - " + strings.TrimSuffix(why, ".") + "."}
}

// viewField is the field that a column of a view becomes.
func viewField(catalog *store.Catalog, q query, name string, col column) *pando.Field {
	if name == "id" {
		f := idField()
		f.Options = &pando.TextOptions{Pattern: idPattern, PrimaryKey: true}
		return f
	}
	if from, f := origin(catalog, q, col); f != nil {
		if f.Name == "id" {
			return newField(name, pando.FieldRelation, &pando.RelationOptions{CollectionID: from.ID, MaxSelect: 1})
		}
		clone := f.Clone()
		clone.ID, clone.Name = cloneID(), name
		return clone
	}
	t, options := typeOf(col.expr)
	return newField(name, t, options)
}

func newField(name string, t pando.FieldType, o pando.FieldOptions) *pando.Field {
	return &pando.Field{ID: fieldID(t, name), Name: name, Type: t, Options: o}
}

func cloneID() string { return "_clone_" + pando.RandomString(4, secretAlphabet) }

// origin is the field that a plain column comes from.
func origin(catalog *store.Catalog, q query, col column) (*pando.Collection, *pando.Field) {
	if col.name == "" {
		return nil, nil
	}
	aliases := q.order
	if col.table != "" {
		aliases = []string{strings.ToLower(col.table)}
	}
	for _, alias := range aliases {
		c := catalog.Collection(q.tables[alias])
		if c == nil || !strings.EqualFold(c.Name, q.tables[alias]) { // an id is no table
			continue
		}
		for _, f := range c.Fields {
			if strings.EqualFold(f.Name, col.name) {
				return c, f
			}
		}
	}
	return nil, nil
}

var (
	counts = regexp.MustCompile(`^count\s*\(`)
	totals = regexp.MustCompile(`^total\s*\(`)
	casts  = regexp.MustCompile(`^cast\s*\(.*\sas\s+(\w+)\s*\)$`)
)

// typeOf is the type of an expression's values as far as its text tells it.
func typeOf(expr string) (pando.FieldType, pando.FieldOptions) {
	switch {
	case counts.MatchString(expr):
		return pando.FieldNumber, &pando.NumberOptions{OnlyInt: true}
	case totals.MatchString(expr):
		return pando.FieldNumber, &pando.NumberOptions{}
	}
	if m := casts.FindStringSubmatch(expr); m != nil {
		switch m[1] {
		case "int", "integer":
			return pando.FieldNumber, &pando.NumberOptions{OnlyInt: true}
		case "real", "numeric", "decimal":
			return pando.FieldNumber, &pando.NumberOptions{}
		case "text":
			return pando.FieldText, &pando.TextOptions{}
		case "bool", "boolean":
			return pando.FieldBool, &pando.BoolOptions{}
		}
	}
	return pando.FieldJSON, &pando.JSONOptions{MaxSize: 1} // nobody writes it, so it needs no room
}

// keepClones gives the fields of a view the ids that they had, where nothing
// else about them changed: clients and rules may know them.
func keepClones(fields []*pando.Field, old *pando.Collection) {
	if old == nil {
		return
	}
	for _, f := range fields {
		if was := old.Field(f.Name); was != nil && strings.HasPrefix(f.ID, "_clone_") && sameBut(f, was) {
			f.ID = was.ID
		}
	}
}

// sameBut tells whether two fields differ in nothing but their ids.
func sameBut(a, b *pando.Field) bool {
	c := a.Clone()
	c.ID = b.ID
	return reflect.DeepEqual(c, b)
}
