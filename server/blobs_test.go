package server_test

import (
	"archive/zip"
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/server"
	"github.com/pandobase/pando/test/s3server"
)

// inBucket is a place of which the files are in an empty bucket, and the directory
// in which they can be looked at.
func inBucket(t *testing.T, place server.Place) (server.Place, string) {
	t.Helper()
	gate, bucket := s3server.Bucket(t)
	place.Blob = s3server.URL(gate.Addr(), bucket+"/files")
	place.BlobKey, place.BlobSecret = localcluster.S3Key, localcluster.S3Secret
	return place, filepath.Join(gate.Bucket(bucket), "files")
}

// inShare is one with a shared directory.
func inShare(t *testing.T, place server.Place) (server.Place, string) {
	t.Helper()
	dir := t.TempDir()
	place.Blob = "file://" + dir
	return place, dir
}

func configOf(place server.Place) server.Config {
	cfg := config(place.Dir)
	cfg.Database, cfg.Blob = place.Database, place.Blob
	cfg.BlobKey, cfg.BlobSecret, cfg.BlobToken = place.BlobKey, place.BlobSecret, place.BlobToken
	return cfg
}

// filesIn lists the files of records below the root of a store.
func filesIn(t *testing.T, root string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if name, _ := filepath.Rel(root, path); err == nil && !d.IsDir() && name[0] != '.' {
			files = append(files, name)
		}
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return files
}

// attach makes a record with a file, and returns the file's path in the API.
func attach(t *testing.T, url, text string) string {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	part, err := w.CreateFormFile("file", "a.txt")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(part, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	res, err := http.Post(url+"/api/collections/papers/records", w.FormDataContentType(), &body)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s %s %v", res.Status, answer, err)
	}
	return "/api/files/papers/" + value(answer, "id") + "/" + value(answer, "file")
}

func value(body []byte, key string) string {
	_, rest, _ := strings.Cut(string(body), `"`+key+`":"`)
	v, _, _ := strings.Cut(rest, `"`)
	return v
}

func papers(t *testing.T, url, token string) {
	t.Helper()
	status, answer := call(t, "POST", url+"/api/collections", token, map[string]any{
		"name": "papers", "type": "base", "viewRule": "", "createRule": "",
		"fields": []map[string]any{{"name": "file", "type": "file", "maxSelect": 1, "maxSize": 20 << 20}},
	})
	if status != http.StatusOK {
		t.Fatalf("%d %v", status, answer)
	}
}

// A single server's files move into a bucket with its records, from there into a
// backup, and from there into a shared directory; what cannot be used leaves
// nothing.
func TestFilesMove(t *testing.T) {
	first := server.Place{Dir: filepath.Join(t.TempDir(), "single")}
	r := start(t, configOf(first))
	papers(t, r.info.URL, superuserOf(t, first, r.info.URL))
	texts := map[string]string{}
	for _, text := range []string{"one", "two", strings.Repeat("three", 2<<20)} {
		texts[attach(t, r.info.URL, text)] = text
	}
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	serves := func(place server.Place) {
		t.Helper()
		r := start(t, configOf(place))
		for path, want := range texts {
			if res, got := fetch(t, http.DefaultClient, "GET", r.info.URL+path, nil); res.StatusCode != http.StatusOK || got != want {
				t.Errorf("%s: %s, %d bytes of %d", path, res.Status, len(got), len(want))
			}
		}
		if place.Blob != "" && r.info.Files == "" {
			t.Error("it does not tell where its files are")
		}
		if err := r.end(); err != nil {
			t.Fatal(err)
		}
	}

	_, url := localclustertest.Database(t)
	moved, bucket := inBucket(t, server.Place{Dir: filepath.Join(t.TempDir(), "web1"), Database: url})
	if _, err := server.CopyData(t.Context(), first.Dir, moved, server.CopyOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(moved.Dir); !os.IsNotExist(err) {
		t.Errorf("a directory was made for nothing: %v", err)
	}
	if n := len(filesIn(t, bucket)); n != len(texts) {
		t.Errorf("%d files in the bucket", n)
	}
	serves(moved)

	_, other := localclustertest.Database(t)
	again := moved
	again.Database = other
	if _, err := server.CopyData(t.Context(), first.Dir, again, server.CopyOptions{}); err == nil || !strings.Contains(err.Error(), "empty bucket") {
		t.Errorf("copied over files: %v", err)
	}
	if n := len(filesIn(t, bucket)); n != len(texts) {
		t.Errorf("%d files are left in the bucket", n)
	}

	dir := t.TempDir()
	archive := filepath.Join(dir, "backup.zip")
	if info, err := server.Backup(t.Context(), moved, archive, "v", nil); err != nil || len(info.Missing) > 0 || info.Entries != len(texts)+1 {
		t.Fatalf("%+v, %v", info, err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("beside the archive: %v", left)
	}
	restored, share := inShare(t, server.Place{Dir: filepath.Join(t.TempDir(), "restored"), Database: other})
	if _, err := server.Restore(t.Context(), archive, restored); err != nil {
		t.Fatal(err)
	}
	serves(restored)
	if n := len(filesIn(t, share)); n != len(texts) {
		t.Errorf("%d files in the shared directory", n)
	}

	damaged := filepath.Join(dir, "damaged.zip")
	spoil(t, archive, damaged)
	_, third := localclustertest.Database(t)
	broken, bucket := inBucket(t, server.Place{Dir: filepath.Join(t.TempDir(), "broken"), Database: third})
	if _, err := server.Restore(t.Context(), damaged, broken); err == nil {
		t.Error("a damaged backup was restored")
	}
	if left := filesIn(t, bucket); len(left) > 0 {
		t.Errorf("of a failed restore are left: %q", left)
	}
	if _, err := server.Restore(t.Context(), archive, broken); err != nil {
		t.Fatal(err)
	}
	serves(broken)
}

// spoil copies an archive without its last file, which its manifest lists.
func spoil(t *testing.T, from, to string) {
	t.Helper()
	in, err := zip.OpenReader(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	f, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := zip.NewWriter(f)
	last := slices.IndexFunc(in.File, func(f *zip.File) bool { return f.Name == "manifest.json" }) - 1
	for i, entry := range in.File {
		if i != last {
			if err := out.Copy(entry); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

// What the doctor says of files.
func TestDoctorFiles(t *testing.T) {
	place, _ := inBucket(t, server.Place{Dir: t.TempDir()})
	shared, _ := inShare(t, server.Place{Dir: t.TempDir()})
	wrong := place
	wrong.BlobSecret = "wrong-wrong-wrong"
	gone := server.Place{Dir: t.TempDir(), Blob: "file:///nowhere"}
	for _, tt := range []struct {
		place server.Place
		level string
		says  string
	}{
		{place, "ok", "A small file was put in"},
		{shared, "ok", "A small file was put in"},
		{wrong, "bad", "correct PANDO_BLOB_SECRET"},
		{gone, "bad", "There is no directory /nowhere"},
	} {
		checks, err := server.Doctor(t.Context(), configOf(tt.place))
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(checks, func(c server.Check) bool { return strings.HasPrefix(c.About, "files ") })
		if i < 0 || string(checks[i].Level) != tt.level || !strings.Contains(checks[i].Found, tt.says) {
			t.Errorf("%s: %+v, want %s: %s", tt.place.Blob, checks, tt.level, tt.says)
		}
	}
}
