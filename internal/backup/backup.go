// Package backup writes and restores archives of a whole data directory: the
// database and the files of its records, consistent with each other, made while
// the server serves.
//
// An archive is a zip file:
//
//	manifest.json   what is in it, with a SHA-256 of each entry
//	data.db         the database, of SQLite; data.pgcopy, of PostgreSQL
//	storage/…       the files that records of that database name
package backup

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

const (
	manifestName  = "manifest.json"
	storagePrefix = "storage/"
	formatVersion = 1
)

// Database is a kind of database that an archive holds. Archives of one kind are
// restored into that kind.
type Database string

// The kinds of databases.
const (
	SQLite     Database = "sqlite"
	PostgreSQL Database = "postgresql"
)

// entry is the name of its copy in an archive.
func (d Database) entry() string {
	if d == PostgreSQL {
		return "data.pgcopy"
	}
	return "data.db"
}

// Manifest is the first thing to read of an archive.
type Manifest struct {
	Format  int    `json:"format"`
	Version string `json:"version"` // of Pando
	Created string `json:"created"`
	// Database is what the archive holds a copy of; "" is SQLite.
	Database Database         `json:"database,omitempty"`
	Entries  map[string]Entry `json:"entries"`
	// Missing are files that records name and that were not in the store when
	// the backup was made. They were missing before it.
	Missing []string `json:"missing,omitempty"`
}

// Entry is one file of an archive.
type Entry struct {
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
}

// Stage holds on to the files of the blob store (see disk.Stage).
type Stage interface {
	// Add takes hold of every file that is there and not held yet.
	Add(ctx context.Context) error
	// Open opens a held file by its key.
	Open(key string) (io.ReadCloser, error)
	// Close lets all of them go.
	Close() error
}

// Creator makes backups.
type Creator struct {
	Store    store.Store
	Database Database // what Store is
	Stage    func() (Stage, error)
	// Open opens a copy of the database in dir, which tells the files that
	// belong to it. nil: the copy cannot be opened, and the files are those that
	// the store names before and after it was made.
	Open    func(dir string) (store.Store, error)
	Version string
	// Progress is called after each entry; may be nil.
	Progress func(entries int, bytes int64)
}

// Create writes a backup to path, which must not exist, and checks it by
// reading it back. A failed backup leaves no file.
func (c *Creator) Create(ctx context.Context, path string) (*Manifest, error) {
	temp := path + ".part"
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	defer os.Remove(temp)
	m, err := c.write(ctx, f, filepath.Dir(path))
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	if _, err := Check(ctx, temp); err != nil {
		return nil, fmt.Errorf("backup: the archive is not as it was written: %w", err)
	}
	// Link, unlike Rename, does not take the place of a file that is there.
	if err := os.Link(temp, path); err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	return m, nil
}

func (c *Creator) write(ctx context.Context, w io.Writer, near string) (*Manifest, error) {
	stage, err := c.Stage()
	if err != nil {
		return nil, err
	}
	defer stage.Close()
	if err := stage.Add(ctx); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(near, ".pando-backup-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	keys := keySet{}
	if c.Open == nil {
		if err := eachFile(ctx, c.Store, keys.add); err != nil {
			return nil, err
		}
	}
	copied := filepath.Join(dir, c.Database.entry())
	if err := c.copyDatabase(ctx, copied); err != nil {
		return nil, err
	}
	if err := stage.Add(ctx); err != nil {
		return nil, err
	}

	z := zip.NewWriter(w)
	m := &Manifest{
		Format: formatVersion, Version: c.Version,
		Created: pando.FormatTime(time.Now()), Database: c.Database, Entries: map[string]Entry{},
	}
	a := &archive{z: z, m: m, progress: c.Progress}
	db, err := os.Open(copied)
	if err != nil {
		return nil, err
	}
	err = a.add(c.Database.entry(), db, zip.Deflate)
	db.Close()
	if err != nil {
		return nil, err
	}
	if err := c.listFiles(ctx, dir, keys); err != nil {
		return nil, err
	}
	if err := keys.store(a, stage); err != nil {
		return nil, err
	}
	if err := a.manifest(); err != nil {
		return nil, err
	}
	return m, z.Close()
}

func (c *Creator) copyDatabase(ctx context.Context, to string) error {
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = c.Store.Backup(ctx, f)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// listFiles adds the key of every file that a record of the copy names.
func (c *Creator) listFiles(ctx context.Context, dir string, keys keySet) error {
	if c.Open == nil {
		return eachFile(ctx, c.Store, keys.add)
	}
	db, err := c.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(eachFile(ctx, db, keys.add), db.Close())
}

// keySet is the keys of files, each once.
type keySet map[string]bool

func (k keySet) add(key string) error {
	k[key] = true
	return nil
}

// store adds the files to an archive.
func (k keySet) store(a *archive, stage Stage) error {
	for _, key := range slices.Sorted(maps.Keys(k)) {
		f, err := stage.Open(key)
		if os.IsNotExist(err) {
			a.m.Missing = append(a.m.Missing, key)
			continue
		}
		if err != nil {
			return err
		}
		err = a.add(storagePrefix+key, f, zip.Store) // mostly images: packed already
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// eachFile calls f with the key of every file that a record names.
func eachFile(ctx context.Context, db store.Store, f func(key string) error) error {
	const step = 1000
	for _, col := range db.Catalog().Collections {
		var fields []string
		for _, fd := range col.Fields {
			if fd.Type == pando.FieldFile {
				fields = append(fields, fd.Name)
			}
		}
		if len(fields) == 0 || col.IsView() {
			continue
		}
		for after := ""; ; {
			var page store.Page
			err := db.Read(ctx, func(r store.Reader) error {
				var err error
				page, err = r.Find(ctx, store.Query{Collection: col, After: after, Limit: step})
				return err
			})
			if err != nil {
				return err
			}
			for _, rec := range page.Records {
				for _, name := range fields {
					for _, file := range rec.Strings(name) {
						if err := f(col.ID + "/" + rec.ID() + "/" + file); err != nil {
							return err
						}
					}
				}
				after = rec.ID()
			}
			if len(page.Records) < step {
				break
			}
		}
	}
	return nil
}

// archive writes entries and notes them in the manifest.
type archive struct {
	z        *zip.Writer
	m        *Manifest
	bytes    int64
	progress func(int, int64)
}

func (a *archive) add(name string, r io.Reader, method uint16) error {
	if _, twice := a.m.Entries[name]; twice {
		return nil
	}
	w, err := a.z.CreateHeader(&zip.FileHeader{Name: name, Method: method, Modified: time.Now()})
	if err != nil {
		return err
	}
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, h), r)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	a.m.Entries[name] = Entry{Size: n, SHA256: sum(h)}
	a.bytes += n
	if a.progress != nil {
		a.progress(len(a.m.Entries), a.bytes)
	}
	return nil
}

func (a *archive) manifest() error {
	w, err := a.z.Create(manifestName)
	if err != nil {
		return err
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(a.m)
}

func sum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }
