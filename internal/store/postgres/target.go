package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/pandobase/pando"
)

// copyingParam is set while a database is the target of a copy. A copy that was
// killed leaves it behind, and with it the knowledge that what is there may go.
const copyingParam = "copying"

// Target is a database that a copy is being made into. [Open] refuses it until
// Finish.
type Target struct{ *Store }

// OpenTarget lays out the database at opts.URL, which must be empty. What a copy
// has left there that was not finished is removed before.
func OpenTarget(ctx context.Context, opts Options) (*Target, error) {
	opts.OneShot, opts.target = true, true
	s, err := Open(ctx, opts)
	if err != nil {
		return nil, err
	}
	return &Target{s}, nil
}

// prepareTarget is prepare for the target of a copy.
func (s *Store) prepareTarget(ctx context.Context, c *conn) error {
	if err := checkServer(ctx, c); err != nil {
		return err
	}
	return s.inLayout(ctx, c, func() error {
		_, empty, err := s.checkFormat(ctx, c)
		if err != nil {
			return err
		}
		if !empty {
			copying, err := isTarget(ctx, c)
			if err != nil {
				return err
			}
			if !copying {
				return pando.Invalid("The database %s is not empty. Name an empty one: CREATE DATABASE name.", s.database())
			}
			if err := removeAll(ctx, c); err != nil {
				return err
			}
		}
		if err := createLayout(ctx, c); err != nil {
			return err
		}
		return c.each(ctx, "INSERT INTO _pando_params VALUES ($1, '')", nil, copyingParam)
	})
}

// refuseTarget fails if the database is a copy that was not finished.
func (s *Store) refuseTarget(ctx context.Context, c *conn) error {
	copying, err := isTarget(ctx, c)
	if err == nil && copying {
		return pando.Invalid("The database %s holds a copy that was not finished. Run the copy again; it removes what is there.", s.database())
	}
	return unavailable(err)
}

func isTarget(ctx context.Context, c *conn) (copying bool, err error) {
	err = c.each(ctx, "SELECT 1 FROM _pando_params WHERE key = $1", func([][]byte) error {
		copying = true
		return nil
	}, copyingParam)
	return copying, err
}

// Finish makes the copy a database like others, once all is in it.
func (t *Target) Finish(ctx context.Context) error {
	return t.onPrimary(ctx, func(c *conn) error {
		return unavailable(c.each(ctx, "DELETE FROM _pando_params WHERE key = $1", nil, copyingParam))
	})
}

// Discard empties the database: the copy has failed.
func (t *Target) Discard(ctx context.Context) error {
	return t.onPrimary(ctx, func(c *conn) error {
		return t.inLayout(ctx, c, func() error { return removeAll(ctx, c) })
	})
}

func (t *Target) onPrimary(ctx context.Context, fn func(*conn) error) error {
	n, c, err := t.nodes.writer(ctx)
	if err != nil {
		return err
	}
	defer n.release(c)
	return fn(c)
}

// removeAll drops every collection and the store's own tables and functions, in
// the transaction at hand. What others have made of views on them goes too.
func removeAll(ctx context.Context, c *conn) error {
	drops := []string{}
	err := c.each(ctx, `SELECT CASE r.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, quote_ident(r.relname)
		FROM pg_class r LEFT JOIN _pando_collections p ON p.name = r.relname
		WHERE r.relnamespace = current_schema()::regnamespace AND r.relkind IN ('r', 'v')
		AND (p.name IS NOT NULL OR r.relname ^@ '_pando_')`,
		func(v [][]byte) error {
			drops = append(drops, fmt.Sprintf("DROP %s IF EXISTS %s CASCADE", v[0], v[1]))
			return nil
		})
	if err != nil {
		return err
	}
	if len(drops) == 0 {
		return errors.New("nothing to remove")
	}
	drops = append(drops, "DROP SEQUENCE IF EXISTS _pando_gate", "DROP SCHEMA IF EXISTS _pando CASCADE")
	return c.exec(ctx, drops...)
}
