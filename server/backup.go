package server

import (
	"context"
	"path/filepath"

	"github.com/pandobase/pando/internal/backup"
	"github.com/pandobase/pando/internal/blob"
	"github.com/pandobase/pando/internal/blob/disk"
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
	db, err := openDatabase(Config{}.withDefaults(), place, limits{readers: 2}, nil, nil)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	blobs, err := disk.Open(filepath.Join(place.Dir, filesDir))
	if err != nil {
		return nil, err
	}
	defer blobs.Close()
	c := backup.Creator{
		Store: db, Version: version, Progress: progress, Open: openCopy,
		Stage: func() (backup.Stage, error) { return blobs.Stage() },
	}
	m, err := c.Create(ctx, archive)
	if err != nil {
		return nil, err
	}
	return backupInfo(m), nil
}

// Restore unpacks an archive into dir, which must be empty or not exist. A
// failed restore leaves nothing.
func Restore(ctx context.Context, archive, dir string) (*BackupInfo, error) {
	if dir == "" {
		dir = DefaultDir
	}
	r := backup.Restorer{
		Open:  openCopy,
		Blobs: func(dir string) (blob.Store, error) { return disk.Open(dir) },
	}
	m, err := r.Restore(ctx, archive, dir)
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
