package server_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/server"
)

const (
	email    = "root@example.com"
	password = "correct horse"
)

// config serves dir on free ports, with nothing from the working directory.
func config(dir string) server.Config {
	return server.Config{Dir: dir, HTTP: "127.0.0.1:0", Admin: "127.0.0.1:0", PublicDir: server.Off, PagesDir: server.Off}
}

// running is a server that answers, and its end.
type running struct {
	info   server.Info
	server *server.Server
	stop   context.CancelFunc
	done   chan error
}

func start(t *testing.T, cfg server.Config, prepare ...func(*server.Server)) *running {
	t.Helper()
	ready := make(chan server.Info, 1)
	cfg.OnReady = func(i server.Info) { ready <- i }
	s, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range prepare {
		p(s)
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &running{server: s, stop: stop, done: make(chan error, 1)}
	go func() { r.done <- s.Run(ctx) }()
	t.Cleanup(func() { stop(); <-r.done })
	select {
	case r.info = <-ready:
	case err := <-r.done:
		r.done <- err
		t.Fatalf("ended before it was ready: %v", err)
	}
	return r
}

// end stops the server and returns what Run returned.
func (r *running) end() error {
	r.stop()
	err := <-r.done
	r.done <- err
	return err
}

// call sends JSON and decodes the answer.
func call(t *testing.T, method, url, token string, body any) (int, map[string]any) {
	t.Helper()
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		in = bytes.NewReader(b)
	}
	req, err := http.NewRequest(method, url, in)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var out map[string]any
	if res.StatusCode != http.StatusNoContent {
		if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
			t.Fatalf("%s %s: %d: %v", method, url, res.StatusCode, err)
		}
	}
	return res.StatusCode, out
}

// superuser makes one and logs in.
func superuser(t *testing.T, dir, url string) (token string) {
	t.Helper()
	return superuserOf(t, server.Place{Dir: dir}, url)
}

func superuserOf(t *testing.T, place server.Place, url string) (token string) {
	t.Helper()
	users, err := server.OpenSuperusers(place) // beside the server
	if err != nil {
		t.Fatal(err)
	}
	err = users.Upsert(t.Context(), email, password)
	if err := errors.Join(err, users.Close()); err != nil {
		t.Fatal(err)
	}
	status, answer := call(t, "POST", url+"/api/collections/_superusers/auth-with-password", "",
		map[string]string{"identity": email, "password": password})
	if status != 200 {
		t.Fatalf("login: %d %v", status, answer)
	}
	return answer["token"].(string)
}

func posts(t *testing.T, url, token string) {
	t.Helper()
	open := ""
	status, answer := call(t, "POST", url+"/api/collections", token, map[string]any{
		"name": "posts", "listRule": open, "viewRule": open, "createRule": open, "updateRule": open, "deleteRule": open,
		"fields": []map[string]any{{"name": "title", "type": "text"}},
	})
	if status != 200 {
		t.Fatalf("create collection: %d %v", status, answer)
	}
}

func TestLife(t *testing.T) {
	dir := t.TempDir()
	r := start(t, config(dir))
	token := superuser(t, dir, r.info.URL)
	posts(t, r.info.URL, token)
	records := r.info.URL + "/api/collections/posts/records"
	status, created := call(t, "POST", records, "", map[string]string{"title": "one"})
	if status != 200 || created["title"] != "one" {
		t.Fatalf("create: %d %v", status, created)
	}
	if status, list := call(t, "GET", records, "", nil); status != 200 || list["totalItems"] != 1.0 {
		t.Errorf("list: %d %v", status, list)
	}
	if err := r.end(); err != nil {
		t.Errorf("Run: %v", err)
	}

	// What was answered is there after a restart; the token still holds.
	r = start(t, config(dir))
	records = r.info.URL + "/api/collections/posts/records"
	if status, view := call(t, "GET", fmt.Sprint(records, "/", created["id"]), "", nil); status != 200 || view["title"] != "one" {
		t.Errorf("view after a restart: %d %v", status, view)
	}
	if status, _ := call(t, "GET", r.info.URL+"/api/collections", token, nil); status != 200 {
		t.Errorf("token after a restart: %d", status)
	}
	if r.info.InstallURL != "" {
		t.Error("an install link, though there is a superuser")
	}
}

// TestAdminRoutes: what a server that is ready answers on its own port. How long it takes
// to be ready is a figure of `make bench`.
func TestAdminRoutes(t *testing.T) {
	r := start(t, config(t.TempDir()))
	if r.info.Took <= 0 {
		t.Errorf("ready after %s", r.info.Took)
	}
	for _, path := range []string{"/livez", "/readyz", "/metrics", "/readyz?verbose", "/debug/pprof/"} {
		res, err := http.Get(r.info.AdminURL + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 200 {
			t.Errorf("admin %s: %d", path, res.StatusCode)
		}
	}
}

func TestInstallLink(t *testing.T) {
	r := start(t, config(t.TempDir()))
	form := strings.NewReader("email=" + email + "&password=correct+horse&passwordConfirm=correct+horse")
	res, err := http.Post(r.info.InstallURL, "application/x-www-form-urlencoded", form)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if res.StatusCode != 200 {
		t.Fatalf("install: %d %s", res.StatusCode, body)
	}
	status, _ := call(t, "POST", r.info.URL+"/api/collections/_superusers/auth-with-password", "",
		map[string]string{"identity": email, "password": password})
	if status != 200 {
		t.Errorf("login: %d", status)
	}
	res, err = http.Get(r.info.InstallURL)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 403 {
		t.Errorf("the link, used again: %d", res.StatusCode)
	}
}

func TestDirectoryInUse(t *testing.T) {
	dir := t.TempDir()
	r := start(t, config(dir))
	_, err := server.New(config(dir))
	if pando.KindOf(err) != pando.KindUnavailable {
		t.Fatalf("second server: %v", err)
	}
	for _, want := range []string{"in use by", "process", r.info.URL, "--dir"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}

func TestAddressInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cfg := config(t.TempDir())
	cfg.HTTP = l.Addr().String()
	s, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Run(t.Context())
	if pando.KindOf(err) != pando.KindUnavailable || !strings.Contains(err.Error(), "--http") {
		t.Errorf("%v", err)
	}
	if s, err = server.New(config(cfg.Dir)); err != nil {
		t.Errorf("the directory after a failed start: %v", err)
	} else if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestBadConfig(t *testing.T) {
	for _, cfg := range []server.Config{{HTTP: "nonsense"}, {Admin: "127.0.0.1"}, {Readers: -1}} {
		cfg.Dir = filepath.Join(t.TempDir(), "data")
		if _, err := server.New(cfg); pando.KindOf(err) != pando.KindInvalid {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

// TestStop holds an event stream and a slow request open while the server
// stops.
func TestStop(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	r := start(t, config(t.TempDir()), func(s *server.Server) {
		s.Handle("GET /slow", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			close(entered)
			<-release
			io.WriteString(w, "finished")
		}))
	})
	events, err := http.Get(r.info.URL + "/api/realtime")
	if err != nil {
		t.Fatal(err)
	}
	defer events.Body.Close()
	if line, err := bufio.NewReader(events.Body).ReadString('\n'); err != nil || !strings.HasPrefix(line, "id:") {
		t.Fatalf("stream: %q %v", line, err)
	}
	slow := make(chan string, 1)
	go func() {
		res, err := http.Get(r.info.URL + "/slow")
		if err != nil {
			slow <- err.Error()
			return
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		slow <- string(b)
	}()
	<-entered
	r.stop()
	if _, err := io.Copy(io.Discard, events.Body); err != nil {
		t.Errorf("the stream did not end in order: %v", err)
	}
	close(release)
	if got := <-slow; got != "finished" {
		t.Errorf("the request under way got %q", got)
	}
	if err := r.end(); err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestHooksAndRoutes(t *testing.T) {
	dir := t.TempDir()
	var deleted, logins []string
	r := start(t, config(dir), func(s *server.Server) {
		s.OnRecordCreate(func(ctx context.Context, e *server.RecordEvent, next func(context.Context) error) error {
			if e.Collection.Name != "posts" {
				return next(ctx)
			}
			if e.Record.String("title") == "forbidden" {
				return &pando.Error{Kind: pando.KindForbidden, Message: "Not this title."}
			}
			e.Record.Set("title", strings.ToUpper(e.Record.String("title")))
			return next(ctx)
		})
		s.OnRecordUpdate(func(ctx context.Context, e *server.RecordEvent, next func(context.Context) error) error {
			if e.Old.String("title") == e.Record.String("title") {
				return pando.Invalid("Nothing changes.")
			}
			return next(ctx)
		})
		s.OnRecordDelete(func(ctx context.Context, e *server.RecordEvent, next func(context.Context) error) error {
			err := next(ctx)
			if err == nil {
				deleted = append(deleted, e.Record.ID())
			}
			return err
		})
		s.OnLogin(func(ctx context.Context, e *server.LoginEvent, next func(context.Context) error) error {
			logins = append(logins, e.Method+" "+e.Record.String("email"))
			return next(ctx)
		})
		s.Handle("GET /api/hello", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			who, err := s.Request(req)
			if err != nil {
				t.Error(err)
				return
			}
			list, err := s.Records().List(req.Context(), who, "posts", pando.ListQuery{})
			if err != nil {
				t.Error(err)
				return
			}
			fmt.Fprintf(w, `{"superuser":%v,"list":%s}`, who.IsSuperuser(), list)
		}))
	})
	token := superuser(t, dir, r.info.URL)
	if len(logins) != 1 || logins[0] != "password "+email {
		t.Errorf("logins: %q", logins)
	}
	posts(t, r.info.URL, token)
	records := r.info.URL + "/api/collections/posts/records"
	status, created := call(t, "POST", records, "", map[string]string{"title": "shout"})
	if status != 200 || created["title"] != "SHOUT" {
		t.Fatalf("create: %d %v", status, created)
	}
	if status, answer := call(t, "POST", records, "", map[string]string{"title": "forbidden"}); status != 403 || answer["message"] != "Not this title." {
		t.Errorf("refused create: %d %v", status, answer)
	}
	one := fmt.Sprint(records, "/", created["id"])
	if status, _ := call(t, "PATCH", one, "", map[string]string{"title": "SHOUT"}); status != 400 {
		t.Errorf("refused update: %d", status)
	}
	if status, answer := call(t, "GET", r.info.URL+"/api/hello", token, nil); status != 200 || answer["superuser"] != true ||
		answer["list"].(map[string]any)["totalItems"] != 1.0 {
		t.Errorf("own route: %d %v", status, answer)
	}
	if status, _ := call(t, "DELETE", one, "", nil); status != 204 || len(deleted) != 1 || deleted[0] != created["id"] {
		t.Errorf("delete: %d, told of %q", status, deleted)
	}
}

func TestHandlerWithoutListener(t *testing.T) {
	s, err := server.New(config(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	h, err := s.Handler()
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/api/health", nil))
	if w.Code != 200 {
		t.Errorf("health: %d", w.Code)
	}
}

func TestRouteConflict(t *testing.T) {
	s, err := server.New(config(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.Handle("GET /api/health", http.NotFoundHandler())
	if _, err := s.Handler(); err == nil {
		t.Error("a route of the API could be taken")
	}
}
