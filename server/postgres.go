package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/certs"
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store/postgres"
)

// openingBound is how long a start waits for a database that does not answer.
const openingBound = 15 * time.Second

// quiet is for commands, which say by themselves what there is to say.
var quiet = slog.New(slog.DiscardHandler)

// openPostgres opens a PostgreSQL database: as the one server of it, if sinks
// are to be told of its commits, else for one task beside a server.
func openPostgres(cfg Config, place Place, index *position.Index, sinks []changes.Sink, m *memberConfig) (*database, error) {
	held := newCommitHeld()
	o := postgres.Options{
		URL: place.Database, Index: index, Sinks: sinks, OneShot: sinks == nil,
		QueryTimeout: cfg.QueryTimeout, WriteWait: cfg.WriteWait, Logger: cfg.Log,
	}
	if o.OneShot {
		o.Logger = quiet
	} else {
		o.Identity, o.Clock = m.self.ID, m.clock
		o.Shared, o.RefuseDegraded = m.shared(), cfg.RefuseDegraded
		o.Held = func(d time.Duration) { held.Observe(d.Seconds()) }
	}
	ctx, cancel := context.WithTimeout(context.Background(), openingBound)
	defer cancel()
	db, err := postgres.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	var joined *member
	switch {
	case o.OneShot:
	case db.Deaf() != "":
		cfg.Log.Warn("nothing is cached, and every read of a cluster goes to the primary: the database's log of changes cannot be followed", "reason", db.Deaf())
		if cfg.indirect() {
			err = pando.Invalid("The database's log of changes cannot be followed (%s), and without it load balancers do not find this server: mend that (`pando doctor` says how), or give --direct.", db.Deaf())
			return nil, errors.Join(err, db.Close())
		}
		if err := m.close(); err != nil { // the others do not talk with it
			return nil, errors.Join(err, db.Close())
		}
	default:
		if joined, err = m.join(db); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	return &database{
		member: joined,
		Store:  db, kind: "postgresql",
		counts: func() databaseCounts {
			s := db.Stats()
			return databaseCounts{reads: s.Reads, writes: s.Writes, commits: s.Writes, retries: s.Retries}
		},
		certificates: func() certs.Rows { return db.Certificates() },
		held:         held,
		judge:        db.Judge, void: db.Void, seen: db.Seen, hosts: db.Topology, served: db.Served, await: db.Await, inForce: db.InForce,
		views: db.ViewTags,
		reload: func(address string) error {
			ctx, cancel := context.WithTimeout(context.Background(), openingBound)
			defer cancel()
			return db.SetURL(ctx, address)
		},
	}, nil
}

// identityFile tells one data directory from another, wherever it is mounted.
const identityFile = "server-id"

// identity is the name under which the server of a data directory holds its
// place at a database: after a crash the same directory takes it back at once.
func identity(dir string) (string, error) {
	path := filepath.Join(dir, identityFile)
	text, err := os.ReadFile(path)
	if id := strings.TrimSpace(string(text)); err == nil && id != "" {
		return id, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", unusableDir(dir, err)
	}
	var random [16]byte
	rand.Read(random[:]) // it cannot fail
	id := hex.EncodeToString(random[:])
	if err := os.WriteFile(path, []byte(id+"\n"), 0o600); err != nil {
		return "", unusableDir(dir, fmt.Errorf("name the server: %w", err))
	}
	return id, nil
}
