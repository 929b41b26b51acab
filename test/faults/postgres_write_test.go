package faults

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/pandobase/pando/internal/localcluster/localclustertest"
)

// TestDatabaseRefusesWrites: what PostgreSQL says in its trouble is answered in the
// API's form, with when to try again; nothing of the write is left, reads go on,
// and so do writes when the trouble is over.
func TestDatabaseRefusesWrites(t *testing.T) {
	t.Parallel() // mostly it waits
	pg, url := localclustertest.Database(t)
	db := url[strings.LastIndex(url, "/")+1:]
	sql := func(text string) string {
		t.Helper()
		out, err := pg.ExecIn(t.Context(), db, text)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	s := startOn(t, url, "--query-timeout", "500ms", "--write-wait", "2s")
	ask := func(method, path, token, body string) (*http.Response, []byte) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, bytes.NewReader([]byte(body)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", token)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		data, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res, data
	}
	var login struct{ Token string }
	_, data := ask("POST", "/api/collections/_superusers/auth-with-password", "", `{"identity":"`+s.Email+`","password":"`+s.Password+`"}`)
	if err := json.Unmarshal(data, &login); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"notes", "marks"} {
		res, data := ask("POST", "/api/collections", login.Token, `{"name":"`+name+`","type":"base","fields":[{"name":"n","type":"number"}],"listRule":"","viewRule":"","createRule":"","updateRule":""}`)
		if res.StatusCode != 200 {
			t.Fatal(res.Status, string(data))
		}
	}
	if res, data := ask("PATCH", "/api/settings", login.Token, `{"batch":{"enabled":true,"maxRequests":10,"timeout":10}}`); res.StatusCode != 200 {
		t.Fatal(res.Status, string(data))
	}
	const note = "/api/collections/notes/records"
	if res, data := ask("POST", note, "", `{"id":"aaaaaaaaaaaaaaa","n":0}`); res.StatusCode != 200 {
		t.Fatal(res.Status, string(data))
	}

	for _, c := range []struct{ name, trouble, want string }{
		{"disk full", "RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'", "storage is full"},
		{"statement timeout", "PERFORM pg_sleep(5)", "took too long"},
		{"deadlocks without end", "RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01'", "same time"},
		{"serialization failures without end", "RAISE EXCEPTION 'could not serialize access' USING ERRCODE = '40001'", "same time"},
		{"an administrator ends the session", "PERFORM pg_terminate_backend(pg_backend_pid())", "again"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sql("CREATE OR REPLACE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN " + c.trouble + "; RETURN NEW; END $$;" +
				"CREATE TRIGGER trouble BEFORE INSERT OR UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION trouble()")
			// The server has heard of the trigger when a later write is answered. While it has not, it
			// cannot rule out that what it made was deleted, and has to say that it does not know.
			if res, data := ask("POST", "/api/collections/marks/records", "", `{"n":1}`); res.StatusCode != 200 {
				t.Errorf("%s: %s", res.Status, data)
			}
			sql("DELETE FROM marks")
			for i, write := range [][3]string{
				{"POST", note, `{"n":1}`}, {"PATCH", note + "/aaaaaaaaaaaaaaa", `{"n":2}`},
				{"POST", "/api/batch", `{"requests":[{"method":"POST","url":"/api/collections/marks/records","body":{"n":1}},{"method":"POST","url":"` + note + `","body":{"n":1}}]}`},
			} {
				res, data := ask(write[0], write[1], "", write[2])
				for try := 1; try < 3 && strings.Contains(string(data), `"outcome":"unknown"`); try++ {
					res, data = ask(write[0], write[1], "", write[2]) // a busy machine has not found out in time
				}
				var body struct {
					Data    map[string]any
					Message string
					Status  int
				}
				if err := json.Unmarshal(data, &body); err != nil || res.StatusCode != 503 || body.Status != 503 || body.Message == "" {
					t.Errorf("%s: %s: %s, %v", write[1], res.Status, data, err)
				}
				if i < 2 && !strings.Contains(body.Message, c.want) {
					t.Errorf("%s: %q is not said in %q", write[1], c.want, body.Message)
				}
				if res.Header.Get("Retry-After") == "" {
					t.Errorf("%s: no Retry-After", write[1])
				}
			}
			if res, data := ask("GET", note+"/aaaaaaaaaaaaaaa", "", ""); res.StatusCode != 200 || !strings.Contains(string(data), `"n":0`) {
				t.Errorf("a read meanwhile: %s %s", res.Status, data)
			}
			sql("DROP TRIGGER trouble ON notes")
			if n := sql("SELECT count(*), (SELECT count(*) FROM marks) FROM notes"); n != "1|0" {
				t.Errorf("%s records are there, of a write that failed", n)
			}
			res, data := ask("POST", note, "", `{"id":"bbbbbbbbbbbbbbb","n":1}`)
			if res.StatusCode != 200 {
				t.Errorf("a write afterwards: %s %s", res.Status, data)
			}
			sql("DELETE FROM notes WHERE id = 'bbbbbbbbbbbbbbb'")
		})
	}
	if t.Failed() {
		t.Log(fmt.Sprint(s.Output()))
	}
}
