package faults

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pandobase/pando/test/s3server"
	"github.com/pandobase/pando/test/target"
)

// members are the servers of a cluster, with one superuser's token that is good for
// all of them.
func members(t *testing.T, o target.ClusterOptions) (*target.Cluster, []*api) {
	t.Helper()
	c := target.StartCluster(t, o)
	var list []*api
	for _, m := range c.Members {
		transport := &http.Transport{MaxIdleConnsPerHost: 64}
		t.Cleanup(transport.CloseIdleConnections)
		list = append(list, &api{Server: m.Server, http: &http.Client{Transport: transport}})
	}
	token := list[0].login(t, "_superusers", list[0].Email, list[0].Password)
	for _, a := range list {
		a.token = token
	}
	return c, list
}

// TestFilesOfACluster: what one server has stored, made or removed is so at the
// others, with the first request after the answer.
func TestFilesOfACluster(t *testing.T) {
	for name, place := range places {
		t.Run(name, func(t *testing.T) {
			flags, env, root := place(t)
			_, web := members(t, target.ClusterOptions{Members: 3, Env: env, Flags: flags})
			web[0].must(t, web[0].post(t, "/api/collections", web[0].token, map[string]any{
				"name": "docs", "type": "base", "viewRule": "", "createRule": "", "updateRule": "", "deleteRule": "",
				"fields": []map[string]any{{"name": "file", "type": "file", "maxSelect": 1, "thumbs": []string{"20x10"}}},
			}), 200)
			picture := pngOf(t)
			for i := range 20 {
				one, two, three := web[i%3], web[(i+1)%3], web[(i+2)%3]
				kind, body := form(t, nil, [3]string{"file", "p.png", picture})
				rec := one.must(t, one.send(t, "POST", records("docs"), "", kind, body), 200)
				path := "/api/files/docs/" + field(rec.body, "id") + "/" + field(rec.body, "file")
				for _, a := range []*api{two, three} {
					if got := a.get(t, path, ""); got.status != 200 || string(got.body) != picture {
						t.Fatalf("%d: at another server: %d, %d bytes", i, got.status, len(got.body))
					}
				}
				thumbs := func() {
					var wg sync.WaitGroup
					for _, a := range web {
						wg.Go(func() {
							if got, err := a.try("GET", path+"?thumb=20x10", "", "", nil); err != nil || got.status != 200 || len(got.body) >= len(picture) {
								t.Errorf("%d: thumb: %d, %d bytes, %v", i, got.status, len(got.body), err)
							}
						})
					}
					wg.Wait()
				}
				thumbs() // each may make it
				made := thumbIn(t, root)
				thumbs()
				if again := thumbIn(t, root); !os.SameFile(made, again) {
					t.Errorf("%d: the thumb was there, of %v, and was made again, at %v", i, made.ModTime(), again.ModTime())
				}
				two.must(t, two.send(t, "DELETE", records("docs")+"/"+field(rec.body, "id"), "", "", nil), 204)
				for _, a := range []*api{one, three} {
					isError(t, a.get(t, path, ""), 404)
				}
			}
			if files, own := storedIn(t, root); len(files) > 0 || len(undecided(own)) > 0 {
				t.Errorf("left: %q, undecided: %q", files, own)
			}
		})
	}
}

// thumbIn is the only thumb that lies in root.
func thumbIn(t *testing.T, root string) os.FileInfo {
	t.Helper()
	files, _ := storedIn(t, root)
	files = slices.DeleteFunc(files, func(name string) bool { return !strings.Contains(name, "/thumbs_") })
	if len(files) != 1 {
		t.Fatalf("thumbs: %q", files)
	}
	info, err := os.Stat(filepath.Join(root, files[0]))
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// TestNoOtherFiles: a server that has other files than the cluster it wants to join
// is refused in one line that says what to do.
func TestNoOtherFiles(t *testing.T) {
	gate, bucket := s3server.Bucket(t)
	_, other := s3server.Bucket(t)
	c, _ := members(t, target.ClusterOptions{Members: 1, Env: s3server.Env(), Flags: []string{"--blob", s3server.URL(gate.Addr(), bucket)}})
	bin, err := target.BuildPando(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, flags := range map[string][]string{
		"in the data directory": nil,
		"in another bucket":     {"--blob", s3server.URL(gate.Addr(), other)},
		"in another directory":  {"--blob", "file://" + t.TempDir()},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"serve", "--dir", filepath.Join(t.TempDir(), "data"), "--http", "127.0.0.1:0", "--admin", "off",
				"--database", c.Primary().URL(c.Database, "postgres")}, flags...)
			cmd := exec.CommandContext(t.Context(), bin, args...)
			cmd.Env = append(cmd.Environ(), append(s3server.Env(), "PANDO_CLUSTER_SECRET="+target.ClusterSecret)...)
			out, err := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code != 1 {
				t.Errorf("exit code %d (%v)", code, err)
			}
			said := ""
			for line := range strings.Lines(string(out)) {
				if strings.HasPrefix(line, "Error: ") {
					said = line
				}
			}
			if !strings.Contains(said, "--blob") || !strings.Contains(said, "files") {
				t.Errorf("it says %q\n%s", said, out)
			}
		})
	}
}

// TestMemberKilledWhileUploading: a server that is killed has, once it is back, left
// no file without its record, while the others go on; nor has it taken the notes of
// the others for its own.
func TestMemberKilledWhileUploading(t *testing.T) {
	t.Parallel() // mostly it waits
	flags, env, root := places["S3"](t)
	c, web := members(t, target.ClusterOptions{Members: 2, Env: env, Flags: flags})
	web[0].collection(t, "shelf", map[string]any{"name": "text", "type": "text"}, map[string]any{"name": "file", "type": "file", "maxSelect": 1})
	killed := &shelf{api: web[0], files: map[string]string{}, texts: map[string]bool{}}
	lives := &shelf{api: web[1], files: map[string]string{}, texts: map[string]bool{}}
	done := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			for n := i; ; n += 3 {
				if _, err := killed.upload(n, 40_000); err != nil {
					return
				}
			}
		})
		wg.Go(func() {
			for n := i; ; n += 3 {
				select {
				case <-done:
					return
				default:
				}
				if got, err := lives.upload(n, 40_000); err != nil || got.status != 200 {
					t.Errorf("at the one that lives: %d %s, %v", got.status, got.body, err)
					return
				}
			}
		})
	}
	lives.until(t, "they upload", func() bool {
		killed.mu.Lock()
		defer killed.mu.Unlock()
		return len(killed.files) > 30
	})
	killed.Kill()
	s, err := c.Members[0].Again(t.Context(), t)
	if err != nil {
		t.Fatal(err)
	}
	// The one that is back settles what it left after a while, in which others upload.
	back := &api{Server: s, http: lives.http}
	id, err := os.ReadFile(filepath.Join(back.Dir, "server-id"))
	if err != nil {
		t.Fatal(err)
	}
	notes := ".pending/" + strings.TrimSpace(string(id)) + "/"
	back.until(t, "it settles what it has left", func() bool {
		_, own := storedIn(t, root)
		return !slices.ContainsFunc(own, func(name string) bool { return strings.HasPrefix(name, notes) })
	})
	close(done)
	wg.Wait()
	var want []string
	for _, s := range []*shelf{killed, lives} {
		for id, name := range s.files {
			got := lives.get(t, "/api/files/shelf/"+id+"/"+name, "")
			if got.status != 200 || len(got.body) != 40_000 {
				t.Errorf("a file that was answered: %d, %d bytes", got.status, len(got.body))
			}
			want = append(want, id+"/"+name)
		}
	}
	// Uploads without an answer may have been made.
	for page := 1; ; page++ {
		list := lives.must(t, lives.get(t, fmt.Sprint(records("shelf"), "?perPage=500&page=", page), ""), 200)
		parts := strings.Split(string(list.body), `"collectionId"`)[1:]
		for _, p := range parts {
			if entry := field([]byte(p), "id") + "/" + field([]byte(p), "file"); !slices.Contains(want, entry) {
				want = append(want, entry)
			}
		}
		if len(parts) < 500 {
			break
		}
	}
	files, own := storedIn(t, root)
	for _, problem := range unlike(files, want) {
		t.Error(problem)
	}
	if own = undecided(own); len(own) > 0 {
		t.Errorf("undecided: %q", own)
	}
}
