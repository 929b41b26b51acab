// Package transfer copies everything that one Pando database and its files hold
// into another, empty one: the step from SQLite to PostgreSQL. Ids, password
// hashes, token secrets, dates and the order of insertion stay as they are, so
// that people stay logged in and every URL answers the same.
//
//	settings, collections ─▶ records, in insertion order ─▶ files ─▶ both sides compared
//
// The source must not change meanwhile. It is read only. Who calls removes what
// was made of the target if the copy fails: this package cannot know how.
package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/blob"
	"github.com/pandobase/pando/internal/store"
)

// batchRows is how many records are read together. Several such pages are written
// in one transaction, so that the disk is not waited for too often: as many as
// have these rows, or this much in their values.
const (
	batchRows  = 500
	writeRows  = 5000
	writeBytes = 4 << 20
)

// Progress is how far a copy is.
type Progress struct {
	Collection string
	Rows       int  // copied so far, of all collections
	Total      int  // rows of all collections
	Files      int  // copied so far
	Checking   bool // all is copied; Rows counts what is compared
}

// Options says what to report.
type Options struct {
	Progress func(Progress)    // may be nil
	Report   func(text string) // called for each thing that the target did not take; may be nil
}

// Checked is a collection that is the same on both sides.
type Checked struct {
	Name string
	Rows int
	Sum  string // SHA-256 over all values of all records in insertion order, hex
}

// Summary is what was copied.
type Summary struct {
	Collections []Checked // tables, in creation order
	Views       int
	Records     int // taken
	Files       int
	NotTaken    int // what the target refused, and files that were not there
}

// Transfer is one copy.
type Transfer struct {
	From, To store.Store
	// Files are copied from one to the other; both are nil if they stay where
	// they are.
	FromFiles, ToFiles blob.Store
	Options            Options

	sum      Summary
	progress Progress
	refused  map[string]bool // collection id/record id of records that the target did not take
}

// Run copies everything, then compares both sides. To must be empty: nothing
// but what a database has that was just laid out.
func (t *Transfer) Run(ctx context.Context) (Summary, error) {
	cat := t.From.Catalog()
	made, err := store.Define(ctx, t.To, cat.Settings, cat.All(), t.notTaken)
	if err != nil {
		return t.sum, err
	}
	tables := slices.DeleteFunc(slices.Clone(made), (*pando.Collection).IsView)
	t.sum.Views = len(made) - len(tables)
	for _, c := range tables {
		n, err := t.count(ctx, c)
		if err != nil {
			return t.sum, err
		}
		t.progress.Total += n
	}
	for _, c := range tables {
		if err := t.copyRecords(ctx, c); err != nil {
			return t.sum, fmt.Errorf("collection %s: %w", c.Name, err)
		}
	}
	t.progress.Checking, t.progress.Rows = true, 0
	for _, c := range tables {
		if err := t.compare(ctx, c); err != nil {
			return t.sum, fmt.Errorf("collection %s: %w", c.Name, err)
		}
	}
	return t.sum, nil
}

func (t *Transfer) notTaken(what string) {
	t.sum.NotTaken++
	if t.Options.Report != nil {
		t.Options.Report(what)
	}
}

func (t *Transfer) step() {
	if t.Options.Progress != nil {
		t.Options.Progress(t.progress)
	}
}

func (t *Transfer) count(ctx context.Context, c *pando.Collection) (n int, err error) {
	err = t.From.Read(ctx, func(r store.Reader) error {
		page, err := r.Find(ctx, store.Query{Collection: r.Catalog().Collection(c.ID), Limit: 1, IDsOnly: true, Total: true})
		n = page.Total
		return err
	})
	return n, err
}

// copyRecords copies the records of c, and then their files.
func (t *Transfer) copyRecords(ctx context.Context, c *pando.Collection) error {
	t.progress.Collection = c.Name
	to := t.To.Catalog().Collection(c.ID)
	var recs []*pando.Record
	size := 0
	err := each(ctx, t.From, c, func(page []*pando.Record) error {
		for _, rec := range page {
			recs = append(recs, &pando.Record{Collection: to, Values: rec.Values})
			size += sizeOf(rec)
		}
		if len(recs) < writeRows && size < writeBytes {
			return nil
		}
		err := t.write(ctx, recs)
		recs, size = recs[:0], 0
		return err
	})
	if err != nil || len(recs) == 0 {
		return err
	}
	return t.write(ctx, recs)
}

// sizeOf is about how many bytes the values of a record take.
func sizeOf(rec *pando.Record) int {
	n := 0
	for _, v := range rec.Values {
		switch v := v.(type) {
		case string:
			n += len(v)
		case json.RawMessage:
			n += len(v)
		case []string:
			for _, s := range v {
				n += len(s)
			}
		}
	}
	return n
}

// write writes records, and then their files.
func (t *Transfer) write(ctx context.Context, recs []*pando.Record) error {
	taken, err := store.InsertTaken(ctx, t.To, recs, t.refuse)
	if err != nil {
		return err
	}
	t.sum.Records += len(taken)
	t.progress.Rows += len(recs)
	for _, rec := range taken {
		if err := t.copyFiles(ctx, rec); err != nil {
			return err
		}
	}
	t.step()
	return nil
}

// refuse notes a record that the target does not take.
func (t *Transfer) refuse(rec *pando.Record, why string) {
	if t.refused == nil {
		t.refused = map[string]bool{}
	}
	t.refused[rec.Collection.ID+"/"+rec.ID()] = true
	t.notTaken(fmt.Sprintf("record %s of collection %s: %s", rec.ID(), rec.Collection.Name, why))
}

// each walks a collection in insertion order, page by page.
func each(ctx context.Context, s store.Store, c *pando.Collection, do func([]*pando.Record) error) error {
	after := ""
	for {
		var page store.Page
		err := s.Read(ctx, func(r store.Reader) (err error) {
			page, err = r.Find(ctx, store.Query{Collection: r.Catalog().Collection(c.ID), After: after, Limit: batchRows})
			return err
		})
		if err != nil || len(page.Records) == 0 {
			return err
		}
		if err := do(page.Records); err != nil {
			return err
		}
		after = page.Records[len(page.Records)-1].ID()
	}
}

// copyFiles copies the files that a record names.
func (t *Transfer) copyFiles(ctx context.Context, rec *pando.Record) error {
	if t.FromFiles == nil {
		return nil
	}
	for _, f := range rec.Collection.Fields {
		if f.Type != pando.FieldFile {
			continue
		}
		for _, name := range rec.Strings(f.Name) {
			if err := t.copyFile(ctx, blob.Key(rec.Collection.ID, rec.ID(), name)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *Transfer) copyFile(ctx context.Context, key string) (err error) {
	f, err := t.FromFiles.Open(ctx, key)
	if pando.KindOf(err) == pando.KindNotFound {
		t.notTaken(fmt.Sprintf("file %s: missing in the source", key))
		return nil
	}
	if err != nil {
		return fmt.Errorf("file %s: %w", key, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := t.ToFiles.Put(ctx, key, f); err != nil {
		return fmt.Errorf("file %s: %w", key, err)
	}
	t.sum.Files++
	t.progress.Files = t.sum.Files
	return nil
}
