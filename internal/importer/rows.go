package importer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/field"
	"github.com/pandobase/pando/internal/store"
)

// Bounds of one transaction: enough rows that syncing costs little, little
// enough time that a server beside it hardly waits.
const (
	batchRows  = 2000
	batchTime  = 100 * time.Millisecond
	secretRows = 100 // of a batch with passwords to hash, which takes much longer
)

// chunk is what the reader of a file hands to the writer.
type chunk struct {
	rows []Row
	done int64 // bytes of the file read by then
	last bool
	err  error // the rest of the file cannot be read
}

// rows imports all rows that no earlier run has dealt with. One goroutine reads
// ahead while this one writes.
func (r *run) rows(ctx context.Context, path string) error {
	src, err := Open(path)
	if err != nil {
		return err
	}
	defer src.Close()
	_, size := src.Progress()
	reading, stop := context.WithCancel(ctx)
	chunks := make(chan chunk, 2)
	var reader sync.WaitGroup
	reader.Go(func() {
		defer close(chunks)
		r.read(reading, src, chunks)
	})
	defer reader.Wait()
	defer stop()
	for c := range chunks {
		if err := r.flush(ctx, c.rows, c.last); err != nil {
			return err
		}
		if c.err != nil {
			return pando.Invalid("Cannot read %s: %v. The rows before are in; mend the file and run the import again.", path, c.err)
		}
		if r.o.Progress != nil {
			r.o.Progress(Progress{Rows: r.state.Dealt, Resumed: r.sum.Resumed, Failed: r.sum.Failed, Bytes: c.done, Size: size})
		}
		if c.last {
			return nil
		}
	}
	return ctx.Err()
}

// read sends the rows of src, in chunks of the size of a batch, until they end
// or ctx does.
func (r *run) read(ctx context.Context, src *Source, chunks chan<- chunk) {
	size := batchRows
	if r.hashes() {
		size = secretRows
	}
	for {
		var c chunk
		for len(c.rows) < size && !c.last && c.err == nil {
			row, err := src.Next()
			switch {
			case errors.Is(err, io.EOF):
				c.last = true
			case err != nil:
				c.err = err
			case row.Number > r.sum.Resumed:
				c.rows = append(c.rows, row)
			}
		}
		c.done, _ = src.Progress()
		select {
		case chunks <- c:
		case <-ctx.Done():
			return
		}
		if c.last || c.err != nil {
			return
		}
	}
}

// flush writes a batch, in as many transactions as it takes time for. last says
// that no row follows.
func (r *run) flush(ctx context.Context, batch []Row, last bool) error {
	secrets, err := r.hashAll(ctx, batch)
	if err != nil {
		return err
	}
	for len(batch) > 0 || last {
		n, err := r.write(ctx, batch, secrets, last)
		if err != nil {
			return err
		}
		batch, secrets = batch[n:], secrets[n:]
		last = last && !r.state.Done
	}
	return nil
}

// write writes the first rows of batch and how far that is in one transaction,
// and returns how many rows it dealt with.
func (r *run) write(ctx context.Context, batch []Row, secrets []hashed, last bool) (int, error) {
	var w *writing
	var next state
	_, err := r.im.Store.Write(ctx, func(tx store.Tx) error {
		w = &writing{run: r, tx: tx, now: pando.FormatTime(time.Now()), known: map[string]bool{}}
		if w.c = tx.Catalog().Collection(r.sum.Collection.ID); w.c == nil {
			return pando.Invalid("The collection %s was deleted meanwhile.", r.sum.Collection.Name)
		}
		if err := r.unchanged(ctx, tx); err != nil {
			return err
		}
		if err := w.rows(ctx, batch, secrets); err != nil {
			return err
		}
		next = state{Collection: w.c.ID, Dealt: r.sum.Resumed, Rows: w.taken}
		if r.state.Collection == w.c.ID && !r.state.Done {
			next.Dealt, next.Rows = r.state.Dealt, r.state.Rows+w.taken
		}
		if w.dealt > 0 {
			next.Dealt = batch[w.dealt-1].Number
		}
		next.Done = last && w.dealt == len(batch)
		data, err := json.Marshal(next)
		if err != nil {
			return err
		}
		return tx.SetParam(ctx, r.mark, data)
	})
	if err != nil {
		return 0, err
	}
	r.state = next
	r.sum.Rows += w.taken
	r.sum.Failed += len(w.failed)
	r.sum.Locked += w.locked
	if r.o.Report != nil {
		for _, f := range w.failed {
			r.o.Report(f)
		}
	}
	return w.dealt, nil
}

// unchanged makes sure that nobody else imports the same file at the same time:
// each row would be in twice.
func (r *run) unchanged(ctx context.Context, tx store.Tx) error {
	var st state
	if err := r.stored(ctx, tx, &st); err != nil {
		return err
	}
	if st != r.state {
		return pando.Invalid("Another import of the same file into %s is under way. This one stops.", r.sum.Collection.Name)
	}
	return nil
}

// writing is one transaction that takes rows.
type writing struct {
	*run
	tx    store.Tx
	c     *pando.Collection
	now   string
	known map[string]bool // collection and id of records that exist in tx

	dealt, taken, locked int
	failed               []RowError
}

// rows inserts the rows of batch until they took too long for one transaction.
func (w *writing) rows(ctx context.Context, batch []Row, secrets []hashed) error {
	began := time.Now()
	for i, row := range batch {
		if i > 0 && i%64 == 0 && time.Since(began) > batchTime {
			return nil
		}
		err := w.insert(ctx, row, secrets[i])
		w.dealt++
		switch {
		case err == nil:
			w.taken++
			if secrets[i].locked {
				w.locked++
			}
		case isRowError(err):
			w.failed = append(w.failed, RowError{row.Number, err})
		default:
			return fmt.Errorf("row %d: %w", row.Number, err)
		}
	}
	return nil
}

// insert makes a record of row.
func (w *writing) insert(ctx context.Context, row Row, secret hashed) error {
	if row.Err != nil {
		return rowError{row.Err}
	}
	if secret.err != nil {
		return secret.err
	}
	rec := pando.NewRecord(w.c)
	for _, key := range row.Keys {
		f, err := w.fieldFor(w.c, key)
		if err != nil {
			return err
		}
		if f == nil || f.Type == pando.FieldPassword {
			continue
		}
		value := row.Values[key]
		if m := w.match[key]; m != nil {
			if value, err = m.find(ctx, w, value); err != nil {
				return err
			}
		}
		layout := ""
		if col := w.byKey[key]; col != nil {
			layout = col.layout
		}
		if value, err = read(f, value, layout); err != nil {
			return rowError{fmt.Errorf("%s: %w", key, err)}
		}
		rec.Set(f.Name, value)
	}
	for name, hash := range secret.values {
		rec.Set(name, hash)
	}
	if err := w.complete(ctx, rec); err != nil {
		return err
	}
	for i, f := range w.c.Fields {
		if f.Type == pando.FieldPassword {
			continue // it is a hash by now
		}
		if fe := field.Check(f, rec.Values[i]); fe != nil {
			return rowError{fmt.Errorf("%s: %s", f.Name, fe.Message)}
		}
	}
	err := w.tx.Insert(ctx, rec)
	if ue, ok := errors.AsType[*store.UniqueError](err); ok {
		if len(ue.Fields) == 0 {
			return rowError{errors.New("another record has the same values, and an index forbids that")}
		}
		return rowError{fmt.Errorf("%s: another record has the same value", strings.Join(ue.Fields, ", "))}
	}
	return err
}

// rowError is the fault of a row, not of the import.
type rowError struct{ error }

func (e rowError) Unwrap() error { return e.error }

func isRowError(err error) bool {
	_, ok := errors.AsType[rowError](err)
	return ok
}
