package takeover

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/field"
	"github.com/pandobase/pando/internal/store"
)

// batchRows is how many records one transaction takes.
const batchRows = 500

// records copies one collection in insertion order, and the files of its
// records.
func (t *Takeover) records(ctx context.Context, c *pando.Collection) error {
	t.progress.Collection = c.Name
	have, err := t.Source.Columns(ctx, c.Name)
	if err != nil {
		return err
	}
	columns := make([]string, len(c.Fields))
	for i, f := range c.Fields {
		columns[i] = f.Name
	}
	if missing := lacking(have, columns); missing != "" {
		return pando.Invalid("the source's table has no column %s", missing)
	}
	var batch []*pando.Record
	for row, err := range t.Source.Rows(ctx, c.Name, columns) {
		if err != nil {
			return err
		}
		rec, err := t.record(c, row)
		if err != nil {
			t.notTaken("%s/%v: %v", c.Name, row[max(c.FieldIndex("id"), 0)], err)
			continue
		}
		if batch = append(batch, rec); len(batch) == batchRows {
			if err := t.flush(ctx, batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return t.flush(ctx, batch)
}

// record makes a record of a row. What the source's columns hold is almost what
// Pando's hold; casting mends the rest.
func (t *Takeover) record(c *pando.Collection, row []any) (*pando.Record, error) {
	rec := pando.NewRecord(c)
	for i, f := range c.Fields {
		raw := row[i]
		if b, ok := raw.([]byte); ok {
			raw = string(b)
		}
		if s, ok := raw.(string); ok && !utf8.ValidString(s) {
			return nil, fmt.Errorf("%s is not UTF-8", f.Name)
		}
		switch n := raw.(type) {
		case nil:
			continue // the zero value
		case int64:
			raw = float64(n)
		case string:
			switch {
			case f.Type == pando.FieldPassword, f.Type == pando.FieldAutodate:
				rec.Values[i] = n // a hash, and a date that the server wrote
				continue
			case f.Type == pando.FieldJSON:
				if !json.Valid([]byte(n)) {
					return nil, fmt.Errorf("%s is not JSON", f.Name)
				}
				rec.Values[i] = json.RawMessage(n)
				continue
			}
		}
		rec.Values[i] = field.Cast(f, raw)
	}
	if id := rec.ID(); !safeID.MatchString(id) || strings.Trim(id, ".") == "" {
		return nil, fmt.Errorf("its id is not fit for a path")
	}
	return rec, nil
}

// flush writes records, then copies their files.
func (t *Takeover) flush(ctx context.Context, batch []*pando.Record) error {
	if len(batch) == 0 {
		return nil
	}
	taken, err := store.InsertTaken(ctx, t.Store, batch, func(rec *pando.Record, why string) {
		t.notTaken("record %s of collection %s: %s", rec.ID(), rec.Collection.Name, why)
	})
	if err != nil {
		return err
	}
	t.sum.Records += len(taken)
	t.progress.Rows = t.sum.Records
	for _, rec := range taken {
		for _, f := range rec.Collection.Fields {
			if f.Type != pando.FieldFile {
				continue
			}
			for _, name := range rec.Strings(f.Name) {
				if err := t.file(ctx, rec, name); err != nil {
					return err
				}
			}
		}
	}
	t.step()
	return nil
}

// file copies one file of a record under its name. Links are not followed: the
// source may not make us read anything outside of it.
func (t *Takeover) file(ctx context.Context, rec *pando.Record, name string) error {
	key := rec.Collection.ID + "/" + rec.ID() + "/" + name
	if name != filepath.Base(name) || strings.ContainsAny(name, "\\\x00") || strings.Trim(name, ".") == "" || len(name) > 255 {
		t.notTaken("file %q of %s/%s: its name is not fit for a path", name, rec.Collection.Name, rec.ID())
		return nil
	}
	if t.Storage == "" {
		t.notTaken("file %s: the source has no storage directory", key)
		return nil
	}
	root, err := os.OpenRoot(t.Storage)
	if err != nil {
		return err
	}
	defer root.Close()
	info, err := root.Lstat(key)
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrInvalid
	}
	if err != nil {
		t.notTaken("file %s: missing in the source, or no regular file", key)
		return nil
	}
	f, err := root.Open(key)
	if err != nil {
		t.notTaken("file %s: %v", key, err)
		return nil
	}
	defer f.Close()
	if err := t.Blobs.Put(ctx, key, f); err != nil {
		return fmt.Errorf("file %s: %w", key, err)
	}
	t.sum.Files++
	t.progress.Files = t.sum.Files
	return nil
}
