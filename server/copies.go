package server

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/blob/disk"
	"github.com/pandobase/pando/internal/store/sqlite"
	"github.com/pandobase/pando/internal/takeover"
	"github.com/pandobase/pando/internal/transfer"
)

// The options and results of takeovers and copies.
type (
	TakeOverOptions  = takeover.Options
	TakeOverSummary  = takeover.Summary
	TakeOverProgress = takeover.Progress
	CopyOptions      = transfer.Options
	CopySummary      = transfer.Summary
	CopyProgress     = transfer.Progress
)

// TakeOverPocketBase makes a place, whose directory must not exist or be empty
// and whose database and bucket must be empty, of the PocketBase data directory source,
// which is not changed. A failed takeover leaves no target.
func TakeOverPocketBase(ctx context.Context, source string, place Place, o TakeOverOptions) (sum TakeOverSummary, err error) {
	place, err = place.absolute()
	if err != nil {
		return sum, err
	}
	to, err := openTarget(ctx, place, false)
	if err != nil {
		return sum, err
	}
	src, err := sqlite.CopySource(ctx, filepath.Join(source, "data.db"), filepath.Dir(place.Dir))
	if err != nil {
		return sum, errors.Join(err, to.discard())
	}
	storage := filepath.Join(source, "storage")
	if info, err := os.Lstat(storage); err != nil || !info.IsDir() {
		storage = ""
	}
	t := &takeover.Takeover{Source: src, Storage: storage, Store: to.db, Blobs: to.blobs, Options: o}
	sum, err = t.Run(ctx)
	if err = errors.Join(err, src.Close()); err != nil {
		return sum, errors.Join(err, to.discard())
	}
	return sum, to.keep()
}

// CopyData makes place of the data directory source, whose server must be
// stopped. Records go into place's database, which must be empty; files into its
// bucket or shared directory, which must be empty, or without one into its
// directory, which must not exist or be empty, unless it is source itself: then
// they stay where they are. A failed copy leaves no target.
func CopyData(ctx context.Context, source string, place Place, o CopyOptions) (sum CopySummary, err error) {
	from, err := Place{Dir: source}.existing()
	if err != nil {
		return sum, err
	}
	if place, err = place.absolute(); err != nil {
		return sum, err
	}
	same := from.Dir == place.Dir
	if same && place.Database == "" {
		return sum, pando.Invalid("The data is in %s already: name the PostgreSQL database that it goes into with --database.", from.Dir)
	}
	began := time.Now()
	lock, err := lockDir(from.Dir, began) // a running server would write on
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	db, err := openCopy(from.Dir)
	if err != nil {
		return sum, openError(from.Dir, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	to, err := openTarget(ctx, place, same)
	if err != nil {
		return sum, err
	}
	job := transfer.Transfer{From: db, To: to.db, Options: o}
	if to.blobs != nil {
		files, err := disk.Open(filepath.Join(from.Dir, filesDir))
		if err != nil {
			return sum, errors.Join(err, to.discard())
		}
		defer files.Close()
		job.FromFiles, job.ToFiles = files, to.blobs
	}
	if sum, err = job.Run(ctx); err != nil {
		return sum, errors.Join(err, to.discard())
	}
	return sum, to.keep()
}
