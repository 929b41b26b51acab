package sqlite

import (
	"errors"
	"strings"
	"time"

	"github.com/pandobase/pando/internal/store"
)

// selectSQL is the seam to internal/store/sqlgen.
func selectSQL(q store.Query, now time.Time) (string, []any, error) {
	names := make([]string, len(q.Collection.Fields))
	for i, f := range q.Collection.Fields {
		names[i] = quote(f.Name)
	}
	columns := strings.Join(names, ", ")
	if q.IDsOnly {
		columns = "id"
	}
	sql, args, err := fromSQL(q)
	if err != nil {
		return "", nil, err
	}
	sql = "SELECT " + columns + sql
	if !q.Collection.IsView() {
		sql += " ORDER BY rowid"
	}
	if q.Limit > 0 || q.Offset > 0 {
		limit := q.Limit
		if limit <= 0 {
			limit = -1
		}
		sql += " LIMIT ? OFFSET ?"
		args = append(args, limit, q.Offset)
	}
	return sql, args, nil
}

func countSQL(q store.Query, now time.Time) (string, []any, error) {
	sql, args, err := fromSQL(q)
	return "SELECT count(*)" + sql, args, err
}

func fromSQL(q store.Query) (string, []any, error) {
	if len(q.Where) > 0 || len(q.Sort) > 0 || q.Virtual != nil {
		return "", nil, errors.New("sqlite: rules and sorts come with sqlgen")
	}
	var where []string
	var args []any
	for _, m := range q.Match {
		f := q.Collection.Field(m.Field)
		if f == nil {
			return "", nil, errors.New("sqlite: no field " + m.Field)
		}
		collate := ""
		if m.NoCase {
			collate = " COLLATE NOCASE"
		}
		if f.Multiple() {
			where = append(where, "EXISTS (SELECT 1 FROM json_each("+quote(m.Field)+") WHERE value = ?"+collate+")")
		} else {
			where = append(where, quote(m.Field)+" = ?"+collate)
		}
		args = append(args, m.Value)
	}
	if q.After != "" {
		where = append(where, "rowid > (SELECT rowid FROM "+quote(q.Collection.Name)+" WHERE id = ?)")
		args = append(args, q.After)
	}
	sql := " FROM " + quote(q.Collection.Name)
	if len(where) > 0 {
		sql += " WHERE " + strings.Join(where, " AND ")
	}
	return sql, args, nil
}
