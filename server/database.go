package server

import (
	"cmp"
	"context"
	"errors"

	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/collections"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/store/sqlite"
)

// database is the store that the configuration chose, with what concerns
// operators only.
type database struct {
	store.Store
	kind   string // as /readyz?verbose names it
	counts func() databaseCounts
	// reload takes another address of the same database: other hosts.
	reload func(address string) error
}

// databaseCounts is what a database did since it was opened.
type databaseCounts struct {
	reads   uint64 // snapshots opened
	writes  uint64 // transactions kept
	commits uint64 // groups of transactions written together
}

// openDatabase opens the database of a place, for a server or for one task
// beside it, and puts into an empty one what every database has.
func openDatabase(cfg Config, place Place, l limits, index *position.Index, sinks []changes.Sink) (*database, error) {
	var db *database
	var err error
	if place.Database == "" {
		db, err = openSQLite(cfg, place.Dir, l, index, sinks)
	} else {
		db, err = openPostgres(cfg, place, index, sinks)
	}
	if err != nil {
		return nil, err
	}
	if err := collections.Bootstrap(context.Background(), db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func openSQLite(cfg Config, dir string, l limits, index *position.Index, sinks []changes.Sink) (*database, error) {
	db, err := sqlite.Open(sqlite.Options{
		Dir: dir, Index: index, Sinks: sinks,
		Readers: l.readers, ReaderCache: readerPages, WriterCache: cmp.Or(l.writer, writerPages),
		QueryTimeout: cfg.QueryTimeout, Logger: cfg.Log,
	})
	if err != nil {
		return nil, openError(dir, err)
	}
	return &database{Store: db, kind: "sqlite", counts: func() databaseCounts {
		s := db.Stats()
		return databaseCounts{reads: s.Reads, writes: s.Writes, commits: s.Commits}
	}}, nil
}
