package server_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/pandobase/pando/server"
)

// discard is a response that costs nothing.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

// BenchmarkView is a view from the cache, from the parsed request to the
// written answer, without the network.
func BenchmarkView(b *testing.B) {
	benchmarkGet(b, "/api/collections/posts/records/post00000000001")
}

func BenchmarkList(b *testing.B) {
	benchmarkGet(b, "/api/collections/posts/records?sort=-id&perPage=30")
}

func benchmarkGet(b *testing.B, path string) {
	cfg := config(b.TempDir())
	s, err := server.New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	h, err := s.Handler()
	if err != nil {
		b.Fatal(err)
	}
	send := func(method, path, token, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", token)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code >= 300 {
			b.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
		return w
	}
	token := benchSuperuser(b, cfg.Dir, send)
	send("POST", "/api/collections", token, `{"name":"posts","listRule":"","viewRule":"","fields":[{"name":"title","type":"text"}]}`)
	send("POST", "/api/collections/posts/records", token, `{"id":"post00000000001","title":"`+strings.Repeat("x", 500)+`"}`)
	send("GET", path, "", "")

	r := httptest.NewRequest("GET", path, nil)
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(&discard{header: make(http.Header, 8)}, r)
	}
}

func benchSuperuser(b *testing.B, dir string, send func(method, path, token, body string) *httptest.ResponseRecorder) string {
	users, err := server.OpenSuperusers(server.Place{Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	defer users.Close()
	if err := users.Upsert(b.Context(), email, password); err != nil {
		b.Fatal(err)
	}
	answer := send("POST", "/api/collections/_superusers/auth-with-password", "", `{"identity":"`+email+`","password":"`+password+`"}`).Body.String()
	_, token, _ := strings.Cut(answer, `"token":"`)
	token, _, _ = strings.Cut(token, `"`)
	return token
}
