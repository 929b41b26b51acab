package postgres

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pandobase/pando"
)

// viewSQL makes a view of its query. The view's columns have the types that a
// table's would have for the same fields, so that filters and sorts treat both
// alike; what the query gives of another type is cast. A column that needs none
// stays the plain column that it is, and can be traced to its table.
func viewSQL(ctx context.Context, conn *conn, c *pando.Collection) (string, error) {
	d, err := check(ctx, conn, c.ViewQuery)
	if err != nil {
		return "", err
	}
	if err := harmless(ctx, conn, c.ViewQuery); err != nil {
		return "", err
	}
	columns := make([]string, len(c.Fields))
	for i, f := range c.Fields {
		given := fieldNamed(d.Fields, f.Name)
		if given == nil {
			return "", pando.Invalid("The query has no column %s.", f.Name)
		}
		columns[i] = viewColumn(f, *given) + " AS " + quote(f.Name)
	}
	return "CREATE VIEW " + quote(c.Name) + " AS SELECT " + strings.Join(columns, ", ") + " FROM " + viewSource(c.ViewQuery), nil
}

func fieldNamed(fields []pgconn.FieldDescription, name string) *pgconn.FieldDescription {
	for i := range fields {
		if fields[i].Name == name {
			return &fields[i]
		}
	}
	return nil
}

// viewColumn is a column of a query, of the type that f's column has.
func viewColumn(f *pando.Field, given pgconn.FieldDescription) string {
	name, oid := "q."+quote(f.Name), given.DataTypeOID
	number := oid == oidInt2 || oid == oidInt4 || oid == oidInt8 || oid == oidFloat4 || oid == oidNumeric
	switch formOf(f) {
	case formText:
		switch {
		case oid == oidText && given.TableOID != 0:
			return name // of a table, whose texts are in order already
		case oid == oidTimestamptz:
			return "_pando.date_text(" + name + `) COLLATE "C"`
		}
		return name + `::text COLLATE "C"`
	case formNumber:
		switch {
		case oid == oidFloat8:
			return name
		case number:
			return name + "::double precision"
		case oid == oidBool:
			return name + "::int::double precision"
		}
		return "_pando.lead_number(" + name + "::text)"
	case formBool:
		switch {
		case oid == oidBool:
			return name
		case number || oid == oidFloat8:
			return name + " <> 0"
		}
		return "_pando.lead_number(" + name + "::text) <> 0"
	case formDate:
		switch oid {
		case oidTimestamptz:
			return name
		case oidTimestamp, oidDate:
			return name + "::timestamptz" // sessions are in UTC
		}
		return "_pando.to_date(" + name + "::text)"
	case formList:
		if oid == oidTextArray {
			return name
		}
		return "CASE WHEN " + name + " IS NULL THEN '{}' ELSE ARRAY[" + name + "::text] END"
	}
	switch oid { // formJSON, formPoint
	case oidJSON:
		return name
	case oidJSONB:
		return name + "::json"
	}
	return "_pando.as_json(" + name + ")"
}
