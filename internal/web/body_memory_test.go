package web

import (
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
)

// The names in a part's header stay in memory as its value does, so they count.
func TestMultipartHeadersAreBounded(t *testing.T) {
	long := strings.Repeat("n", 9<<20)
	for name, part := range map[string]string{
		"name":       `Content-Disposition: form-data; name="` + long + `"`,
		"file name":  `Content-Disposition: form-data; name="f"; filename="` + long + `"`,
		"other line": "X-Other: " + long + "\r\n" + `Content-Disposition: form-data; name="a"`,
	} {
		t.Run(name, func(t *testing.T) {
			h := newFake().handler(t)
			body := strings.NewReader("--X\r\n" + part + "\r\n\r\nv\r\n--X--\r\n")
			r := httptest.NewRequest("POST", createURL, body)
			r.Header.Set("Content-Type", "multipart/form-data; boundary=X")
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			runtime.ReadMemStats(&after)
			if w.Code != 400 {
				t.Errorf("status %d, want 400: %.200s", w.Code, w.Body)
			}
			if took := after.TotalAlloc - before.TotalAlloc; took > megabyte {
				t.Errorf("%d bytes were taken for a header", took)
			}
		})
	}
}

// A part that is read by nobody is not a header, however long it is.
func TestMultipartLongParts(t *testing.T) {
	f := newFake()
	long := strings.Repeat("v", 1<<20)
	body := "a preamble\r\n--X\r\nContent-Disposition: form-data\r\n\r\n" + long +
		"\r\n--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n" + long +
		"\r\n--X\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\n" + long +
		"\r\n--X\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\n1\r\n--X--\r\n"
	w := request(f.handler(t), "POST", createURL, body, "Content-Type: multipart/form-data; boundary=X")
	if w.Code != 200 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	if a, _ := f.in.Body["a"].(string); len(a) != len(long) || f.in.Body["b"] != 1.0 {
		t.Errorf("a has %d bytes, b is %v", len(a), f.in.Body["b"])
	}
	if n := len(f.in.Files["f"]); n != 1 {
		t.Errorf("%d files", n)
	}
}
