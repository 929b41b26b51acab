package pages

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestExamplePagesParse(t *testing.T) {
	s, err := load("../../examples/movies/pages")
	if err != nil {
		t.Fatal(err)
	}
	if s.notFound == nil {
		t.Error("404.html was not found")
	}
	tests := []struct {
		path, page string
		params     map[string]string
	}{
		{"/", "index.html", map[string]string{}},
		{"/movies", "movies/index.html", map[string]string{}},
		{"/movies/", "movies/index.html", map[string]string{}},
		{"/movies/abc", "movies/[id].html", map[string]string{"id": "abc"}},
		{"/flights", "flights.html", map[string]string{}},
		{"/movies/../flights", "flights.html", map[string]string{}},
		{"/movies/abc/d", "", nil},
		{"/_layout", "", nil},
		{"/404", "", nil},
	}
	for _, tt := range tests {
		p, params := s.find(tt.path)
		name := ""
		if p != nil {
			name = p.name
		}
		if name != tt.page {
			t.Errorf("find(%q) = %q, want %q", tt.path, name, tt.page)
		}
		if diff := cmp.Diff(tt.params, params); diff != "" {
			t.Errorf("find(%q) params (-want +got):\n%s", tt.path, diff)
		}
	}
}
