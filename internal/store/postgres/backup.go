package postgres

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/store/sqlgen"
)

// backupHead is how a backup begins. It is an SQL script: Restore runs it, and so
// does psql -f, in an empty database. Each statement follows a comment with its
// length, so that nobody has to understand SQL to find its end.
const backupHead = "-- A copy of a Pando database, format 1. Restore it into an empty PostgreSQL database.\n"

const (
	statementMark = "-- statement "
	copyMark      = "-- copy\n"
	copyEnd       = "\\.\n"
)

// Backup writes the database as of one snapshot to w, as an SQL script, while the
// store serves.
func (s *Store) Backup(ctx context.Context, w io.Writer) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.running.Done()
	n, c, err := s.nodes.writer(ctx)
	if err != nil {
		return err
	}
	defer n.release(c)
	b := &script{w: w}
	err = c.exec(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "SET LOCAL statement_timeout = 0", "SET LOCAL idle_in_transaction_session_timeout = 0")
	if err == nil {
		err = b.database(ctx, c)
	}
	if !c.broken() && c.pg.TxStatus() != 'I' {
		_ = c.exec(context.WithoutCancel(ctx), "ROLLBACK")
	}
	switch {
	case b.failed != nil:
		return fmt.Errorf("backup: %w", b.failed)
	case ctx.Err() != nil:
		return fmt.Errorf("backup: %w", ctx.Err())
	case err != nil:
		return fmt.Errorf("backup: %w", unavailable(err))
	}
	return nil
}

// script writes a backup.
type script struct {
	w      io.Writer
	failed error // what w said
}

func (b *script) Write(p []byte) (int, error) {
	n, err := b.w.Write(p)
	if err != nil && b.failed == nil {
		b.failed = err
	}
	return n, err
}

func (b *script) statements(list ...string) error {
	for _, sql := range list {
		sql += ";\n"
		if _, err := fmt.Fprintf(b, "%s%d\n%s", statementMark, len(sql), sql); err != nil {
			return err
		}
	}
	return nil
}

// database writes everything in the order in which it can be made again: tables,
// rows, then indexes, and views last.
func (b *script) database(ctx context.Context, c *conn) error {
	m, err := readMeta(ctx, c)
	if err != nil {
		return err
	}
	cat, err := loadCatalog(ctx, c, m.catalog)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(b, backupHead); err != nil {
		return err
	}
	begin := []string{"BEGIN", "SET LOCAL statement_timeout = 0", "SET LOCAL idle_in_transaction_session_timeout = 0", "CREATE SCHEMA IF NOT EXISTS _pando"}
	begin = append(append(begin, sqlgen.PostgresFunctions()...), layout...)
	if err := b.statements(begin...); err != nil {
		return err
	}
	for _, t := range []struct{ table, columns, order string }{
		{"_pando_meta", "id, format, catalog, term, database, incarnation, functions", "id"},
		{"_pando_settings", "id, data", "id"},
		{"_pando_collections", "seq, id, name, data", "seq"},
		{"_pando_params", "key, value", "key"},
	} {
		if err := b.rows(ctx, c, t.table, t.columns, t.order); err != nil {
			return err
		}
	}
	err = b.statements("UPDATE _pando_meta SET incarnation = incarnation + 1", setSequence("pg_get_serial_sequence('_pando_collections', 'seq')", "seq", "_pando_collections"))
	if err != nil {
		return err
	}
	if err := b.tables(ctx, c, cat); err != nil {
		return err
	}
	if err := b.views(ctx, c, cat); err != nil {
		return err
	}
	return b.statements("COMMIT")
}

func setSequence(sequence, column, table string) string {
	return "SELECT setval(" + sequence + ", coalesce((SELECT max(" + column + ") FROM " + table + "), 0) + 1, false)"
}

func (b *script) rows(ctx context.Context, c *conn, table, columns, order string) error {
	if _, err := fmt.Fprintf(b, "%sCOPY %s (%s) FROM stdin;\n", copyMark, table, columns); err != nil {
		return err
	}
	_, err := c.pg.CopyTo(ctx, b, "COPY (SELECT "+columns+" FROM "+table+" ORDER BY "+order+") TO STDOUT")
	if err != nil {
		return err
	}
	_, err = io.WriteString(b, copyEnd)
	return err
}

func (b *script) tables(ctx context.Context, c *conn, cat *store.Catalog) error {
	for _, col := range cat.Collections {
		if col.IsView() {
			continue
		}
		made := tableSQL(col)
		if err := b.statements(made[0]); err != nil {
			return err
		}
		columns := quote(rowColumn)
		for _, f := range col.Fields {
			columns += ", " + quote(f.Name)
		}
		if err := b.rows(ctx, c, quote(col.Name), columns, quote(rowColumn)); err != nil {
			return err
		}
		after := append(made[1:], setSequence(literal(quote(internalName("seq", col.ID))), quote(rowColumn), quote(col.Name)))
		for _, x := range wantedIndexes(col) {
			if x.err == nil {
				after = append(after, x.sql)
			}
		}
		if err := b.statements(after...); err != nil {
			return err
		}
	}
	return nil
}

// views come in the order in which they were made: none was there before those
// that it reads.
func (b *script) views(ctx context.Context, c *conn, cat *store.Catalog) error {
	var views []*pando.Collection
	err := c.each(ctx, "SELECT relname FROM pg_class WHERE relkind = 'v' AND relnamespace = current_schema()::regnamespace ORDER BY oid",
		func(v [][]byte) error {
			for _, col := range cat.Collections {
				if col.IsView() && col.Name == string(v[0]) {
					views = append(views, col)
				}
			}
			return nil
		})
	if err != nil {
		return err
	}
	for _, v := range views {
		sql, err := viewSQL(ctx, c, v)
		if err == nil {
			err = b.statements(sql)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
