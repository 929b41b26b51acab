package server

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/store/postgres"
	"github.com/pandobase/pando/internal/store/sqlite"
)

// target is a place that a copy is made into: empty before, and afterwards
// whole or gone.
type target struct {
	db    store.Store
	blobs *blobStore // nil: files stay where they are

	dir, temp string // what is made in temp becomes dir; both "" if nothing goes there
	// finish and drop are what the database takes besides closing, for a copy
	// that is whole and for one that failed; nil: nothing.
	finish, drop func() error
}

// openTarget readies a place for a copy. same says that its directory is that of
// the source, and is left alone.
func openTarget(ctx context.Context, place Place, same bool) (_ *target, err error) {
	t := new(target)
	defer func() {
		if err != nil {
			err = errors.Join(err, t.discard())
		}
	}()
	// With a database and files elsewhere nothing goes into the directory.
	if !same && (place.Database == "" || place.Blob == "") {
		if err := t.openDir(place); err != nil {
			return t, err
		}
	}
	if place.Blob != "" {
		if t.blobs, err = openEmptyBlobs(ctx, place); err != nil {
			return t, err
		}
	}
	if place.Database == "" {
		t.db, err = sqlite.Open(sqlite.Options{Dir: t.temp, Readers: 1})
		return t, err
	}
	ctx, cancel := context.WithTimeout(ctx, openingBound)
	defer cancel()
	db, err := postgres.OpenTarget(ctx, postgres.Options{URL: place.Database, Logger: quiet})
	if err != nil {
		return t, err
	}
	t.db = db
	t.finish = func() error { return db.Finish(context.Background()) }
	t.drop = func() error { return db.Discard(context.Background()) }
	return t, nil
}

// openDir makes the directory beside its place.
func (t *target) openDir(place Place) error {
	dir := place.Dir
	if err := mustBeNew(dir); err != nil {
		return err
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return unusableDir(parent, err)
	}
	temp, err := os.MkdirTemp(parent, ".pando-copy-")
	if err != nil {
		return unusableDir(parent, err)
	}
	t.dir, t.temp = dir, temp
	if place.Blob == "" {
		t.blobs, err = openBlobs(context.Background(), Place{Dir: temp}, true)
	}
	return err
}

// keep closes the target and puts it in its place: its files first, since the
// database is what makes it a place.
func (t *target) keep() error {
	if err := t.keepFiles(); err != nil {
		return errors.Join(err, t.discard())
	}
	if t.finish != nil {
		if err := t.finish(); err != nil {
			return errors.Join(err, t.discard())
		}
	}
	return t.close()
}

// keepFiles puts the directory in its place. A SQLite file in it must be closed
// before.
func (t *target) keepFiles() error {
	if t.temp == "" {
		return nil
	}
	if err := t.closeDir(); err != nil {
		return err
	}
	if err := os.Remove(t.dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return unusableDir(t.dir, err)
	}
	if err := os.Rename(t.temp, t.dir); err != nil {
		return unusableDir(t.dir, err)
	}
	t.temp = "" // it is no longer ours to remove
	return nil
}

// discard closes the target and removes what was made of it.
func (t *target) discard() error {
	var err error
	if t.drop != nil {
		err = t.drop()
	}
	if t.blobs != nil && t.blobs.shared {
		err = errors.Join(err, t.blobs.clear(context.Background()))
	}
	err = errors.Join(err, t.close())
	if t.temp != "" {
		err = errors.Join(err, os.RemoveAll(t.temp))
	}
	return err
}

// closeDir closes what lies in the directory.
func (t *target) closeDir() (err error) {
	if t.finish == nil {
		err = t.db.Close()
		t.db = nil
	}
	if t.blobs != nil && !t.blobs.shared {
		err = errors.Join(err, t.blobs.close())
		t.blobs = nil
	}
	return err
}

func (t *target) close() (err error) {
	if t.db != nil {
		err = t.db.Close()
	}
	if t.blobs != nil {
		err = errors.Join(err, t.blobs.close())
	}
	t.db, t.blobs = nil, nil
	return err
}

// mustBeNew refuses to write over data.
func mustBeNew(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return unusableDir(dir, err)
	}
	if len(entries) > 0 {
		return pando.Invalid("The directory %s is not empty. Give a new one with --dir.", dir)
	}
	return nil
}
