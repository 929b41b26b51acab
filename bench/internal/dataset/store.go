package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/pandobase/pando/bench/internal/server"
)

// Store keeps loaded data directories, so that each is loaded once for each
// build of a server:
//
//	Root/<kind>-<hash of the program>/<spec>/
//
// A directory appears there only when it is complete. Those of the last two
// builds are kept.
type Store struct {
	Root string
	Log  func(format string, args ...any) // progress, for people

	// AnyBuild lets Pando's directories be used by every build of it. It
	// saves the loading while Pando is worked on and its files stay the same.
	AnyBuild bool
}

// Path is where the directory for bin and spec is, or will be.
func (s *Store) Path(bin server.Binary, spec Spec) string {
	build := bin.Hash
	if s.AnyBuild && bin.Kind == server.Pando {
		build = "any"
	}
	return filepath.Join(s.Root, fmt.Sprintf("%s-%s", bin.Kind, build), spec.String())
}

// Ensure returns the directory for bin and spec, and loads it when it is not
// there yet. The directory is not to be written to; see [Store.Copy].
func (s *Store) Ensure(ctx context.Context, bin server.Binary, spec Spec) (string, error) {
	path := s.Path(bin, spec)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(s.Root, "loading-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	data, work := filepath.Join(tmp, "data"), filepath.Join(tmp, "work")
	if err := os.Mkdir(work, 0o755); err != nil {
		return "", err
	}
	s.Log("loading %s into %s (once for this build)", spec, bin.Kind)
	fill := s.fill
	if spec.Logins > 0 {
		fill = s.importInto
	}
	if err := fill(ctx, bin, spec, data, work); err != nil {
		return "", fmt.Errorf("load %s into %s: %w", spec, bin.Kind, err)
	}
	if err := os.Rename(data, path); err != nil {
		return "", err
	}
	return path, s.prune(bin, spec)
}

// keepBuilds is the number of builds of a server whose data is kept.
const keepBuilds = 2

// prune removes the directories of spec that older builds have loaded. Every
// build of Pando has another hash, and ten million records are ten gigabytes.
func (s *Store) prune(bin server.Binary, spec Spec) error {
	paths, err := filepath.Glob(filepath.Join(s.Root, string(bin.Kind)+"-*", spec.String()))
	if err != nil {
		return err
	}
	loaded := make(map[string]time.Time, len(paths))
	for _, path := range paths {
		st, err := os.Stat(path)
		if err != nil {
			return err
		}
		loaded[path] = st.ModTime()
	}
	slices.SortFunc(paths, func(a, b string) int { return loaded[b].Compare(loaded[a]) })
	for _, path := range paths[min(keepBuilds, len(paths)):] {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return nil
}

// fill starts a server on the new directory data and loads it through the web
// API.
func (s *Store) fill(ctx context.Context, bin server.Binary, spec Spec, data, work string) (err error) {
	if err := server.Command(ctx, bin, work, io.Discard, "superuser", "upsert", server.Email, server.Password, "--dir", data); err != nil {
		return err
	}
	return s.with(ctx, bin, data, work, func(c *Client) error {
		return c.Load(ctx, spec, s.progress(spec))
	})
}

// importInto loads what is too much for the web API: users who can log in are
// created there, the others and all records by "pando import" beside the
// stopped server.
func (s *Store) importInto(ctx context.Context, bin server.Binary, spec Spec, data, work string) error {
	if bin.Kind != server.Pando {
		return fmt.Errorf("%s has no import; only Pando is loaded with data of this size", bin.Kind)
	}
	few := spec
	few.Records, few.Users = 0, spec.CanLogIn()
	if err := s.fill(ctx, bin, few, data, work); err != nil {
		return err
	}
	users, records := filepath.Join(work, "users.ndjson"), filepath.Join(work, "items.ndjson")
	if err := WriteUsers(users, spec, few.Users); err != nil {
		return err
	}
	if err := WriteRecords(records, spec); err != nil {
		return err
	}
	// Users first: records point to them.
	for _, in := range []struct{ collection, file string }{{"users", users}, {Collection, records}} {
		s.Log("importing %s into %s", filepath.Base(in.file), in.collection)
		if err := server.Command(ctx, bin, work, os.Stderr, "import", in.file, "--collection", in.collection, "--dir", data); err != nil {
			return err
		}
	}
	return s.with(ctx, bin, data, work, func(c *Client) error { return c.Verify(ctx, spec) })
}

// with runs f while a server serves data. The server is stopped gracefully,
// so that its files are complete without a journal.
func (s *Store) with(ctx context.Context, bin server.Binary, data, work string, f func(*Client) error) (err error) {
	p, err := server.Start(ctx, server.Config{Binary: bin, Data: data, Work: work})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	c, err := Login(ctx, p.Addr, server.Email, server.Password)
	if err != nil {
		return err
	}
	return f(c)
}

// progress reports every tenth of the records.
func (s *Store) progress(spec Spec) func(done int) {
	step := max(spec.Records/10, 10_000)
	next := step
	return func(done int) {
		if done >= next {
			s.Log("  %d of %d records", done, spec.Records)
			next += step
		}
	}
}

// Copy copies a data directory, regular files only.
func (s *Store) Copy(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		case d.Type().IsRegular():
			return copyFile(path, filepath.Join(to, rel))
		}
		return nil
	})
}

// Warm reads the database of a data directory, so that the system's page cache
// holds what it can of it.
func (s *Store) Warm(dir string) error {
	f, err := os.Open(filepath.Join(dir, "data.db"))
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(io.Discard, f)
	return err
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in) // copy_file_range where the file system has it
	return errors.Join(err, out.Close())
}
