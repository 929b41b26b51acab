package server

import (
	"cmp"
	"context"
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pandobase/pando/internal/certs"
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/collections"
	"github.com/pandobase/pando/internal/overload"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/store/cached"
	"github.com/pandobase/pando/internal/store/postgres"
	"github.com/pandobase/pando/internal/store/sqlite"
	"github.com/pandobase/pando/internal/topology"
)

// database is the store that the configuration chose, with what concerns
// operators only.
type database struct {
	store.Store
	kind   string // as /readyz?verbose names it
	counts func() databaseCounts
	// judge tells what a position that a client kept is worth now.
	judge func(context.Context, position.Token) position.Verdict
	// void tells whether a failover has taken back what one stands for.
	void func(context.Context, position.Token) bool
	// seen fails if a client has seen more than this server can know; nil: none has.
	seen func(context.Context) error
	// reload takes another address of the same database: other hosts.
	reload func(address string) error
	// hosts is what is known of each host; nil: there are none.
	hosts func() topology.Status
	// member is this server's part in the stream of all commits; nil: there is none.
	member *member
	// held counts how long answers to commits waited for that stream.
	held prometheus.Histogram
	// await and inForce are around whatever goes by the collections and the settings:
	// see [postgres.Store]. nil: only this server changes them.
	await, inForce func(ctx context.Context) error
	// views tells what facts hang on that are made from a view; nil: on everything.
	views cached.Views
	// certificates are rows for certificates that all servers share; nil: there are none.
	certificates func() certs.Rows
	// served is which host has answered how many reads.
	served func() []postgres.Served
}

// tag is what the ids of realtime clients begin with.
func (d *database) tag() string {
	if d.member == nil || d.member.peers == nil {
		return ""
	}
	return clientTag(d.member.self.ID)
}

// databaseCounts is what a database did since it was opened.
type databaseCounts struct {
	reads   uint64 // snapshots opened
	writes  uint64 // transactions kept
	commits uint64 // groups of transactions written together
	retries uint64 // transactions run again, because others were in their way
}

// openDatabase opens the database of a place, for a server or for one task
// beside it, and puts into an empty one what every database has.
// m is how a server hears of other servers' commits; nil for a task.
func openDatabase(cfg Config, place Place, l limits, index *position.Index, sinks []changes.Sink, m *memberConfig) (*database, error) {
	var db *database
	var err error
	if place.Database == "" {
		db, err = openSQLite(cfg, place.Dir, l, index, sinks)
	} else {
		db, err = openPostgres(cfg, place, index, sinks, m)
	}
	if err != nil {
		return nil, err
	}
	if err := collections.Bootstrap(context.Background(), db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// Read is of requests too that were let in without a place: they need one now.
func (d *database) Read(ctx context.Context, fn func(store.Reader) error) error {
	if err := overload.Admit(ctx); err != nil {
		return err
	}
	return d.Store.Read(ctx, fn)
}

// Close leaves the cluster, then closes the database.
func (d *database) Close() error {
	if d.member == nil {
		return d.Store.Close()
	}
	return errors.Join(d.member.close(), d.Store.Close())
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
	return &database{
		Store: db, kind: "sqlite",
		counts: func() databaseCounts {
			s := db.Stats()
			return databaseCounts{reads: s.Reads, writes: s.Writes, commits: s.Commits}
		},
		// On one machine there is one timeline, 0, and whatever is read is current.
		judge: func(_ context.Context, t position.Token) position.Verdict {
			return position.History{}.Judge(t, index.Latest())
		},
		void: func(_ context.Context, t position.Token) bool { return position.History{}.Void(t) },
	}, nil
}
