package faults

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// shelf is a collection with files, and what the server has answered about it.
type shelf struct {
	*api
	mu    sync.Mutex
	files map[string]string // record id → file name
	texts map[string]bool   // ids of records without a file
}

func newShelf(t *testing.T, a *api) *shelf {
	a.collection(t, "shelf", map[string]any{"name": "text", "type": "text"},
		map[string]any{"name": "file", "type": "file", "maxSelect": 1})
	return &shelf{api: a, files: map[string]string{}, texts: map[string]bool{}}
}

// content is what the file of a record holds, size bytes of it.
func content(text string, size int) string {
	return strings.Repeat(text+"\n", size/(len(text)+1)+1)[:size]
}

// upload makes a record with a file; its text says how large the file is.
func (s *shelf) upload(n, size int) (answer, error) {
	text := fmt.Sprintf("upload %d %d", n, size)
	body := value("text", text) + file("file", "a.txt", content(text, size)) + end
	got, err := s.try("POST", records("shelf"), "", "multipart/form-data; boundary="+boundary, strings.NewReader(body))
	if err == nil && got.status == http.StatusOK {
		id, name := field(got.body, "id"), field(got.body, "file")
		s.mu.Lock()
		s.files[id] = name
		s.mu.Unlock()
	}
	return got, err
}

func (s *shelf) note(text string) (answer, error) {
	got, err := s.try("POST", records("shelf"), "", "application/json", strings.NewReader(`{"text":"`+text+`"}`))
	if err == nil && got.status == http.StatusOK {
		s.mu.Lock()
		s.texts[field(got.body, "id")] = true
		s.mu.Unlock()
	}
	return got, err
}

// field is a text in a JSON object that the server made, "" if there is none.
func field(body []byte, key string) string {
	_, rest, _ := bytes.Cut(body, []byte(`"`+key+`":"`))
	v, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(v)
}

// sound checks that every answered record is there with its file, and no other
// record, file, note or half-written file.
func (s *shelf) sound(t *testing.T, when string) {
	t.Helper()
	if n := s.count(t, "shelf"); n != len(s.files)+len(s.texts) {
		t.Errorf("%s: %d records, %d were answered", when, n, len(s.files)+len(s.texts))
	}
	for id := range s.texts {
		if got := s.get(t, records("shelf")+"/"+id, ""); got.status != 200 {
			t.Errorf("%s: record %s: %d", when, id, got.status)
		}
	}
	for id, name := range s.files {
		rec := s.get(t, records("shelf")+"/"+id, "")
		text := field(rec.body, "text")
		var n, size int
		fmt.Sscanf(text, "upload %d %d", &n, &size)
		got := s.get(t, "/api/files/shelf/"+id+"/"+name, "")
		if rec.status != 200 || got.status != 200 || string(got.body) != content(text, size) {
			t.Errorf("%s: record %s: %d, its file: %d, %d bytes of %d", when, id, rec.status, got.status, len(got.body), size)
		}
	}
	files, own := storedFiles(t, s.Dir)
	if len(files) != len(s.files) || len(own) > 0 {
		t.Errorf("%s: %d files on disk for %d records; left behind: %q", when, len(files), len(s.files), own)
	}
	s.healthy(t)
}

// checkFile has another program look at the database.
func (s *shelf) checkFile(t *testing.T) {
	t.Helper()
	if out := sqlite3(t, s.Dir, "PRAGMA integrity_check"); out != "ok" {
		t.Errorf("integrity_check: %s", out)
	}
}
