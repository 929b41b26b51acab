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

// rowsAmongSQL is rowsSQL for those of the rows given that match.
func rowsAmongSQL(q store.Query, now time.Time, rows []int64) (string, []any, error) {
	return statement(sqlgen.RowsAmong(sqlgen.SQLite, q, now, rows))
}

// pageRowsSQL is the statement for the rows of a page, of rows.
func pageRowsSQL(q store.Query, now time.Time, rows []int64) (string, []any, error) {
	return statement(sqlgen.PageRows(sqlgen.SQLite, q, now, rows))
}

func statement(st sqlgen.Statement, err error) (string, []any, error) {
	if err != nil || st.Never {
		return "", nil, err
	}
	return st.SQL, st.Args, nil
}
