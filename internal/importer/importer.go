package importer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

// Options says what to import where.
type Options struct {
	Collection string            // made if there is none of this name
	Match      map[string]string // key of the file → "collection.field" whose record it names
	Public     bool              // a new collection may be listed and viewed by everyone
	Again      bool              // import a file that was imported before once more

	Note     func(string)   // told what is worth knowing before the rows; may be nil
	Progress func(Progress) // called after each batch; may be nil
	Report   func(RowError) // called for each row that was not taken; may be nil
}

// Progress is how far an import is.
type Progress struct {
	Rows        int   // dealt with so far, earlier runs included
	Resumed     int   // of these, by earlier runs
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
	Locked     int  // rows taken in this run without a password: nobody can log in with one
}

// Importer imports into one store.
type Importer struct {
	Store       store.Store
	Collections pando.Collections
	Passwords   hasher // for rows with plain passwords
}

// hasher hashes passwords, a bounded number at once.
type hasher interface {
	// Hash is the bcrypt hash of plain; cost 0 is the usual. It fails with
	// KindInvalid if plain is too long.
	Hash(ctx context.Context, plain string, cost int) (string, error)
}

// Run imports the file at path.
func (im *Importer) Run(ctx context.Context, path string, o Options) (Summary, error) {
	r := &run{im: im, o: o}
	if err := r.prepare(ctx, path); err != nil {
		return Summary{}, err
	}
	if r.hashes() && o.Note != nil {
		o.Note("The rows have plain passwords. Hashing them is slow, about 15 to 20 a second for each processor; " +
			"bcrypt hashes under the name passwordHash go in as they are.")
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
	secrets []secret            // password fields that the file fills
	mark    string              // the Param that says how far this file came
	state   state               // as last stored
}

// state is stored with each batch.
type state struct {
	Collection string `json:"collection"` // its id: another one of the same name is another target
	Dealt      int    `json:"dealt"`      // rows taken or refused
	Rows       int    `json:"rows"`       // rows taken
	Done       bool   `json:"done"`
}

// prepare finds out what goes where, and makes the collection if there is none.
func (r *run) prepare(ctx context.Context, path string) error {
	id, err := fingerprint(path)
	if err != nil {
		return err
	}
	r.mark = "import:" + strings.ToLower(r.o.Collection) + ":" + id
	catalog := r.im.Store.Catalog()
	c := catalog.Collection(r.o.Collection)
	if err := r.resume(ctx, path, c); err != nil {
		return err
	}
	if err := r.sample(path); err != nil {
		return err
	}
	if r.match, err = newMatchers(catalog, r.o.Match, r.byKey); err != nil {
		return err
	}
	if c == nil {
		return r.create(ctx)
	}
	return r.fit(c)
}

// resume reads how far an earlier run of the same file into c came; c is nil if
// it is still to be made.
func (r *run) resume(ctx context.Context, path string, c *pando.Collection) error {
	var st state
	err := r.im.Store.Read(ctx, func(rd store.Reader) error {
		st = state{}
		return r.stored(ctx, rd, &st)
	})
	switch {
	case err != nil:
		return err
	case c == nil || st.Collection != c.ID: // of a collection that is gone
	case st.Done && !r.o.Again:
		return pando.Invalid("%s was imported into %s before (%d rows). To import it once more, add --again.", path, c.Name, st.Rows)
	case st.Done:
	default:
		r.sum.Resumed = st.Dealt
	}
	r.state = st
	return nil
}

// stored reads how far imports of this file came by now.
func (r *run) stored(ctx context.Context, rd store.Reader, into *state) error {
	data, err := rd.Param(ctx, r.mark)
	if err != nil || data == nil {
		return err
	}
	return json.Unmarshal(data, into)
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
