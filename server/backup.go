package server

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/pandobase/pando/internal/backup"
	"github.com/pandobase/pando/internal/blob"
	"github.com/pandobase/pando/internal/blob/disk"
	"github.com/pandobase/pando/internal/store/postgres"
)

// BackupInfo is what an archive holds.
type BackupInfo struct {
	Entries int
	Bytes   int64 // before compression
	// Missing are the files that records name and that were gone before the
	// backup was made.
	Missing []string
}

// Backup writes everything in a place to one archive, which must not
// exist yet, and reads it back to check it. A server may use the place
// meanwhile. progress is told what is written so far; it may be nil.
func Backup(ctx context.Context, place Place, archive, version string, progress func(entries int, bytes int64)) (*BackupInfo, error) {
	place, err := place.existing()
	if err != nil {
		return nil, err
	}
	db, err := openDatabase(Config{}.withDefaults(), place, limits{readers: 2}, nil, nil, nil)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	blobs, err := openBlobs(ctx, place, true)
	if err != nil {
		return nil, err
	}
	defer blobs.close()
	c := backup.Creator{
		Store: db, Database: backup.Database(db.kind), Version: version, Progress: progress,
		Stage: func() (backup.Stage, error) { return blobs.stage(filepath.Dir(archive)) },
	}
	if place.Database == "" {
		c.Open = openCopy
	}
	m, err := c.Create(ctx, archive)
	if err != nil {
		return nil, err
	}
	return backupInfo(m), nil
}

// Restore unpacks an archive into a place: its directory must be empty or not
// exist, its database and its bucket or shared directory be empty. A failed restore
// leaves nothing.
func Restore(ctx context.Context, archive string, place Place) (_ *BackupInfo, err error) {
	place, err = place.absolute()
	if err != nil {
		return nil, err
	}
	files := func(dir string) (blob.Store, error) { return disk.Open(dir) }
	if place.Blob != "" {
		blobs, failed := openEmptyBlobs(ctx, place)
		if failed != nil {
			return nil, failed
		}
		files = func(string) (blob.Store, error) { return blobs, nil } // nobody else closes it
		defer func() { err = errors.Join(err, blobs.leave(err)) }()
	}
	r := backup.Restorer{
		Database: backup.SQLite,
		Load:     checkCopy,
		Blobs:    files,
	}
	if place.Database != "" {
		r.Database = backup.PostgreSQL
		r.Load = func(ctx context.Context, path string) error { return loadPostgres(ctx, place.Database, path) }
	}
	m, err := r.Restore(ctx, archive, place.Dir)
	if err != nil {
		return nil, err
	}
	return backupInfo(m), nil
}

func backupInfo(m *backup.Manifest) *BackupInfo {
	info := &BackupInfo{Entries: len(m.Entries), Missing: m.Missing}
	for _, e := range m.Entries {
		info.Bytes += e.Size
	}
	return info
}

// checkCopy tells whether a copied SQLite file can be used.
func checkCopy(_ context.Context, path string) error {
	db, err := openCopy(filepath.Dir(path))
	if err != nil {
		return err
	}
	return db.Close()
}

// loadPostgres brings the copy of a PostgreSQL database into an empty one, and
// removes it.
func loadPostgres(ctx context.Context, database, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	err = postgres.Restore(ctx, postgres.Options{URL: database, Logger: quiet}, f)
	return errors.Join(err, f.Close(), os.Remove(path))
}
