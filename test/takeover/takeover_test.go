// Package takeover proves that a directory that PocketBase made can be taken
// over: everything the API shows is the same before and after, files byte for byte,
// and people who were logged in stay logged in.
package takeover

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/internal/webtest"
	"github.com/pandobase/pando/test/differential"
	"github.com/pandobase/pando/test/differential/areas"
	"github.com/pandobase/pando/test/target"
)

func TestTakeover(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	source := filepath.Join(t.TempDir(), "pb_data")
	peer, err := target.StartPeer(ctx, source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(peer.Stop)
	// The differential run leaves a directory with every type of field, file,
	// rule, relation and view.
	run := differential.Send(ctx, peer, areas.All())
	before := photograph(t, peer, run.Vars["superuser"])
	owner := run.Vars[differential.Owner]
	mine := get(t, peer, "/api/collections/users/records?sort=id", owner)
	peer.Stop()

	sums := checksums(t, source)
	dir := filepath.Join(t.TempDir(), "pando_data")
	out := runPando(t, "import", "pocketbase", source, "--dir", dir)
	t.Log(strings.TrimSpace(out))
	if diff := cmp.Diff(sums, checksums(t, source)); diff != "" {
		t.Errorf("the source was changed (-before +after):\n%s", diff)
	}

	_, url := localclustertest.Database(t)
	moved := filepath.Join(t.TempDir(), "on_postgres")
	refused := runPando(t, "import", "pocketbase", source, "--dir", moved, "--database", url)
	t.Log(strings.TrimSpace(refused))

	for _, tt := range []struct {
		name, dir string
		in        target.Surroundings
		left      func(name string) bool // not taken over, as the takeover has said
	}{
		{"SQLite", dir, target.Surroundings{}, func(string) bool { return false }},
		{"PostgreSQL", moved, target.Surroundings{Database: url}, func(name string) bool {
			collection := strings.TrimPrefix(strings.TrimPrefix(name, "records of "), "collection ")
			if strings.Contains(before["collection "+collection], "row_number") {
				return true // rows without an order are numbered in another one
			}
			return strings.Contains(refused, "view "+collection+":") || strings.Contains(refused, " of collection "+collection+":")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pando, err := target.StartPandoIn(ctx, tt.dir, tt.in)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(pando.Stop)
			after := photograph(t, pando, login(t, pando))
			compared := 0
			for name, want := range before {
				if tt.left(name) {
					continue
				}
				compared++
				if diff := cmp.Diff(lines(want), lines(after[name])); diff != "" {
					t.Errorf("%s differs (-before +after):\n%s", name, diff)
				}
			}
			if compared < 200 {
				t.Errorf("only %d things compared: the data set is gone", compared)
			}
			if diff := cmp.Diff(lines(mine), lines(get(t, pando, "/api/collections/users/records?sort=id", owner))); diff != "" {
				t.Errorf("with a token from before (-before +after):\n%s", diff)
			}
		})
	}
}

// A failed takeover says why and leaves no target.
func TestRefused(t *testing.T) {
	notEmpty := t.TempDir()
	write(t, filepath.Join(notEmpty, "x"), "x")
	link := t.TempDir()
	if err := os.Symlink("/etc/passwd", filepath.Join(link, "data.db")); err != nil {
		t.Fatal(err)
	}
	garbage := t.TempDir()
	write(t, filepath.Join(garbage, "data.db"), strings.Repeat("garbage ", 1000))
	other := t.TempDir()
	sqlite3(t, filepath.Join(other, "data.db"), "CREATE TABLE a (b)")
	evil := t.TempDir()
	sqlite3(t, filepath.Join(evil, "data.db"), `
		CREATE TABLE _params (id TEXT, value JSON, created TEXT, updated TEXT);
		CREATE TABLE _collections (id TEXT, system BOOLEAN, type TEXT, name TEXT, fields JSON, indexes JSON, listRule TEXT,
			viewRule TEXT, createRule TEXT, updateRule TEXT, deleteRule TEXT, options JSON, created TEXT, updated TEXT);
		INSERT INTO _collections VALUES ('../../evil', 0, 'base', 'evil', '[]', '[]', NULL, NULL, NULL, NULL, NULL, '{}', '', '');`)
	tests := []struct{ name, source, dir, want string }{
		{"no database", t.TempDir(), "", "no database"},
		{"a link", link, "", "data.db"},
		{"no SQLite", garbage, "", "no SQLite database"},
		{"another program's", other, "", "PocketBase 0.36"},
		{"an id that leads out", evil, "", "not fit for a path"},
		{"a target with data", other, notEmpty, "not empty"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := tt.dir
			if dir == "" {
				dir = filepath.Join(t.TempDir(), "target")
			}
			cmd := exec.Command(pandoBinary(t), "import", "pocketbase", tt.source, "--dir", dir)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), tt.want) {
				t.Errorf("%v, %q; want a failure that says %q", err, out, tt.want)
			}
			if _, err := os.Stat(dir); err == nil && tt.dir == "" {
				t.Error("a target was left")
			}
			if rest, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), ".pando-*")); len(rest) > 0 {
				t.Errorf("left behind: %v", rest)
			}
		})
	}
}

// photograph is everything the API shows of a server, as texts by name. What
// belongs to the servers' own superuser and to logins is left out: it changes
// with each start.
func photograph(t *testing.T, s *target.Server, token string) map[string]string {
	t.Helper()
	out := map[string]string{"settings": get(t, s, "/api/settings", token)}
	var list struct {
		Items []map[string]any `json:"items"`
	}
	decode(t, get(t, s, "/api/collections?perPage=500", token), &list)
	for _, c := range list.Items {
		name := c["name"].(string)
		delete(c, "updated") // views are saved anew
		text, err := json.MarshalIndent(c, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		out["collection "+name] = string(text)
		switch name {
		case "_superusers", "_authOrigins", "_mfas", "_otps":
			continue
		}
		order := ""
		if c["type"] == "view" {
			order = "&sort=id" // it has none of its own
		}
		records := get(t, s, "/api/collections/"+name+"/records?perPage=1000"+order, token)
		out["records of "+name] = records
		maps.Copy(out, filesOf(t, s, name, c, records, token))
	}
	return out
}

// filesOf fetches every file of the records.
func filesOf(t *testing.T, s *target.Server, collection string, c map[string]any, records, token string) map[string]string {
	t.Helper()
	if c["type"] == "view" {
		return nil
	}
	var fileToken struct{ Token string }
	decode(t, send(t, s, http.MethodPost, "/api/files/token", token, ""), &fileToken)
	out := map[string]string{}
	var list struct{ Items []map[string]any }
	decode(t, records, &list)
	for _, f := range c["fields"].([]any) {
		field := f.(map[string]any)
		if field["type"] != "file" {
			continue
		}
		for _, r := range list.Items {
			names, ok := r[field["name"].(string)].([]any)
			if !ok {
				names = []any{r[field["name"].(string)]}
			}
			for _, n := range names {
				if n == nil || n == "" {
					continue
				}
				path := fmt.Sprintf("/api/files/%s/%s/%s", collection, r["id"], n)
				out["file "+path] = get(t, s, path+"?token="+url.QueryEscape(fileToken.Token), token)
			}
		}
	}
	return out
}

func login(t *testing.T, s *target.Server) string {
	t.Helper()
	body := fmt.Sprintf(`{"identity":%q,"password":%q}`, s.Email, s.Password)
	var answer struct{ Token string }
	decode(t, send(t, s, http.MethodPost, "/api/collections/_superusers/auth-with-password", "", body), &answer)
	return answer.Token
}

func get(t *testing.T, s *target.Server, path, token string) string {
	t.Helper()
	return send(t, s, http.MethodGet, path, token, "")
}

func send(t *testing.T, s *target.Server, method, path, token, body string) string {
	t.Helper()
	headers := []string{"Authorization", token}
	if body != "" {
		headers = append(headers, "Content-Type", "application/json")
	}
	res, data := webtest.Do(t, http.DefaultClient, webtest.Request(t.Context(), t, method, s.URL+path, strings.NewReader(body), headers...))
	if res.StatusCode != http.StatusOK {
		t.Fatalf("%s %s of %s: %d %s", method, path, s.Name, res.StatusCode, data)
	}
	return data
}

func decode(t *testing.T, text string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
}

// lines cuts a JSON text into lines, keys sorted, that a diff can be read of.
func lines(text string) []string {
	var v any
	if json.Unmarshal([]byte(text), &v) == nil {
		if b, err := json.MarshalIndent(v, "", " "); err == nil {
			return strings.Split(string(b), "\n")
		}
	}
	return strings.Split(text, "\n")
}

func checksums(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		out[path] = fmt.Sprintf("%x", sha256.Sum256(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func runPando(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(pandoBinary(t), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("pando %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func pandoBinary(t *testing.T) string {
	t.Helper()
	bin, err := target.BuildPando(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func sqlite3(t *testing.T, path, sql string) {
	t.Helper()
	cmd := exec.Command("sqlite3", path)
	cmd.Stdin = strings.NewReader(sql)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("sqlite3: %v\n%s", err, out)
	}
}
