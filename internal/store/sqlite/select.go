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

// rowsSQL is the statement for the numbers of their rows, limit at most.
func rowsSQL(q store.Query, now time.Time, limit int) (string, []any, error) {
	return statement(sqlgen.Rows(sqlgen.SQLite, q, now, limit))
}

// amongSQL is selectSQL where the rows of all records are known.
func amongSQL(q store.Query, now time.Time, rows []int64) (string, []any, error) {
	return statement(sqlgen.SelectAmong(sqlgen.SQLite, q, now, rows))
}

func statement(st sqlgen.Statement, err error) (string, []any, error) {
	if err != nil || st.Never {
		return "", nil, err
	}
	return st.SQL, st.Args, nil
}
