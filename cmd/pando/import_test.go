package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// numbered writes rows with the numbers from 0.
func numbered(t *testing.T, dir string, rows int) string {
	t.Helper()
	path := filepath.Join(dir, "rows.ndjson")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	for i := range rows {
		fmt.Fprintf(w, `{"n":%d,"title":"Row number %d","ok":%v,"day":"2024-01-%02d"}`+"\n", i, i, i%2 == 0, i%28+1)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// list is a page of records as the server answers it.
type list struct {
	TotalItems int
	Items      []struct{ N int }
}

func (p *process) list(t *testing.T, collection, query string) (l list, status int) {
	t.Helper()
	res, err := http.Get(p.url + "/api/collections/" + collection + "/records?" + query)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&l); err != nil {
		t.Fatal(err)
	}
	return l, res.StatusCode
}

// known is the list of a collection that another process has made just now: the
// server looks around ten times a second.
func (p *process) known(t *testing.T, collection string) (l list, status int) {
	t.Helper()
	for began := time.Now(); time.Since(began) < 10*time.Second; {
		if l, status = p.list(t, collection, ""); status != 404 {
			break
		}
	}
	return l, status
}

// TestImportKilled ends an import by kill -9 and runs it again, until it is
// through: no row is in twice, and none is lost.
func TestImportKilled(t *testing.T) {
	const rows = 200_000
	dir := t.TempDir()
	path := numbered(t, dir, rows)
	p := serveIn(t, dir)
	args := []string{"import", path, "--collection", "rows", "--public", "--dir", "data"}

	began := time.Now()
	for _, until := range []int{40_000, 110_000} {
		cmd := command(dir, nil, args...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		tick := time.NewTicker(5 * time.Millisecond)
		for seen := 0; seen < until; {
			select {
			case err := <-ended:
				t.Fatalf("ended at %d rows: %v %s", seen, err, stderr.String())
			case <-tick.C:
				l, _ := p.list(t, "rows", "perPage=1&fields=n")
				seen = l.TotalItems
			case <-t.Context().Done():
				t.Fatal("took too long")
			}
		}
		tick.Stop()
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-ended
	}
	code, stdout, stderr := runIn(t, dir, nil, args...)
	if code != 0 || !strings.Contains(stdout, "rows imported into rows") || !strings.Contains(stdout, "were dealt with before, 0 not taken.") {
		t.Fatalf("%d %s %s", code, stdout, stderr)
	}
	t.Logf("%d rows in %s, with two kills: %s", rows, time.Since(began).Round(time.Millisecond), stdout)

	next := 0
	for page := 1; next < rows; page++ {
		l, _ := p.list(t, "rows", fmt.Sprintf("perPage=1000&skipTotal=1&fields=n&page=%d", page))
		if len(l.Items) == 0 {
			break
		}
		for _, item := range l.Items {
			if item.N != next {
				t.Fatalf("record %d is row %d", next, item.N)
			}
			next++
		}
	}
	if l, _ := p.list(t, "rows", "perPage=1"); next != rows || l.TotalItems != rows {
		t.Errorf("%d rows, %d by total, want %d", next, l.TotalItems, rows)
	}
}

// TestImportBesideServer imports while a server answers and writes: it sees the
// rows at once, though it had the list in its cache, and its own writes are not
// held up for long.
func TestImportBesideServer(t *testing.T) {
	const rows = 30_000
	dir := t.TempDir()
	p := serveIn(t, dir)
	one := write(t, dir, "one.json", `[{"n":-1}]`)
	if code, _, stderr := runIn(t, dir, nil, "import", one, "--collection", "rows", "--public", "--dir", "data"); code != 0 {
		t.Fatal(stderr)
	}
	if code, _, stderr := runIn(t, dir, nil, "superuser", "create", "a@b.co", "sesame-open", "--dir", "data"); code != 0 {
		t.Fatal(stderr)
	}
	token := p.login(t)
	if status, answer := p.send(t, "POST", "/api/collections", token, `{"name":"posts","type":"base","createRule":"","fields":[{"name":"n","type":"number"}]}`); status != 200 {
		t.Fatalf("%d %s", status, answer)
	}
	if status, answer := p.send(t, "PATCH", "/api/collections/rows", token, `{"fields":[`+
		`{"name":"n","type":"number"},{"name":"title","type":"text"},{"name":"ok","type":"bool"},{"name":"day","type":"date"}]}`); status != 200 {
		t.Fatalf("%d %s", status, answer)
	}
	if l, _ := p.list(t, "rows", "perPage=1"); l.TotalItems != 1 {
		t.Fatalf("%d rows before", l.TotalItems)
	}

	path := numbered(t, dir, rows)
	stop := make(chan struct{})
	var writes sync.WaitGroup
	var longest time.Duration
	made := 0
	writes.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			began := time.Now()
			if status, answer := p.send(t, "POST", "/api/collections/posts/records", "", `{"n":1}`); status != 200 {
				t.Errorf("a write beside the import: %d %s", status, answer)
				return
			}
			longest, made = max(longest, time.Since(began)), made+1
		}
	})
	code, stdout, stderr := runIn(t, dir, nil, "import", path, "--collection", "rows", "--dir", "data")
	ended := time.Now()
	close(stop)
	if code != 0 || stdout != "30,000 rows imported into rows, 0 not taken.\n" {
		t.Errorf("%d %s %s", code, stdout, stderr)
	}
	p.sees(t, ended, rows+1)
	writes.Wait()
	t.Logf("%d writes meanwhile, the longest took %s", made, longest)
	if made == 0 || longest > 5*time.Second {
		t.Errorf("%d writes of the server during the import, the longest took %s", made, longest)
	}
	// Once more, while the server writes nothing that would make it look.
	if code, _, stderr := runIn(t, dir, nil, "import", one, "--collection", "rows", "--again", "--dir", "data"); code != 0 {
		t.Fatal(stderr)
	}
	p.sees(t, time.Now(), rows+2)
}

// sees waits until the server lists so many rows.
func (p *process) sees(t *testing.T, since time.Time, rows int) {
	t.Helper()
	for l, _ := p.list(t, "rows", "perPage=1"); l.TotalItems != rows; l, _ = p.list(t, "rows", "perPage=1") {
		if time.Since(since) > 10*time.Second { // a tenth of a second where nobody else wants the processor; never, if nothing makes it look
			t.Fatalf("the server still sees %d rows, want %d", l.TotalItems, rows)
		}
	}
	t.Logf("%d rows seen after %s", rows, time.Since(since))
}

func TestImportRules(t *testing.T) {
	dir := t.TempDir()
	p := serveIn(t, dir)
	path := write(t, dir, "rows.csv", "n,city\n1,Rome\nmany,Paris\n3,\"Oslo\n")
	path2 := write(t, dir, "more.csv", "n,city\n1,Rome\n2,Paris\n")
	code, stdout, stderr := runIn(t, dir, nil, "import", path2, "--collection", "closed", "--dir", "data")
	if code != 0 || stdout != "2 rows imported into closed (new), 0 not taken.\n" || stderr != "" {
		t.Fatalf("%d %q %q", code, stdout, stderr)
	}
	if _, status := p.known(t, "closed"); status != 403 {
		t.Errorf("without --public: %d", status)
	}
	if code, _, stderr := runIn(t, dir, nil, "import", path2, "--collection", "open", "--public", "--dir", "data"); code != 0 {
		t.Fatal(stderr)
	}
	if l, status := p.known(t, "open"); status != 200 || l.TotalItems != 2 {
		t.Errorf("with --public: %d %+v", status, l)
	}
	if status, answer := p.send(t, "POST", "/api/collections/open/records", "", `{"n":3}`); status != 403 {
		t.Errorf("--public opens writing: %d %s", status, answer)
	}

	code, stdout, stderr = runIn(t, dir, nil, "import", path, "--collection", "open", "--dir", "data")
	if code != 0 || stdout != "1 rows imported into open, 2 not taken.\n" {
		t.Errorf("%d %q", code, stdout)
	}
	want := "row 2 not taken: n: \"many\" is not a number\nrow 3 not taken: parse error on line 4, column 9: extraneous or missing \" in quoted-field\n"
	if stderr != want {
		t.Errorf("stderr %q, want %q", stderr, want)
	}
	code, _, stderr = runIn(t, dir, nil, "import", path, "--collection", "open", "--dir", "data")
	if code != 1 || !strings.Contains(stderr, "was imported into open before (1 rows). To import it once more, add --again.") {
		t.Errorf("a second time: %d %s", code, stderr)
	}
	if code, stdout, _ = runIn(t, dir, nil, "import", path, "--collection", "open", "--again", "--dir", "data"); code != 0 || !strings.HasPrefix(stdout, "1 rows imported") {
		t.Errorf("--again: %d %s", code, stdout)
	}
	for _, args := range [][]string{
		{"import", path}, {"import"}, {"import", path, "--collection", "open", "--match", "n"}, {"import", path, "--collection", "x", "--match", "n=open"},
	} {
		if code, _, stderr := runIn(t, dir, nil, append(args, "--dir", "data")...); code != 2 {
			t.Errorf("%q: %d %s", args, code, stderr)
		}
	}
}

// TestImportUsers: people log in with the passwords and the hashes that were
// imported.
func TestImportUsers(t *testing.T) {
	dir := t.TempDir()
	p := serveIn(t, dir)
	hash, err := bcrypt.GenerateFromPassword([]byte("secret-of-bob"), 5)
	if err != nil {
		t.Fatal(err)
	}
	php := "$2y" + string(hash[len("$2a"):]) // as other systems mark theirs
	path := write(t, dir, "users.ndjson", `{"email":"ada@b.co","password":"secret-of-ada"}
{"email":"bob@b.co","passwordHash":"`+php+`"}
{"email":"cy@b.co"}
{"email":"di@b.co","passwordHash":"secret-of-di"}
`)
	code, stdout, stderr := runIn(t, dir, nil, "import", path, "--collection", "users", "--dir", "data")
	if code != 0 || stdout != "3 rows imported into users, 1 not taken.\n1 of them have no password: nobody can log in with one until it is set.\n" {
		t.Errorf("%d %q", code, stdout)
	}
	if !strings.Contains(stderr, "Hashing them is slow") || !strings.Contains(stderr, "row 4 not taken: passwordHash is not a bcrypt hash\n") || strings.Contains(stderr, "secret-of") {
		t.Errorf("stderr %q", stderr)
	}
	for _, tt := range []struct {
		body string
		want int
	}{{`{"identity":"ada@b.co","password":"secret-of-ada"}`, 200}, {`{"identity":"bob@b.co","password":"secret-of-bob"}`, 200}, {`{"identity":"cy@b.co","password":"secret-of-cy"}`, 400}} {
		if status, answer := p.send(t, "POST", "/api/collections/users/auth-with-password", "", tt.body); status != tt.want {
			t.Errorf("%s: %d %s", tt.body, status, answer)
		}
	}
}

func (p *process) send(t *testing.T, method, path, token, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, p.url+path, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Error(err)
	}
	return res.StatusCode, string(b)
}

func (p *process) login(t *testing.T) (token string) {
	t.Helper()
	status, body := p.send(t, "POST", "/api/collections/_superusers/auth-with-password", "", `{"identity":"a@b.co","password":"sesame-open"}`)
	var answer struct{ Token string }
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != 200 {
		t.Fatalf("login: %d %s", status, body)
	}
	return answer.Token
}

// TestProgress: a line every ten seconds where nobody sits at a terminal, one
// that is written over where somebody does.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := newProgress(&out)
		for done := range 35 {
			p.show(func(e elapsed) string {
				return fmt.Sprintf("%d rows, %.0f rows/s, %s left", done, e.rate(float64(done)), e.left(int64(done), 35))
			})
			time.Sleep(time.Second)
		}
		p.clear()
		p.end()
		want := "10 rows, 1 rows/s, 25s left\n20 rows, 1 rows/s, 15s left\n30 rows, 1 rows/s, 5s left\n"
		if out.String() != want {
			t.Errorf("%q, want %q", out.String(), want)
		}

		out.Reset()
		p = newProgress(&out)
		p.tty, p.every = true, 100*time.Millisecond
		for i := range 3 {
			time.Sleep(60 * time.Millisecond)
			p.show(func(elapsed) string { return fmt.Sprint("line ", i) })
		}
		p.clear()
		p.end()
		if want := fmt.Sprintf("\r%-79s\r%79s\r\n", "line 1", ""); out.String() != want {
			t.Errorf("%q, want %q", out.String(), want)
		}
	})
}
