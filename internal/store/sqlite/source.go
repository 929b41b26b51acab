package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"

	lib "modernc.org/sqlite/lib"

	"github.com/pandobase/pando"
)

// Source reads the SQLite database of another program. It is a copy: the file
// itself is never opened by SQLite, and so never changed, not even recovered.
type Source struct {
	c   *conn
	dir string
}

// CopySource copies the database at path, with its write-ahead log, into a
// directory of its own below tempDir, and opens the copy for reading: its
// triggers never run, its views call no function that is not safe, and a file
// that is damaged is refused. It fails if the database changed meanwhile.
func CopySource(ctx context.Context, path, tempDir string) (*Source, error) {
	dir, err := os.MkdirTemp(tempDir, ".pando-source-")
	if err != nil {
		return nil, fmt.Errorf("copy of %s: %w", path, err)
	}
	s := &Source{dir: dir}
	if err := s.open(ctx, path); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Source) open(ctx context.Context, path string) error {
	to := filepath.Join(s.dir, "source.db")
	before, err := states(path)
	if err != nil {
		return err
	}
	for _, suffix := range []string{"", "-wal"} {
		if err := copyRegular(ctx, path+suffix, to+suffix); err != nil {
			if suffix != "" && errors.Is(err, fs.ErrNotExist) {
				continue
			}
			return fmt.Errorf("copy of %s: %w", path+suffix, err)
		}
	}
	after, err := states(path)
	if err != nil {
		return err
	}
	if before != after {
		return pando.Invalid("%s changed while it was copied. Stop the program that uses it, and try again.", path)
	}
	s.c, err = openConn(to, 0)
	if err != nil {
		return err
	}
	if err := s.c.pragmas("query_only = ON", "cell_size_check = ON"); err != nil {
		return notReadable(path, err)
	}
	return s.check(ctx, path)
}

// check refuses a file that is damaged.
func (s *Source) check(ctx context.Context, path string) error {
	var problems []string
	err := s.each(ctx, "PRAGMA quick_check(3)", func(q *stmt) error {
		if text := q.text(0); text != "ok" {
			problems = append(problems, text)
		}
		return nil
	})
	if err != nil {
		return notReadable(path, err)
	}
	if len(problems) > 0 {
		return pando.Invalid("%s is damaged: %s.", path, strings.Join(problems, "; "))
	}
	return nil
}

func notReadable(path string, err error) error {
	return &pando.Error{Kind: pando.KindInvalid, Message: fmt.Sprintf("%s is no SQLite database that can be read: %v.", path, err), Err: err}
}

// Columns lists a table's columns; nil if there is no such table.
func (s *Source) Columns(ctx context.Context, table string) ([]string, error) {
	var names []string
	err := s.each(ctx, "SELECT name FROM pragma_table_info(?)", func(q *stmt) error {
		names = append(names, q.text(0))
		return nil
	}, table)
	return names, err
}

// Count is how many rows a table has.
func (s *Source) Count(ctx context.Context, table string) (n int, err error) {
	err = s.each(ctx, "SELECT COUNT(*) FROM "+quote(table), func(q *stmt) error {
		n = int(q.int(0))
		return nil
	})
	return n, err
}

// Rows yields a table's rows in insertion order, as nil, int64, float64, string
// or []byte; the slice is used again for the next.
func (s *Source) Rows(ctx context.Context, table string, columns []string) iter.Seq2[[]any, error] {
	quoted := make([]string, len(columns))
	for i, c := range columns {
		quoted[i] = quote(c)
	}
	query := "SELECT " + strings.Join(quoted, ", ") + " FROM " + quote(table) + " ORDER BY rowid"
	row := make([]any, len(columns))
	return func(yield func([]any, error) bool) {
		err := s.each(ctx, query, func(q *stmt) error {
			for i := range row {
				row[i] = q.value(i)
			}
			if !yield(row, nil) {
				return errStopped
			}
			return ctx.Err()
		})
		if err != nil && !errors.Is(err, errStopped) {
			yield(nil, err)
		}
	}
}

var errStopped = errors.New("stopped by the reader")

func (s *Source) each(ctx context.Context, query string, f func(*stmt) error, args ...any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.c.each(query, f, args...)
}

// Close closes the copy and removes it.
func (s *Source) Close() error {
	var err error
	if s.c != nil {
		err = s.c.close()
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// value is a column as it is stored.
func (s *stmt) value(i int) any {
	switch s.kind(i) {
	case lib.SQLITE_INTEGER:
		return s.int(i)
	case lib.SQLITE_FLOAT:
		return s.float(i)
	case lib.SQLITE_TEXT:
		return s.text(i)
	case lib.SQLITE_BLOB:
		return s.blob(i)
	}
	return nil
}

// states tells one moment of a database and its log from another.
func states(path string) (string, error) {
	var b strings.Builder
	for _, p := range []string{path, path + "-wal"} {
		info, err := os.Lstat(p)
		if errors.Is(err, fs.ErrNotExist) && p != path {
			continue
		}
		if errors.Is(err, fs.ErrNotExist) {
			return "", pando.Invalid("There is no database at %s.", path)
		}
		if err != nil {
			return "", err
		}
		fmt.Fprintln(&b, info.Size(), info.ModTime().UnixNano())
	}
	return b.String(), nil
}

// copyRegular copies a regular file; a link, pipe or device is refused. What was
// looked at must be what is opened: a pipe put in its place could hang us.
func copyRegular(ctx context.Context, from, to string) error {
	seen, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if !seen.Mode().IsRegular() {
		return pando.Invalid("%s is not a regular file.", from)
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	if opened, err := in.Stat(); err != nil || !os.SameFile(seen, opened) {
		return errors.Join(err, pando.Invalid("%s changed while it was opened.", from))
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, readerFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return in.Read(p)
	}))
	return errors.Join(err, out.Close())
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
