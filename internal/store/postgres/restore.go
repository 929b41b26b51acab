package postgres

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

// Restore makes the database of opts, which must be empty, what Backup has
// written to r. If it fails, the database is empty still.
func Restore(ctx context.Context, opts Options, r io.Reader) error {
	opts.complete()
	s := &Store{opts: opts, log: opts.Logger, index: opts.Index, ended: make(chan struct{}), renewal: renewal{turn: make(chan struct{}, 1)}, plans: store.Plans[*plan]{Make: newPlan}}
	var err error
	if s.hosts, err = parseURL(opts.URL, &s.opts); err != nil {
		return err
	}
	if s.nodes, err = s.openNodes(ctx); err != nil {
		return err
	}
	defer s.nodes.close()
	if err := s.restore(ctx, r); err != nil {
		return fmt.Errorf("restore into %s: %w", Mask(opts.URL), err)
	}
	return nil
}

func (s *Store) restore(ctx context.Context, r io.Reader) error {
	n, c, err := s.nodes.writer(ctx)
	if err != nil {
		return err
	}
	defer n.release(c)
	if err := checkServer(ctx, c); err != nil {
		return err
	}
	_, empty, err := s.checkFormat(ctx, c)
	if err != nil {
		return err
	}
	if !empty {
		return pando.Invalid("The database %s is not empty. Restore into an empty one.", s.database())
	}
	in := bufio.NewReaderSize(r, 1<<16)
	head, err := in.ReadString('\n')
	if err != nil || head != backupHead {
		return pando.Invalid("This is no copy of a PostgreSQL database made by this version of Pando.")
	}
	if err := runScript(ctx, c, in); err != nil {
		if codeOf(err) == codePrivilege {
			return s.noRight()
		}
		return unavailable(err)
	}
	if c.pg.TxStatus() != 'I' {
		return pando.Invalid("The backup is not complete.")
	}
	return nil
}

// runScript runs what a backup consists of. What it began and did not commit
// goes with the connection.
func runScript(ctx context.Context, c *conn, in *bufio.Reader) error {
	for {
		line, err := in.ReadString('\n')
		switch {
		case err == io.EOF && line == "":
			return nil
		case err != nil:
			return fmt.Errorf("read the backup: %w", err)
		case line == copyMark:
			err = copyRows(ctx, c, in)
		case strings.HasPrefix(line, statementMark):
			err = runStatement(ctx, c, in, strings.TrimSpace(strings.TrimPrefix(line, statementMark)))
		default:
			err = pando.Invalid("The backup is damaged: it has a line that does not belong there.")
		}
		if err != nil {
			return err
		}
	}
}

// longestStatement bounds what a damaged backup can make us read at once.
const longestStatement = 1 << 26

func runStatement(ctx context.Context, c *conn, in *bufio.Reader, length string) error {
	n, err := strconv.Atoi(length)
	if err != nil || n < 2 || n > longestStatement {
		return pando.Invalid("The backup is damaged: a statement of length %q.", length)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(in, text); err != nil {
		return fmt.Errorf("read the backup: %w", err)
	}
	return c.exec(ctx, strings.TrimSuffix(string(text), ";\n"))
}

func copyRows(ctx context.Context, c *conn, in *bufio.Reader) error {
	sql, err := in.ReadString('\n')
	if err != nil {
		return fmt.Errorf("read the backup: %w", err)
	}
	_, err = c.pg.CopyFrom(ctx, &rowsReader{in: in}, strings.TrimSuffix(sql, ";\n"))
	return err
}

// rowsReader reads rows up to the line that ends them.
type rowsReader struct {
	in   *bufio.Reader
	rest []byte
	part bool // rest is not the beginning of a line
	done bool
}

func (r *rowsReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.done {
			return 0, io.EOF
		}
		line, err := r.in.ReadSlice('\n')
		switch {
		case !r.part && bytes.Equal(line, []byte(copyEnd)):
			r.done = true
			continue
		case errors.Is(err, bufio.ErrBufferFull):
			r.part = true
		case err != nil:
			return 0, fmt.Errorf("read the backup: %w", io.ErrUnexpectedEOF)
		default:
			r.part = false
		}
		r.rest = line // good until the next ReadSlice
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
