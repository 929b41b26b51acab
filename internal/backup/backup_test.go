package backup_test

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/backup"
	"github.com/pandobase/pando/internal/blob"
	"github.com/pandobase/pando/internal/blob/disk"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/store/sqlite"
)

var docs = &pando.Collection{ID: "docs_id", Name: "docs", Type: pando.TypeBase, Fields: []*pando.Field{
	{ID: "f1", Name: "id", Type: pando.FieldText, Options: &pando.TextOptions{PrimaryKey: true}},
	{ID: "f2", Name: "file", Type: pando.FieldFile, Options: &pando.FileOptions{MaxSelect: 1}},
}}

// live is a data directory in use.
type live struct {
	dir   string
	db    *sqlite.Store
	blobs *disk.Store
}

func open(t *testing.T, dir string) *live {
	t.Helper()
	db, err := sqlite.Open(sqlite.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	blobs, err := disk.Open(filepath.Join(dir, "storage"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { blobs.Close() })
	return &live{dir, db, blobs}
}

func (l *live) define(t *testing.T) {
	t.Helper()
	if _, err := l.db.Write(t.Context(), func(tx store.Tx) error { return tx.SaveCollection(t.Context(), nil, docs) }); err != nil {
		t.Fatal(err)
	}
}

// add stores a record with a file, as the records service does: file first.
func (l *live) add(ctx context.Context, id string) error {
	if err := l.blobs.Put(ctx, "docs_id/"+id+"/"+id+".txt", strings.NewReader("of "+id)); err != nil {
		return err
	}
	_, err := l.db.Write(ctx, func(tx store.Tx) error {
		r := pando.NewRecord(docs)
		r.Set("id", id)
		r.Set("file", id+".txt")
		return tx.Insert(ctx, r)
	})
	return err
}

func (l *live) remove(ctx context.Context, id string) error {
	_, err := l.db.Write(ctx, func(tx store.Tx) error {
		r, err := tx.Record(ctx, docs, id)
		if err != nil {
			return err
		}
		return tx.Delete(ctx, r)
	})
	if err != nil {
		return err
	}
	return l.blobs.Delete(ctx, "docs_id/"+id+"/"+id+".txt")
}

// contents is every record with what its file holds.
func (l *live) contents(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	var page store.Page
	err := l.db.Read(t.Context(), func(r store.Reader) (err error) {
		page, err = r.Find(t.Context(), store.Query{Collection: docs})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range page.Records {
		f, err := l.blobs.Open(t.Context(), "docs_id/"+r.ID()+"/"+r.String("file"))
		if err != nil {
			out[r.ID()] = err.Error()
			continue
		}
		data, err := io.ReadAll(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		out[r.ID()] = string(data)
	}
	return out
}

func (l *live) creator() *backup.Creator {
	return &backup.Creator{
		Store: l.db,
		Stage: func() (backup.Stage, error) { return l.blobs.Stage() },
		Open:  func(dir string) (store.Store, error) { return sqlite.Open(sqlite.Options{Dir: dir}) },
	}
}

var restorer = &backup.Restorer{
	Database: backup.SQLite,
	Load: func(_ context.Context, path string) error {
		db, err := sqlite.Open(sqlite.Options{Dir: filepath.Dir(path)})
		if err != nil {
			return err
		}
		return db.Close()
	},
	Blobs: func(dir string) (blob.Store, error) { return disk.Open(dir) },
}

func TestRoundTrip(t *testing.T) {
	l := open(t, t.TempDir())
	l.define(t)
	for i := range 5 {
		if err := l.add(t.Context(), fmt.Sprint("doc", i)); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "b.zip")
	m, err := l.creator().Create(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Entries) != 6 || len(m.Missing) != 0 {
		t.Errorf("manifest: %d entries, missing %v; want the database and 5 files", len(m.Entries), m.Missing)
	}
	if _, err := l.creator().Create(t.Context(), path); err == nil {
		t.Error("a second backup took the place of the first")
	}
	target := filepath.Join(t.TempDir(), "data")
	if _, err := restorer.Restore(t.Context(), path, target); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(l.contents(t), open(t, target).contents(t)); diff != "" {
		t.Errorf("restored (-want +got):\n%s", diff)
	}
	if _, err := restorer.Restore(t.Context(), path, target); err == nil {
		t.Error("restored over data")
	}
	leftovers, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*"))
	if err != nil || len(leftovers) > 0 {
		t.Errorf("left behind: %v, %v", leftovers, err)
	}
}

// Every record of a backup made under writes has its file, whole.
func TestWhileServing(t *testing.T) {
	l := open(t, t.TempDir())
	l.define(t)
	ctx, cancel := context.WithCancel(t.Context())
	started, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		for i := 0; ; i++ {
			if ctx.Err() != nil {
				ended <- nil
				return
			}
			if err := l.add(t.Context(), fmt.Sprint("doc", i)); err != nil {
				ended <- err
				return
			}
			if i >= 20 { // uploads and deletions at the same rate
				if err := l.remove(t.Context(), fmt.Sprint("doc", i-20)); err != nil {
					ended <- err
					return
				}
			}
			if i == 30 {
				close(started)
			}
		}
	}()
	<-started
	for n := range 3 {
		path := filepath.Join(t.TempDir(), "b.zip")
		m, err := l.creator().Create(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Missing) > 0 {
			t.Errorf("backup %d lacks files of its records: %v", n, m.Missing)
		}
		target := filepath.Join(t.TempDir(), "data")
		if _, err := restorer.Restore(t.Context(), path, target); err != nil {
			t.Fatal(err)
		}
		got := open(t, target).contents(t)
		if len(got) < 20 {
			t.Errorf("backup %d has %d records, there were never fewer than 20", n, len(got))
		}
		for id, text := range got {
			if text != "of "+id {
				t.Errorf("backup %d: %s = %q", n, id, text)
			}
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

// What is not exactly a backup is refused, and leaves no directory.
func TestDamaged(t *testing.T) {
	l := open(t, t.TempDir())
	l.define(t)
	if err := l.add(t.Context(), "doc"); err != nil {
		t.Fatal(err)
	}
	good := filepath.Join(t.TempDir(), "b.zip")
	if _, err := l.creator().Create(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(data)
	flipped[bytes.Index(flipped, []byte("of doc"))] ^= 1
	tests := map[string][]byte{
		"cut off":              data[:len(data)-30],
		"a bit flipped":        flipped,
		"not a zip":            []byte("hello"),
		"a zip of another":     rezip(t, data, func(name string) string { return "x/" + name }),
		"an entry too many":    rezip(t, data, func(name string) string { return name }, "storage/docs_id/doc/more.txt"),
		"a path out of it":     rezip(t, data, func(name string) string { return name }, "storage/../../evil"),
		"the database missing": rezip(t, data, func(name string) string { return strings.Replace(name, "data.db", "", 1) }),
	}
	for name, bad := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bad.zip")
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			target := filepath.Join(t.TempDir(), "data")
			_, err := restorer.Restore(t.Context(), path, target)
			if err == nil {
				t.Fatal("restored")
			}
			if _, serr := os.Stat(target); serr == nil {
				t.Errorf("%v, and left a directory", err)
			}
		})
	}
}

// rezip copies an archive under other names ("" leaves an entry out) and adds
// more entries.
func rezip(t *testing.T, data []byte, rename func(string) string, more ...string) []byte {
	t.Helper()
	in, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, f := range in.File {
		to := rename(f.Name)
		if to == "" {
			continue
		}
		w, err := z.Create(to)
		if err != nil {
			t.Fatal(err)
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(w, r); err != nil {
			t.Fatal(err)
		}
		r.Close()
	}
	for _, name := range more {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, "evil")
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
