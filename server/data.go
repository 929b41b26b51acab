package server

import (
	"context"
	"errors"
	"runtime"

	"github.com/pandobase/pando/internal/auth"
	"github.com/pandobase/pando/internal/collections"
	"github.com/pandobase/pando/internal/importer"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/store/sqlite"
)

// Data is a place opened for one task, beside a running server or without one.
type Data struct {
	db    store.Store
	blobs *blobStore
}

// OpenData opens a place, making its directory if it is not there. The caller
// closes it.
func OpenData(place Place) (*Data, error) {
	place, err := place.absolute()
	if err != nil {
		return nil, err
	}
	db, err := openDatabase(Config{}.withDefaults(), place, limits{readers: 2, writer: importPages}, nil, nil, nil)
	if err != nil {
		return nil, err
	}
	blobs, err := openBlobs(context.Background(), place, true)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &Data{db, blobs}, nil
}

// Close closes what OpenData opened.
func (d *Data) Close() error { return errors.Join(d.blobs.close(), d.db.Close()) }

// The options and results of imports.
type (
	ImportOptions  = importer.Options
	ImportProgress = importer.Progress
	ImportRowError = importer.RowError
	ImportSummary  = importer.Summary
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
