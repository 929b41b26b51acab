package faults

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/test/s3server"
	"github.com/pandobase/pando/test/target"
)

// places are where several servers can have their files. root is the directory in
// which what is stored can be looked at.
var places = map[string]func(t *testing.T) (flags []string, env []string, root string){
	"S3": func(t *testing.T) ([]string, []string, string) {
		gate, bucket := s3server.Bucket(t)
		return []string{"--blob", s3server.URL(gate.Addr(), bucket+"/app")}, s3server.Env(), filepath.Join(gate.Bucket(bucket), "app")
	},
	"shared directory": func(t *testing.T) ([]string, []string, string) {
		root := t.TempDir()
		return []string{"--blob", "file://" + root}, nil, root
	},
}

// TestSharedFiles is the life of files that do not lie in the data directory.
func TestSharedFiles(t *testing.T) {
	for name, place := range places {
		t.Run(name, func(t *testing.T) {
			flags, env, root := place(t)
			dir := filepath.Join(t.TempDir(), "data")
			a := startIn(t, dir, env, flags...)
			useFiles(t, a, root)
			if files, _ := storedFiles(t, dir); len(files) > 0 {
				t.Errorf("in the data directory: %q", files)
			}
		})
	}
}

// useFiles uploads, downloads, protects, replaces and deletes.
func useFiles(t *testing.T, a *api, root string) {
	t.Helper()
	a.must(t, a.post(t, "/api/collections", a.token, map[string]any{
		"name": "docs", "type": "base",
		"fields": []map[string]any{
			{"name": "open", "type": "file", "maxSelect": 5, "maxSize": 50 << 20, "thumbs": []string{"20x10"}},
			{"name": "closed", "type": "file", "maxSelect": 1, "protected": true},
		},
		"listRule": "", "viewRule": "@request.auth.id != ''", "createRule": "", "updateRule": "", "deleteRule": "",
	}), 200)
	picture := pngOf(t)
	large := content("large", 12<<20)
	kind, body := form(t, nil, [3]string{"open", "p.png", picture}, [3]string{"open", "l.txt", large}, [3]string{"closed", "c.txt", "secret"})
	rec := a.must(t, a.send(t, "POST", records("docs"), a.token, kind, body), 200)
	id := str(t, rec.body, "id")
	var fields struct{ Open []string }
	if err := json.Unmarshal(rec.body, &fields); err != nil {
		t.Fatal(err)
	}
	names := fields.Open
	path := func(name string) string { return "/api/files/docs/" + id + "/" + name }

	if got := a.must(t, a.get(t, path(names[0]), ""), 200); string(got.body) != picture || got.header.Get("Content-Type") != "image/png" {
		t.Errorf("the picture: %d bytes, %s", len(got.body), got.header.Get("Content-Type"))
	}
	if got := a.must(t, a.get(t, path(names[1]), ""), 200); string(got.body) != large {
		t.Errorf("the large file: %d bytes", len(got.body))
	}
	req, err := http.NewRequest("GET", a.URL+path(names[1]), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Range", "bytes=10000000-10000099")
	res, err := a.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	part, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil || res.StatusCode != http.StatusPartialContent || string(part) != large[10_000_000:10_000_100] {
		t.Errorf("a range: %s, %d bytes, %v", res.Status, len(part), err)
	}
	for range 2 { // made, then found
		thumb := a.must(t, a.get(t, path(names[0])+"?thumb=20x10", ""), 200)
		if m, err := png.DecodeConfig(bytes.NewReader(thumb.body)); err != nil || m.Width != 20 {
			t.Errorf("the thumb: %+v, %v", m, err)
		}
	}
	closed := path(field(rec.body, "closed"))
	isError(t, a.get(t, closed, ""), 404)
	token := str(t, a.must(t, a.post(t, "/api/files/token", a.token, nil), 200).body, "token")
	if got := a.get(t, closed+"?token="+token, ""); got.status != 200 || string(got.body) != "secret" {
		t.Errorf("the protected file: %d", got.status)
	}
	if files, own := storedIn(t, root); len(files) != 4 || len(undecided(own)) > 0 {
		t.Errorf("3 files and a thumb lie as %q, undecided: %q", files, own)
	}

	a.must(t, a.json(t, "PATCH", records("docs")+"/"+id, a.token, map[string]any{"open-": names[0]}), 200)
	isError(t, a.get(t, path(names[0]), ""), 404)
	if files, own := storedIn(t, root); len(files) != 2 || len(undecided(own)) > 0 {
		t.Errorf("after the picture went: %q, undecided: %q", files, own)
	}
	a.must(t, a.send(t, "DELETE", records("docs")+"/"+id, a.token, "", nil), 204)
	if files, own := storedIn(t, root); len(files) > 0 || len(undecided(own)) > 0 {
		t.Errorf("after the record went: %q, undecided: %q", files, own)
	}
	kind, body = form(t, nil, [3]string{"open", "p.png", picture})
	a.must(t, a.send(t, "POST", records("docs"), a.token, kind, body), 200)
	a.must(t, a.send(t, "DELETE", "/api/collections/docs", a.token, "", nil), 204)
	if files, own := storedIn(t, root); len(files) > 0 || len(undecided(own)) > 0 {
		t.Errorf("after the collection went: %q, undecided: %q", files, own)
	}
	a.healthy(t)
}

// undecided are the notes and half-written files among a store's own.
func undecided(own []string) (list []string) {
	for _, name := range own {
		if name != ".id" {
			list = append(list, name)
		}
	}
	return list
}

func pngOf(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 200, 100))); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestKillSharedFiles: however a server ends, in the end there is no file without
// its record, and no record without its file.
func TestKillSharedFiles(t *testing.T) {
	t.Parallel() // mostly it waits
	rounds, writes := 2, int64(150)
	if long() {
		rounds, writes = 20, 300
	}
	for name, place := range places {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // mostly it waits
			flags, env, root := place(t)
			_, database := localclustertest.Database(t)
			in := target.Surroundings{Database: database, Env: env}
			dir := filepath.Join(t.TempDir(), "data")
			s := newShelf(t, startAmong(t, dir, in, flags...))
			var answered atomic.Int64
			clerks := newClerks(s.api, &answered)
			var want []string
			for round := range rounds {
				killAfter(t, s.api, clerks, &answered, writes+int64(37*round))
				if t.Failed() {
					return
				}
				s.api = startAmong(t, dir, in, flags...)
				want = auditAll(t, s.api, clerks)
			}
			if name != "S3" {
				if err := os.WriteFile(filepath.Join(root, ".tmp", "somebody.half"), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			// What had been sent may come late: the server waits for it.
			var problems, own []string
			for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
				var files []string
				if files, own = storedIn(t, root); name != "S3" {
					own = without(own, ".tmp/somebody.half") // of another server, which may live
				}
				if problems, own = unlike(files, want), undecided(own); len(problems)+len(own) == 0 {
					break
				}
			}
			if len(problems)+len(own) > 0 {
				t.Errorf("after a minute: %q, undecided: %q\n%s", problems, own, tail(s.Output()))
			}
			s.healthy(t)
		})
	}
}

func without(list []string, name string) (rest []string) {
	for _, s := range list {
		if s != name {
			rest = append(rest, s)
		}
	}
	return rest
}

// TestS3Gone: without its bucket a server answers what needs no file, and 503 to
// what does, in time; nothing is half done.
func TestS3Gone(t *testing.T) {
	t.Parallel() // mostly it waits
	gate := s3server.Start(t)
	bucket := s3server.NewBucket(t, gate)
	s := newShelf(t, startIn(t, filepath.Join(t.TempDir(), "data"), s3server.Env(), "--blob", s3server.URL(gate.Addr(), bucket)))
	for i := range 3 {
		if got, err := s.upload(i, 1000); err != nil || got.status != 200 {
			t.Fatalf("%v, %d %s", err, got.status, got.body)
		}
	}
	ways := map[string]func() error{"gone": gate.Kill, "hung": gate.Freeze}
	for name, breaks := range ways {
		if err := breaks(); err != nil {
			t.Fatal(err)
		}
		id, file := oneOf(s.files)
		var wg sync.WaitGroup
		for what, call := range map[string]func() (answer, error){
			"download": func() (answer, error) { return s.try("GET", "/api/files/shelf/"+id+"/"+file, "", "", nil) },
			"delete":   func() (answer, error) { return s.try("DELETE", records("shelf")+"/"+id, "", "", nil) },
			"upload":   func() (answer, error) { return s.upload(9, 1000) },
		} {
			wg.Go(func() {
				began := time.Now()
				got, err := call()
				if err != nil {
					t.Error(err)
					return
				}
				isError(t, got, 503)
				if took := time.Since(began); took > 45*time.Second || got.header.Get("Retry-After") == "" {
					t.Errorf("%s while it is %s: after %s, Retry-After %q", what, name, took, got.header.Get("Retry-After"))
				}
			})
		}
		if got, err := s.note("without a file"); err != nil || got.status != 200 {
			t.Errorf("%s: a record without a file: %d, %v", name, got.status, err)
		}
		if got := s.get(t, records("shelf")+"/"+id, ""); got.status != 200 {
			t.Errorf("%s: the record: %d", name, got.status)
		}
		wg.Wait()
		var err error
		if name == "hung" {
			err = gate.Thaw()
		} else {
			err = gate.Start(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.upload(10, 1000); err != nil || got.status != 200 {
			t.Errorf("after it was %s: %d %s, %v", name, got.status, got.body, err)
		}
	}
	if n := s.count(t, "shelf"); n != len(s.files)+len(s.texts) {
		t.Errorf("%d records, %d were answered", n, len(s.files)+len(s.texts))
	}
	s.healthy(t)
}

func oneOf(files map[string]string) (id, name string) {
	for id, name := range files {
		return id, name
	}
	return "", ""
}

// TestWrongBlob: what cannot work is said at the start, in one line and without
// the secret.
func TestWrongBlob(t *testing.T) {
	t.Parallel() // mostly it waits
	gate, bucket := s3server.Bucket(t)
	good := s3server.URL(gate.Addr(), bucket)
	const wrong = "hunter2hunter2"
	for _, tt := range []struct {
		name, blob string
		env        []string
		code       int
		says       string
	}{
		{"bucket", s3server.URL(gate.Addr(), "nobucket"), s3server.Env(), 1, "There is no bucket"},
		{"secret", good, []string{"PANDO_BLOB_KEY=" + localcluster.S3Key, "PANDO_BLOB_SECRET=" + wrong}, 1, "correct PANDO_BLOB_SECRET"},
		{"key", good, []string{"AWS_ACCESS_KEY_ID=nobody", "AWS_SECRET_ACCESS_KEY=" + wrong}, 1, "does not know the key"},
		{"endpoint", s3server.URL("127.0.0.1:1", "bucket"), s3server.Env(), 1, "connection refused"},
		{"no credentials", good, nil, 2, "There are no credentials"},
		{"half of them", good, []string{"PANDO_BLOB_KEY=x"}, 2, "go together"},
		{"secret in the address", "s3://key:" + wrong + "@bucket", s3server.Env(), 2, "must not have a key or a secret in it"},
		{"no such thing", "ftp://" + wrong, nil, 2, "neither a bucket"},
		{"no directory", "file:///nowhere/at/all", nil, 1, "There is no directory /nowhere/at/all"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bin, err := target.BuildPando(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), bin, "serve", "--dir", t.TempDir(), "--http", "127.0.0.1:0", "--admin", "off", "--blob", tt.blob)
			cmd.Env = append(os.Environ(), tt.env...)
			out, err := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code != tt.code {
				t.Errorf("exit code %d, want %d (%v)", code, tt.code, err)
			}
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			if !strings.HasPrefix(lines[0], "Error: ") || !strings.Contains(lines[0], tt.says) {
				t.Errorf("%s\ndoes not say %q", out, tt.says)
			}
			if strings.Contains(string(out), wrong) {
				t.Errorf("the secret is said: %s", out)
			}
		})
	}
}

// TestSecretOfBucketIsNowhere: neither status nor metrics nor logs nor the shown
// configuration have it.
func TestSecretOfBucketIsNowhere(t *testing.T) {
	t.Parallel() // mostly it waits
	gate := s3server.Start(t)
	bucket := s3server.NewBucket(t, gate)
	blob := s3server.URL(gate.Addr(), bucket)
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(localcluster.S3Secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"PANDO_BLOB=" + blob, "AWS_ACCESS_KEY_ID=" + localcluster.S3Key, "AWS_SECRET_ACCESS_KEY_FILE=" + file}
	s := newShelf(t, startIn(t, filepath.Join(t.TempDir(), "data"), env, "--log-level", "debug"))
	if got, err := s.upload(1, 10); err != nil || got.status != 200 {
		t.Fatalf("%d %s %v", got.status, got.body, err)
	}
	if err := gate.Kill(); err != nil {
		t.Fatal(err)
	}
	got, err := s.upload(2, 10)
	if err != nil {
		t.Fatal(err)
	}
	said := string(got.body)
	for _, path := range []string{"/readyz?verbose", "/metrics"} {
		req, err := http.NewRequest("GET", s.Admin+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		said += str200(t, req)
	}
	bin, err := target.BuildPando(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"config", "show", "--origin"}, {"config", "show", "--json"}, {"doctor", "--dir", s.Dir}} {
		cmd := exec.CommandContext(t.Context(), bin, args...)
		cmd.Env = append(os.Environ(), env...)
		out, _ := cmd.CombinedOutput() // the doctor finds something
		said += string(out)
		if !strings.Contains(string(out), bucket) {
			t.Errorf("%q does not show the bucket:\n%s", args, out)
		}
	}
	said += s.Output()
	for _, form := range []string{localcluster.S3Secret, url.QueryEscape(localcluster.S3Secret)} {
		if i := strings.Index(said, form); i >= 0 {
			t.Errorf("the secret is said: …%s…", said[max(0, i-200):min(len(said), i+100)])
		}
	}
}
