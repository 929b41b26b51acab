package web

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"
)

// discard is a response that costs nothing, so that the handlers are measured.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

// BenchmarkView is what the edge adds to a view from the cache: compare it
// with BenchmarkBare, a handler that writes the same bytes.
func BenchmarkView(b *testing.B) {
	f := newFake()
	f.answer = bytes.Repeat([]byte("x"), 600)
	h := f.handler(b)
	serveMany(b, h)
}

func BenchmarkBare(b *testing.B) {
	answer := bytes.Repeat([]byte("x"), 600)
	serveMany(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Content-Type"] = headerJSON
		w.Write(answer)
	}))
}

func serveMany(b *testing.B, h http.Handler) {
	r := httptest.NewRequest("GET", createURL+"/abcdefghijklmno", nil)
	r.Header.Set("Authorization", "user")
	b.ReportAllocs()
	for b.Loop() {
		d := discard{header: make(http.Header, 8)}
		h.ServeHTTP(&d, r)
	}
}
