package server

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/auth"
	"github.com/pandobase/pando/internal/blob/disk"
	"github.com/pandobase/pando/internal/collections"
	"github.com/pandobase/pando/internal/importer"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/store/sqlite"
	"github.com/pandobase/pando/internal/takeover"
)

// Data is a place opened for one task, beside a running server or without one.
type Data struct {
	place Place
	db    store.Store
	blobs *disk.Store
}

// OpenData opens a place, making its directory if it is not there. The caller
// closes it.
func OpenData(place Place) (*Data, error) {
	place, err := place.absolute()
	if err != nil {
		return nil, err
	}
	db, err := openDatabase(Config{}.withDefaults(), place, limits{readers: 2, writer: importPages}, nil, nil)
	if err != nil {
		return nil, err
	}
	blobs, err := disk.Open(filepath.Join(place.Dir, filesDir))
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &Data{place, db, blobs}, nil
}

// Close closes what OpenData opened.
func (d *Data) Close() error { return errors.Join(d.blobs.Close(), d.db.Close()) }

// The options and results of imports and takeovers.
type (
	ImportOptions    = importer.Options
	ImportProgress   = importer.Progress
	ImportRowError   = importer.RowError
	ImportSummary    = importer.Summary
	TakeOverOptions  = takeover.Options
	TakeOverSummary  = takeover.Summary
	TakeOverProgress = takeover.Progress
)

// Import brings the rows of a JSON, NDJSON or CSV file into a collection.
func (d *Data) Import(ctx context.Context, path string, o ImportOptions) (ImportSummary, error) {
	passwords := auth.NewPasswords(auth.PasswordsConfig{Workers: runtime.GOMAXPROCS(0)})
	defer passwords.Close()
	im := &importer.Importer{
		Store:       d.db,
		Collections: collections.New(collections.Config{Store: d.db, Blobs: d.blobs}),
		Passwords:   passwords,
	}
	return im.Run(ctx, path, o)
}

// openCopy opens a database as it is, adding nothing to it.
func openCopy(dir string) (store.Store, error) {
	return sqlite.Open(sqlite.Options{Dir: dir, Readers: 1})
}

// TakeOverPocketBase makes the data directory dir, which must not exist or be
// empty, of the PocketBase data directory source, which is not changed. A failed
// takeover leaves no target.
func TakeOverPocketBase(ctx context.Context, source, dir string, o TakeOverOptions) (sum TakeOverSummary, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return sum, unusableDir(dir, err)
	}
	if err := mustBeNew(dir); err != nil {
		return sum, err
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return sum, unusableDir(parent, err)
	}
	temp, err := os.MkdirTemp(parent, ".pando-takeover-")
	if err != nil {
		return sum, unusableDir(parent, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()

	src, err := sqlite.CopySource(ctx, filepath.Join(source, "data.db"), parent)
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	if sum, err = takeOver(ctx, src, source, temp, o); err != nil {
		return sum, err
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return sum, unusableDir(dir, err)
	}
	if err := os.Rename(temp, dir); err != nil {
		return sum, unusableDir(dir, err)
	}
	return sum, nil
}

// takeOver fills the new directory temp.
func takeOver(ctx context.Context, src *sqlite.Source, source, temp string, o TakeOverOptions) (sum TakeOverSummary, err error) {
	db, err := openCopy(temp)
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	blobs, err := disk.Open(filepath.Join(temp, filesDir))
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, blobs.Close()) }()
	storage := filepath.Join(source, "storage")
	if info, err := os.Lstat(storage); err != nil || !info.IsDir() {
		storage = ""
	}
	t := &takeover.Takeover{Source: src, Storage: storage, Store: db, Blobs: blobs, Options: o}
	return t.Run(ctx)
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
