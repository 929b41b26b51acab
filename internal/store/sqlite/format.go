package sqlite

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
	lib "modernc.org/sqlite/lib"
)

const (
	// applicationID marks the file as Pando's ("Pndo"), formatVersion tells how
	// it is laid out. A higher version than ours is refused.
	applicationID = 0x506e646f
	formatVersion = 1

	// reserved begins the names of tables and indexes that are the store's own.
	reserved = "_pando"
)

// layout makes the store's own tables.
//
// _pando_meta has one row, rewritten by each commit: csn is the position of the
// last commit, catalog the version of the collections and settings, database
// and incarnation the epoch. A snapshot knows from it what it holds.
var layout = []string{
	`CREATE TABLE _pando_meta (
		id INTEGER PRIMARY KEY CHECK (id = 1),
		csn INTEGER NOT NULL, catalog INTEGER NOT NULL,
		database INTEGER NOT NULL, incarnation INTEGER NOT NULL)`,
	`CREATE TABLE _pando_collections (
		seq INTEGER PRIMARY KEY AUTOINCREMENT,
		id TEXT UNIQUE NOT NULL, name TEXT UNIQUE COLLATE NOCASE NOT NULL, data TEXT NOT NULL)`,
	`CREATE TABLE _pando_settings (id INTEGER PRIMARY KEY CHECK (id = 1), data TEXT NOT NULL)`,
	`CREATE TABLE _pando_params (key TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL) WITHOUT ROWID`,
}

// meta is the row of _pando_meta.
type meta struct {
	csn     uint64
	catalog uint64
}

// prepareFile checks what the file is, and lays it out if it is empty. From
// then on the connection writes through the log and syncs each commit.
func (s *Store) prepareFile(c *conn) error {
	empty, err := s.checkFormat(c)
	if err != nil {
		return err
	}
	if err := c.pragmas("journal_mode=WAL", "synchronous=FULL"); err != nil || !empty {
		return err
	}
	return s.create(c)
}

// checkFormat tells whether the file is empty; if it is not, it must be one that
// this version can work with.
func (s *Store) checkFormat(c *conn) (empty bool, err error) {
	tables, _, err := c.queryInt("SELECT count(*) FROM sqlite_schema")
	if err != nil {
		if codeOf(err) == lib.SQLITE_NOTADB {
			return false, pando.Invalid("%s is not a SQLite database.", s.path)
		}
		return false, unavailable(err)
	}
	if tables == 0 {
		return true, nil
	}
	app, _, err := c.queryInt("PRAGMA application_id")
	if err != nil {
		return false, unavailable(err)
	}
	version, _, err := c.queryInt("PRAGMA user_version")
	if err != nil {
		return false, unavailable(err)
	}
	switch {
	case app != applicationID:
		return false, pando.Invalid("%s is a database of another program. Choose another directory, or import it.", s.path)
	case version > formatVersion:
		return false, pando.Invalid("%s was written by a newer version of Pando (format %d, this one knows up to %d). Use that version.", s.path, version, formatVersion)
	}
	return false, nil
}

// create lays out an empty file, unless another process has just done so.
func (s *Store) create(c *conn) error {
	if err := c.execOnce("BEGIN IMMEDIATE"); err != nil {
		return unavailable(err)
	}
	tables, _, err := c.queryInt("SELECT count(*) FROM sqlite_schema")
	if err == nil && tables == 0 {
		err = createLayout(c)
	}
	if err == nil {
		err = c.execOnce("COMMIT")
	}
	if err != nil {
		if c.inTransaction() {
			err = errors.Join(err, c.execOnce("ROLLBACK"))
		}
		return unavailable(err)
	}
	return syncDir(s.opts.Dir) // SQLite syncs it for its log only
}

func createLayout(c *conn) error {
	for _, sql := range layout {
		if err := c.execOnce(sql); err != nil {
			return err
		}
	}
	settings, err := json.Marshal(pando.DefaultSettings())
	if err != nil {
		return err
	}
	var random [8]byte
	rand.Read(random[:])
	database := int64(binary.LittleEndian.Uint64(random[:]) >> 1)
	for _, err := range []error{
		c.exec("INSERT INTO _pando_meta VALUES (1, 0, 0, ?, 1)", database),
		c.exec("INSERT INTO _pando_settings VALUES (1, ?)", string(settings)),
		c.execOnce(fmt.Sprintf("PRAGMA application_id=%d", applicationID)),
		c.execOnce(fmt.Sprintf("PRAGMA user_version=%d", formatVersion)),
	} {
		if err != nil {
			return unavailable(err)
		}
	}
	return nil
}

// readMeta reads the row that each commit rewrites. As the first query of a
// transaction it opens the snapshot.
func readMeta(c *conn) (meta, error) {
	q, err := c.prepare("SELECT csn, catalog FROM _pando_meta")
	if err != nil {
		return meta{}, err
	}
	defer q.reset()
	row, err := q.step()
	if err != nil {
		return meta{}, unavailable(err)
	}
	if !row {
		return meta{}, fmt.Errorf("_pando_meta is empty")
	}
	return meta{csn: uint64(q.int(0)), catalog: uint64(q.int(1))}, nil
}

// loadCatalog reads all collections and the settings.
func loadCatalog(c *conn, version uint64) (*store.Catalog, error) {
	settings := new(pando.Settings)
	collections := []*pando.Collection{}
	err := c.each("SELECT data FROM _pando_settings", func(q *stmt) error {
		return json.Unmarshal(q.raw(0), settings)
	})
	if err != nil {
		return nil, fmt.Errorf("load settings: %w", err)
	}
	err = c.each("SELECT data, name FROM _pando_collections ORDER BY seq", func(q *stmt) error {
		col := new(pando.Collection)
		if err := json.Unmarshal(q.raw(0), col); err != nil {
			return fmt.Errorf("%s: %w", q.text(1), err)
		}
		collections = append(collections, col)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("load collections: %w", err)
	}
	return store.NewCatalog(version, settings, collections), nil
}

// each calls f for every row of a query.
func (c *conn) each(query string, f func(*stmt) error, args ...any) error {
	q, err := c.prepare(query)
	if err != nil {
		return err
	}
	defer q.reset()
	q.bindAll(args)
	for {
		row, err := q.step()
		if err != nil || !row {
			return err
		}
		if err := f(q); err != nil {
			return err
		}
	}
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(filepath.Clean(dir))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
