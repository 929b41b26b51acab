package records

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/blob"
)

// note writes down, before anything happens to them, that the fate of files
// hangs on this write.
func (w *writing) note(ctx context.Context, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	if w.notedAt.IsZero() {
		w.notedAt = time.Now().Round(0) // of the wall: the other clock stands still while a machine sleeps
	}
	if err := w.s.blobs.Undecided(ctx, keys); err != nil {
		return err
	}
	for _, key := range keys {
		w.noted[key] = true
	}
	return nil
}

// inTime fails if so much time has passed since the files were noted that others
// may take them for abandoned. It is asked inside the transaction.
func (w *writing) inTime() error {
	if w.notedAt.IsZero() || time.Now().Round(0).Sub(w.notedAt) < blob.DecideWithin {
		return nil
	}
	return &pando.Error{Kind: pando.KindUnavailable, Message: "The files took too long to store, please try again."}
}

// putFiles stores the new files of all operations.
func (w *writing) putFiles(ctx context.Context) error {
	var keys []string
	for _, o := range w.ops {
		keys = append(keys, o.newKeys()...)
	}
	if err := w.note(ctx, keys); err != nil {
		return err
	}
	for i, o := range w.ops {
		if o.draft == nil {
			continue
		}
		for _, u := range o.draft.uploads {
			if err := w.putFile(ctx, o, u); err != nil {
				return w.failure(i, err)
			}
		}
	}
	return nil
}

func (o *op) newKeys() []string {
	if o.draft == nil {
		return nil
	}
	var keys []string
	for _, u := range o.draft.uploads {
		keys = append(keys, blob.Key(o.p.coll.ID, o.id, u.name))
	}
	return keys
}

func (w *writing) putFile(ctx context.Context, o *op, u *upload) error {
	if u.check() != nil {
		return nil // the transaction will say so
	}
	r, err := u.open()
	if err != nil {
		return err
	}
	defer r.Close()
	key := blob.Key(o.p.coll.ID, o.id, u.name)
	w.put = append(w.put, key)
	err = w.s.blobs.Put(ctx, key, r)
	if errors.Is(err, blob.ErrAstray) {
		w.astray = append(w.astray, key)
	}
	return err
}

// settle ends what hung on the write: files that no record names go, and the
// notes with them. A file that cannot be removed now keeps its note, and is
// removed when the notes are gone through the next time; so does one that was on
// its way when the store was given up, and may arrive yet.
func (w *writing) settle(ctx context.Context) {
	if len(w.noted) == 0 || w.lost {
		return // the notes stay: the database is asked about them later
	}
	for key := range blob.RemoveEach(ctx, w.s.blobs, w.orphans()) {
		delete(w.noted, key)
	}
	for _, key := range w.astray {
		delete(w.noted, key)
	}
	var settled []string
	for key := range w.noted {
		settled = append(settled, key)
	}
	slices.Sort(settled)
	// The write itself is decided; a note too many only costs a look at the next start.
	_ = w.s.blobs.Decided(ctx, settled)
}

// orphans lists the files that belong to no record after all: those removed by
// a write that was committed, and new ones that nobody came to name.
func (w *writing) orphans() []string {
	if !w.done {
		return w.put
	}
	var list []string
	named := map[string]bool{}
	for _, o := range w.ops {
		list = append(list, o.removed...)
		if o.kind != erase {
			for _, key := range fileKeys(o.rec) {
				named[key] = true
			}
		}
	}
	for _, key := range w.put {
		if !named[key] {
			list = append(list, key)
		}
	}
	return list
}

// fileKeys lists where the files of rec lie.
func fileKeys(rec *pando.Record) []string {
	var keys []string
	for _, f := range rec.Collection.Fields {
		if f.Type != pando.FieldFile {
			continue
		}
		for _, name := range rec.Strings(f.Name) {
			keys = append(keys, blob.Key(rec.Collection.ID, rec.ID(), name))
		}
	}
	return keys
}
