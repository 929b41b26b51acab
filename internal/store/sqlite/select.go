package sqlite

import (
	"time"

	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/store/sqlgen"
)

// selectSQL is the statement for a query's records, "" if there can be none.
func selectSQL(q store.Query, now time.Time) (string, []any, error) {
	return statement(sqlgen.Select(sqlgen.SQLite, q, now))
}

// countSQL is the statement for their number, "" if there can be none.
func countSQL(q store.Query, now time.Time) (string, []any, error) {
	return statement(sqlgen.Count(sqlgen.SQLite, q, now))
}

func statement(st sqlgen.Statement, err error) (string, []any, error) {
	if err != nil || st.Never {
		return "", nil, err
	}
	return st.SQL, st.Args, nil
}
