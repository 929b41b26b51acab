package importer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/field"
	"github.com/pandobase/pando/internal/store"
)

// batchRows is how many rows one transaction takes: enough that syncing costs
// little, few enough that a server beside it hardly waits.
const batchRows = 2000

// Options says what to import where.
type Options struct {
	Collection string            // made if there is none of this name
	Match      map[string]string // key of the file → "collection.field" whose record it names
	Public     bool              // a new collection may be listed and viewed by everyone
	Again      bool              // import a file that was imported before once more

	Progress func(Progress) // called after each batch; may be nil
	Report   func(RowError) // called for each row that was not taken; may be nil
}

// Progress is how far an import is.
type Progress struct {
	Rows        int   // taken so far, earlier runs included
	Failed      int   // rows not taken, in this run
	Bytes, Size int64 // of the file
}

// RowError is a row that was not taken, and why.
type RowError struct {
	Number int
	Err    error
}

// Summary is what an import did.
type Summary struct {
	Collection *pando.Collection
	Created    bool // the collection was made
	Rows       int  // taken in this run
	Resumed    int  // rows that an earlier run had dealt with
	Failed     int  // rows not taken in this run
}

// Importer imports into one store.
type Importer struct {
	Store       store.Store
	Collections pando.Collections
}

// Run imports the file at path.
func (im *Importer) Run(ctx context.Context, path string, o Options) (Summary, error) {
	r := &run{im: im, o: o}
	if err := r.prepare(ctx, path); err != nil {
		return Summary{}, err
	}
	if err := r.rows(ctx, path); err != nil {
		return r.sum, err
	}
	return r.sum, nil
}

// run is one import under way.
type run struct {
	im      *Importer
	o       Options
	sum     Summary
	columns []*column
	byKey   map[string]*column
	match   map[string]*matcher // by key of the file
	mark    string              // the Param that says how far this file came
}

// state is stored with each batch.
type state struct {
	Dealt int  `json:"dealt"` // rows taken or refused
	Rows  int  `json:"rows"`  // rows taken
	Done  bool `json:"done"`
}

// prepare finds out what goes where, and makes the collection if there is none.
func (r *run) prepare(ctx context.Context, path string) error {
	id, err := fingerprint(path)
	if err != nil {
		return err
	}
	r.mark = "import:" + strings.ToLower(r.o.Collection) + ":" + id
	if err := r.resume(ctx, path); err != nil {
		return err
	}
	if err := r.sample(path); err != nil {
		return err
	}
	catalog := r.im.Store.Catalog()
	if r.match, err = newMatchers(catalog, r.o.Match, r.byKey); err != nil {
		return err
	}
	c := catalog.Collection(r.o.Collection)
	if c == nil {
		return r.create(ctx)
	}
	return r.fit(c)
}

// resume reads how far an earlier run of the same file came.
func (r *run) resume(ctx context.Context, path string) error {
	var st state
	err := r.im.Store.Read(ctx, func(rd store.Reader) error {
		data, err := rd.Param(ctx, r.mark)
		if err != nil || data == nil {
			return err
		}
		return json.Unmarshal(data, &st)
	})
	switch {
	case err != nil:
		return err
	case r.o.Again:
	case st.Done:
		return pando.Invalid("%s was imported into %s before (%d rows). To import it once more, add --again.", path, r.o.Collection, st.Rows)
	default:
		r.sum.Resumed = st.Dealt
	}
	return nil
}

// sample reads the beginning of the file and learns its columns.
func (r *run) sample(path string) error {
	src, err := Open(path)
	if err != nil {
		return err
	}
	defer src.Close()
	r.byKey = map[string]*column{}
	taken := map[string]bool{}
	rows := 0
	for ; rows < sampleRows; rows++ {
		row, err := src.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return pando.Invalid("Cannot read %s: %v.", path, err)
		}
		for _, key := range row.Keys {
			c := r.byKey[key]
			if c == nil {
				c = &column{key: key, field: fieldName(key, taken)}
				r.byKey[key] = c
				r.columns = append(r.columns, c)
			}
			c.see(row.Values[key])
		}
	}
	if rows == 0 {
		return pando.Invalid("%s has no rows.", path)
	}
	return nil
}

func (r *run) create(ctx context.Context) error {
	targets := map[string]*pando.Collection{}
	for key, m := range r.match {
		targets[key] = m.target
	}
	def, err := definition(r.o.Collection, r.columns, targets, r.o.Public)
	if err != nil {
		return err
	}
	if _, err := r.im.Collections.Create(ctx, def, "id"); err != nil {
		return fmt.Errorf("cannot make the collection %s: %w", r.o.Collection, err)
	}
	r.sum.Created = true
	return r.fit(r.im.Store.Catalog().Collection(r.o.Collection))
}

// fit checks that every key of the file has a field in c.
func (r *run) fit(c *pando.Collection) error {
	if c.IsView() {
		return pando.Invalid("%s is a view: it shows other collections' records and takes none.", c.Name)
	}
	r.sum.Collection = c
	var missing []string
	for _, col := range r.columns {
		// The file may use the field's own name, which wins over a made one.
		if c.Field(col.key) != nil {
			col.field = col.key
		}
		if c.Field(col.field) == nil {
			missing = append(missing, col.key)
		}
	}
	if len(missing) > 0 {
		return pando.Invalid("%s has no field for %s of the file. Add the fields, or rename the keys of the file.", c.Name, strings.Join(missing, ", "))
	}
	for key, m := range r.match {
		f := c.Field(r.byKey[key].field)
		if o, ok := f.Options.(*pando.RelationOptions); !ok || o.CollectionID != m.target.ID {
			return pando.Invalid("--match %s: the field %s of %s is no relation to %s.", key, f.Name, c.Name, m.target.Name)
		}
	}
	return nil
}

// rows imports all rows that no earlier run has dealt with.
func (r *run) rows(ctx context.Context, path string) error {
	src, err := Open(path)
	if err != nil {
		return err
	}
	defer src.Close()
	var batch []Row
	for {
		row, err := src.Next()
		last := errors.Is(err, io.EOF)
		if err != nil && !last {
			return pando.Invalid("Cannot read %s: %v. The rows before are in; mend the file and run the import again.", path, err)
		}
		if !last && row.Number > r.sum.Resumed {
			batch = append(batch, row)
		}
		if len(batch) == batchRows || last {
			if err := r.flush(ctx, batch, src.number, last); err != nil {
				return err
			}
			batch = batch[:0]
			if r.o.Progress != nil {
				done, size := src.Progress()
				r.o.Progress(Progress{Rows: r.sum.Resumed + r.sum.Rows, Failed: r.sum.Failed, Bytes: done, Size: size})
			}
		}
		if last {
			return nil
		}
	}
}

// flush writes one batch and how far it came in one transaction.
func (r *run) flush(ctx context.Context, batch []Row, number int, done bool) error {
	var taken int
	var failed []RowError
	_, err := r.im.Store.Write(ctx, func(tx store.Tx) error {
		taken, failed = 0, failed[:0]
		c := tx.Catalog().Collection(r.sum.Collection.ID)
		if c == nil {
			return pando.Invalid("The collection %s was deleted meanwhile.", r.sum.Collection.Name)
		}
		now := pando.FormatTime(time.Now())
		for _, row := range batch {
			err := r.insert(ctx, tx, c, row, now)
			if err == nil {
				taken++
				continue
			}
			if !isRowError(err) {
				return fmt.Errorf("row %d: %w", row.Number, err)
			}
			failed = append(failed, RowError{row.Number, err})
		}
		st := state{Dealt: number, Rows: r.sum.Rows + taken, Done: done}
		data, err := json.Marshal(st)
		if err != nil {
			return err
		}
		return tx.SetParam(ctx, r.mark, data)
	})
	if err != nil {
		return err
	}
	r.sum.Rows += taken
	r.sum.Failed += len(failed)
	if r.o.Report != nil {
		for _, f := range failed {
			r.o.Report(f)
		}
	}
	return nil
}

// insert makes a record of row.
func (r *run) insert(ctx context.Context, tx store.Tx, c *pando.Collection, row Row, now string) error {
	if row.Err != nil {
		return rowError{row.Err}
	}
	rec := pando.NewRecord(c)
	for _, key := range row.Keys {
		col := r.byKey[key]
		if col == nil { // first seen after the sample
			return rowError{fmt.Errorf("%s is no field of %s", key, c.Name)}
		}
		f := c.Field(col.field)
		value := row.Values[key]
		if m := r.match[key]; m != nil {
			id, err := m.find(ctx, tx, value)
			if err != nil {
				return err
			}
			value = id
		}
		rec.Set(f.Name, cast(f, value))
	}
	if err := complete(ctx, tx, rec, now); err != nil {
		return err
	}
	for i, f := range c.Fields {
		if f.Type == pando.FieldPassword || f.Type == pando.FieldFile {
			continue // hashes come as they are; files are named, not uploaded
		}
		if fe := field.Check(f, rec.Values[i]); fe != nil {
			return rowError{fmt.Errorf("%s: %s", f.Name, fe.Message)}
		}
	}
	err := tx.Insert(ctx, rec)
	if ue, ok := errors.AsType[*store.UniqueError](err); ok {
		return rowError{fmt.Errorf("%s: another record has the same value", strings.Join(ue.Fields, ", "))}
	}
	return err
}

// cast brings a value of the file into the type of f. Dates may be written in
// more ways in files than clients may send them.
func cast(f *pando.Field, value any) any {
	text, isText := value.(string)
	switch {
	case isText && f.Type == pando.FieldDate:
		value = parseDate(text)
	case isText && f.Type == pando.FieldNumber:
		value = strings.TrimSpace(text)
	case f.Type == pando.FieldJSON:
		if text == "" && isText {
			value = nil
		}
	}
	return field.Cast(f, value)
}

// rowError is the fault of a row, not of the import.
type rowError struct{ error }

func (e rowError) Unwrap() error { return e.error }

func isRowError(err error) bool {
	_, ok := errors.AsType[rowError](err)
	return ok
}
