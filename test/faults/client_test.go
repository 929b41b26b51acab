package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/pandobase/pando/test/target"
)

// api talks to one server under test.
type api struct {
	*target.Server
	token string // the superuser's
	http  *http.Client
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// start starts a server on a new directory.
func start(t *testing.T, flags ...string) *api {
	t.Helper()
	return startIn(t, filepath.Join(t.TempDir(), "data"), nil, flags...)
}

// startIn starts a server on dir with more environment.
func startIn(t *testing.T, dir string, env []string, flags ...string) *api {
	t.Helper()
	return startAmong(t, dir, target.Surroundings{Env: env}, flags...)
}

// startAmong starts a server on dir and logs its superuser in. It is stopped when
// the test ends.
func startAmong(t *testing.T, dir string, in target.Surroundings, flags ...string) *api {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // the first one is built
	defer cancel()
	s, err := target.StartPandoIn(ctx, dir, in, flags...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true, ExpectContinueTimeout: 10 * time.Second}
	t.Cleanup(transport.CloseIdleConnections)
	a := &api{Server: s, http: &http.Client{Transport: transport, Timeout: time.Minute}}
	a.token = a.login(t, "_superusers", s.Email, s.Password)
	return a
}

func (a *api) login(t *testing.T, collection, identity, password string) string {
	t.Helper()
	got := a.post(t, "/api/collections/"+collection+"/auth-with-password", "",
		map[string]any{"identity": identity, "password": password})
	var body struct{ Token string }
	if got.status != http.StatusOK || json.Unmarshal(got.body, &body) != nil || body.Token == "" {
		t.Fatalf("login of %s: %d %s", identity, got.status, got.body)
	}
	return body.Token
}

// try sends one request; the error is the connection's.
func (a *api) try(method, path, token, contentType string, body io.Reader) (answer, error) {
	req, err := http.NewRequest(method, a.URL+path, body)
	if err != nil {
		return answer{}, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if token != "" {
		req.Header.Set("Authorization", token)
	}
	res, err := a.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, b}, err
}

// send is try for requests that must be answered.
func (a *api) send(t *testing.T, method, path, token, contentType string, body io.Reader) answer {
	t.Helper()
	got, err := a.try(method, path, token, contentType, body)
	if err != nil {
		t.Fatalf("%s %.100s: %v\n%s", method, path, err, tail(a.Output()))
	}
	return got
}

func (a *api) get(t *testing.T, path, token string) answer {
	t.Helper()
	return a.send(t, "GET", path, token, "", nil)
}

func (a *api) post(t *testing.T, path, token string, body any) answer {
	t.Helper()
	return a.json(t, "POST", path, token, body)
}

func (a *api) json(t *testing.T, method, path, token string, body any) answer {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return a.send(t, method, path, token, "application/json", bytes.NewReader(b))
}

// must fails the test unless the answer has the status.
func (a *api) must(t *testing.T, got answer, status int) answer {
	t.Helper()
	if got.status != status {
		t.Fatalf("status %d, want %d: %.500s\n%s", got.status, status, got.body, tail(a.Output()))
	}
	return got
}

// collection makes a base collection that everybody may do anything with.
func (a *api) collection(t *testing.T, name string, fields ...map[string]any) {
	t.Helper()
	a.must(t, a.post(t, "/api/collections", a.token, map[string]any{
		"name": name, "type": "base", "fields": fields,
		"listRule": "", "viewRule": "", "createRule": "", "updateRule": "", "deleteRule": "",
	}), http.StatusOK)
}

// create makes a record and returns its id.
func (a *api) create(t *testing.T, collection string, body map[string]any) string {
	t.Helper()
	got := a.must(t, a.post(t, records(collection), a.token, body), http.StatusOK)
	return str(t, got.body, "id")
}

func records(collection string) string { return "/api/collections/" + collection + "/records" }

// str is the text under one key of a JSON object.
func str(t *testing.T, body []byte, key string) string {
	t.Helper()
	var m map[string]json.RawMessage
	var s string
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatalf("%v: %.300s", err, body)
	}
	if err := json.Unmarshal(m[key], &s); err != nil {
		t.Fatalf("%s: %v: %.300s", key, err, body)
	}
	return s
}

// count is how many records a collection has.
func (a *api) count(t *testing.T, collection string) int {
	t.Helper()
	got := a.must(t, a.get(t, records(collection)+"?perPage=1", a.token), http.StatusOK)
	var list struct{ TotalItems int }
	if err := json.Unmarshal(got.body, &list); err != nil {
		t.Fatal(err)
	}
	return list.TotalItems
}

// form is a multipart body of values and files, both as name, content pairs.
func form(t *testing.T, values map[string]string, files ...[3]string) (contentType string, body *bytes.Buffer) {
	t.Helper()
	body = new(bytes.Buffer)
	w := multipart.NewWriter(body)
	for name, v := range values {
		if err := w.WriteField(name, v); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range files { // field, file name, content
		part, err := w.CreateFormFile(f[0], f[1])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(part, f[2]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), body
}

// storedFiles lists the files of records on disk, and, apart, what the store
// keeps for itself: half-written files and notes.
func storedFiles(t *testing.T, dir string) (files, own []string) {
	t.Helper()
	return storedIn(t, filepath.Join(dir, "storage"))
}

// storedIn lists what lies below the root of a store.
func storedIn(t *testing.T, root string) (files, own []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil // it has gone since its directory was read, and is not the end of the list
		}
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		if strings.HasPrefix(name, ".") {
			own = append(own, name)
		} else {
			files = append(files, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	return files, own
}

// innards are words that only the inside of the server says.
var innards = regexp.MustCompile(`(?i)goroutine|panic|\.go:\d|runtime error|sqlite|SQL logic|\bSELECT .*\bFROM\b|/tmp/|/root/|` +
	`invalid character|unexpected (EOF|end)|json:|multipart:|strconv|nil pointer|0x[0-9a-f]{6}|internal/|context (canceled|deadline)|` +
	`cannot unmarshal|mime:|http: |no such (file|table|column)|errno|broken pipe`)

// isError checks that an answer is an error in the API's form, of one of these
// statuses, and tells nothing of the server's inside.
func isError(t *testing.T, got answer, statuses ...int) {
	t.Helper()
	if !slices.Contains(statuses, got.status) {
		t.Errorf("status %d, want one of %v: %.300s", got.status, statuses, got.body)
		return
	}
	if ct := got.header.Get("Content-Type"); ct != "application/json" {
		t.Errorf("Content-Type %q: %.300s", ct, got.body)
	}
	var body struct {
		Data    map[string]any `json:"data"`
		Message string         `json:"message"`
		Status  int            `json:"status"`
	}
	d := json.NewDecoder(bytes.NewReader(got.body))
	d.DisallowUnknownFields()
	if err := d.Decode(&body); err != nil {
		t.Errorf("not the API's error: %v: %.300s", err, got.body)
		return
	}
	if body.Data == nil || body.Status != got.status || !isSentence(body.Message) {
		t.Errorf("not the API's error (status %d): %.300s", got.status, got.body)
	}
	if m := innards.Find(got.body); m != nil {
		t.Errorf("the answer says %q: %.500s", m, got.body)
	}
}

func isSentence(s string) bool {
	return s != "" && !unicode.IsLower([]rune(s)[0]) && strings.ContainsAny(s[len(s)-1:], ".?!")
}

// healthy checks that the server still answers, and that no handler panicked.
func (a *api) healthy(t *testing.T) {
	t.Helper()
	a.must(t, a.get(t, "/api/health", ""), http.StatusOK)
	if out := a.Output(); strings.Contains(out, "panic") || strings.Contains(out, "goroutine ") {
		t.Errorf("the server panicked:\n%s", tail(out))
	}
}

// rss is the memory that the server has resident now, and the most it ever had,
// in bytes.
func (a *api) rss(t *testing.T) (now, peak int64) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", a.PID()))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		var kb int64
		if n, _ := fmt.Sscanf(line, "VmRSS: %d kB", &kb); n == 1 {
			now = kb << 10
		}
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kb); n == 1 {
			peak = kb << 10
		}
	}
	return now, peak
}

// metric is the sum of a metric over its labels.
func (a *api) metric(t *testing.T, name string) float64 {
	t.Helper()
	res, err := http.Get(a.Admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, name); ok && (rest[0] == ' ' || rest[0] == '{') {
			value, err := strconv.ParseFloat(strings.TrimSpace(rest[strings.LastIndexByte(rest, ' '):]), 64)
			if err != nil {
				t.Fatal(err)
			}
			sum += value
		}
	}
	return sum
}

// until polls until ok, for at most 40 seconds: some of it waits for what takes a server 16.
func (a *api) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(40 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 40 s\n%s", what, tail(a.Output()))
		}
	}
}

// long tells whether the long forms of the tests are asked for.
func long() bool { return os.Getenv("PANDO_PROVE") == "1" }

func tail(s string) string { return s[max(0, len(s)-3000):] }

func query(pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	return "?" + q.Encode()
}
