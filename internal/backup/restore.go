package backup

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/blob"
)

// maxManifest bounds what an untrusted archive can make us read at once.
const maxManifest = 1 << 30 // bytes

// Check reads a whole archive and compares every entry with its manifest.
func Check(ctx context.Context, path string) (*Manifest, error) {
	z, err := zip.OpenReader(path)
	if err != nil {
		return nil, pando.Invalid("%s is no readable backup: %v.", path, err)
	}
	defer z.Close()
	m, err := readManifest(&z.Reader)
	if err != nil {
		return nil, err
	}
	return m, eachEntry(ctx, &z.Reader, m, func(_ string, r io.Reader) error {
		_, err := io.Copy(io.Discard, r)
		return err
	})
}

func readManifest(z *zip.Reader) (*Manifest, error) {
	f, err := z.Open(manifestName)
	if err != nil {
		return nil, pando.Invalid("This is no backup of Pando: it has no %s.", manifestName)
	}
	defer f.Close()
	var m Manifest
	if err := json.NewDecoder(io.LimitReader(f, maxManifest)).Decode(&m); err != nil {
		return nil, pando.Invalid("The backup's %s cannot be read: %v.", manifestName, err)
	}
	if m.Format != formatVersion {
		return nil, pando.Invalid("The backup has format %d, this version of Pando reads %d. Use the version that made it (%s) or a newer one.", m.Format, formatVersion, m.Version)
	}
	if m.Database == "" {
		m.Database = SQLite
	}
	if _, ok := m.Entries[m.Database.entry()]; !ok {
		return nil, pando.Invalid("The backup has no database.")
	}
	return &m, nil
}

// eachEntry reads every entry of the archive. They must be those that the
// manifest lists, each of the listed size and sum.
func eachEntry(ctx context.Context, z *zip.Reader, m *Manifest, f func(name string, r io.Reader) error) error {
	seen := map[string]bool{}
	for _, zf := range z.File {
		if zf.Name == manifestName {
			continue
		}
		seen[zf.Name] = true
		want, ok := m.Entries[zf.Name]
		if !ok {
			return pando.Invalid("The backup has %q, which its manifest does not list.", zf.Name)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		r, err := zf.Open()
		if err != nil {
			return fmt.Errorf("%s: %w", zf.Name, err)
		}
		h := sha256.New()
		// One byte more than listed shows an entry that is longer.
		err = f(zf.Name, io.TeeReader(io.LimitReader(r, want.Size+1), h))
		r.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", zf.Name, err)
		}
		if sum(h) != want.SHA256 {
			return pando.Invalid("The backup is damaged: %s is not what its manifest says.", zf.Name)
		}
	}
	for name := range m.Entries {
		if !seen[name] {
			return pando.Invalid("The backup lacks %s, which its manifest lists.", name)
		}
	}
	return nil
}

// Restorer unpacks backups.
type Restorer struct {
	Database Database // what is restored into
	// Load takes the copy of the database at path, in the directory that is
	// being made: checks it, or brings it to where it belongs.
	Load  func(ctx context.Context, path string) error
	Blobs func(dir string) (blob.Store, error)
}

// Restore unpacks the archive into dir, which must not exist or be empty. It is
// built beside dir and moved there when it is whole and checked. The database is
// loaded last.
func (r *Restorer) Restore(ctx context.Context, path, dir string) (*Manifest, error) {
	if err := mustBeEmpty(dir); err != nil {
		return nil, err
	}
	parent := filepath.Dir(filepath.Clean(dir))
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	temp, err := os.MkdirTemp(parent, ".pando-restore-")
	if err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	defer os.RemoveAll(temp)
	m, err := r.unpack(ctx, path, temp)
	if err != nil {
		return nil, err
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("restore: %w", err)
	}
	if err := os.Rename(temp, dir); err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	return m, nil
}

func (r *Restorer) unpack(ctx context.Context, path, temp string) (*Manifest, error) {
	z, err := zip.OpenReader(path)
	if err != nil {
		return nil, pando.Invalid("%s is no readable backup: %v.", path, err)
	}
	defer z.Close()
	m, err := readManifest(&z.Reader)
	if err != nil {
		return nil, err
	}
	blobs, err := r.Blobs(filepath.Join(temp, "storage"))
	if err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	if c, ok := blobs.(io.Closer); ok {
		defer c.Close()
	}
	if m.Database != r.Database {
		return nil, otherDatabase(m.Database)
	}
	database := filepath.Join(temp, m.Database.entry())
	err = eachEntry(ctx, &z.Reader, m, func(name string, in io.Reader) error {
		if name == m.Database.entry() {
			return writeFile(database, in)
		}
		key, ok := strings.CutPrefix(name, storagePrefix)
		if !ok {
			return pando.Invalid("a backup has no such entry")
		}
		return blobs.Put(ctx, key, in) // which checks the key
	})
	if err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	if err := r.Load(ctx, database); err != nil {
		return nil, fmt.Errorf("restore: the database of the backup: %w", err)
	}
	return m, nil
}

// otherDatabase says how to restore an archive of another kind.
func otherDatabase(have Database) error {
	if have == PostgreSQL {
		return pando.Invalid("This is a backup of a PostgreSQL database: name an empty one with --database.")
	}
	return pando.Invalid("This is a backup of a single server: restore it without --database into a directory, then copy that with `pando import pando`.")
}

// mustBeEmpty refuses to restore over data.
func mustBeEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if len(entries) > 0 {
		return pando.Invalid("%s is not empty. Restore into a new directory, and move it into place when the server is stopped.", dir)
	}
	return nil
}

func writeFile(path string, r io.Reader) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
