package faults

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

const boundary = "XbX"

// part is one part of a hand-made multipart body.
func part(headers, content string) string {
	return "--" + boundary + "\r\n" + headers + "\r\n\r\n" + content + "\r\n"
}

const end = "--" + boundary + "--\r\n"

func value(name, content string) string {
	return part(`Content-Disposition: form-data; name="`+name+`"`, content)
}

func file(field, name, content string) string {
	return part(`Content-Disposition: form-data; name="`+field+`"; filename="`+name+`"`+"\r\nContent-Type: text/plain", content)
}

func TestMalformedMultipart(t *testing.T) {
	a := start(t)
	a.collection(t, "things", everyField()...)
	id := a.create(t, "things", map[string]any{"text": "stays"})
	big := strings.Repeat("x", 200_000) // beyond what is held in memory
	const multi = "multipart/form-data; boundary=" + boundary
	tests := map[string]struct{ contentType, body string }{
		"no boundary":               {"multipart/form-data", value("text", "x") + end},
		"empty boundary":            {`multipart/form-data; boundary=""`, value("text", "x") + end},
		"wrong boundary":            {"multipart/form-data; boundary=other", value("text", "x") + end},
		"bad media type":            {"multipart/form-data; boundary", value("text", "x") + end},
		"boundary with line breaks": {"multipart/form-data; boundary=\"a b\tc\"", value("text", "x") + end},
		"no body":                   {multi, " "},
		"no end":                    {multi, file("file", "a.txt", "x")},
		"truncated in a value":      {multi, `--XbX` + "\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nabc"},
		"truncated in a file":       {multi, value("text", "x") + strings.TrimSuffix(file("file", "a.txt", "abc"), "\r\n")},
		"truncated in a big file":   {multi, value("text", "x") + strings.TrimSuffix(file("file", "a.txt", big), "\r\n")},
		"second file truncated":     {multi, file("files", "a.txt", big) + strings.TrimSuffix(file("files", "b.txt", big), "x\r\n")},
		"truncated in a header":     {multi, "--XbX\r\nContent-Disposition: form-da"},
		"bad header":                {multi, part("no colon here", "x") + end},
		"header of 11 MB":           {multi, part(`Content-Disposition: form-data; name="text"`+"\r\nX-Big: "+strings.Repeat("h", 11<<20), "x") + end},
		"20,000 headers":            {multi, part(`Content-Disposition: form-data; name="text"`+strings.Repeat("\r\nX-A: b", 20_000), "x") + end},
		"6,000 values":              {multi, strings.Repeat(value("nobody", "x"), 6_000) + end},
		"6,000 files":               {multi, strings.Repeat(file("nobody", "a.txt", "x"), 6_000) + end},
		"bad payload":               {multi, value("@jsonPayload", `{"text":`) + end},
		"payload is an array":       {multi, value("@jsonPayload", `[1]`) + end},
		"payload key twice":         {multi, value("@jsonPayload", `{"text":"a","text":"b"}`) + end},
		"deep payload":              {multi, value("@jsonPayload", `{"json":`+strings.Repeat("[", 50_000)) + end},
		"invalid UTF-8 in a value":  {multi, value("text", "\xff\xfe") + end},
		"invalid UTF-8 in a name":   {multi, value("te\xff", "x") + end},
		"urlencoded, bad escape":    {"application/x-www-form-urlencoded", "text=%zz"},
		"urlencoded, semicolon":     {"application/x-www-form-urlencoded", "text=a;number=1"},
		"urlencoded, bad UTF-8":     {"application/x-www-form-urlencoded", "text=%ff%fe"},
		"urlencoded, 6,000 values":  {"application/x-www-form-urlencoded", strings.Repeat("nobody=1&", 6_000)},
		"no content type":           {"", `{"text":"x"}`},
		"an unknown content type":   {"application/octet-stream", `{"text":"x"}`},
		"xml":                       {"application/xml", `<text>x</text>`},
		"content type of 10 KB":     {"multipart/form-data; boundary=" + strings.Repeat("b", 10_000), value("text", "x") + end},
		"invalid UTF-8 type":        {"\xff\xfe/json", `{"text":"x"}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for _, r := range []struct{ method, path string }{
				{"POST", records("things")}, {"PATCH", records("things") + "/" + id},
			} {
				got := a.send(t, r.method, r.path, "", tt.contentType, strings.NewReader(tt.body))
				isError(t, got, http.StatusBadRequest)
			}
		})
	}
	a.nothingWritten(t, "things", 1)
}

// nothingWritten checks that a collection has n records, none with a file, and
// that no file or note lies about.
func (a *api) nothingWritten(t *testing.T, collection string, n int) {
	t.Helper()
	if got := a.count(t, collection); got != n {
		t.Errorf("%d records, want %d", got, n)
	}
	if files, own := storedFiles(t, a.Dir); len(files)+len(own) > 0 {
		t.Errorf("left behind: %q %q", files, own)
	}
	a.healthy(t)
}

// TestOddMultipart sends what is unusual and can be understood all the same.
func TestOddMultipart(t *testing.T) {
	a := start(t)
	a.collection(t, "things", everyField()...)
	const multi = "multipart/form-data; boundary=" + boundary
	nested := part("Content-Disposition: form-data; name=\"text\"\r\nContent-Type: multipart/mixed; boundary=in",
		"--in\r\nContent-Disposition: file; filename=\"a.txt\"\r\n\r\nx\r\n--in--")
	for name, body := range map[string]string{
		"a part without a name":   part("Content-Disposition: form-data", "x") + value("text", "named") + end,
		"a part without headers":  "--" + boundary + "\r\n\r\nx\r\n" + value("text", "bare") + end,
		"nested multipart":        nested + end,
		"text behind the end":     value("text", "x") + end + "more",
		"text before the start":   "hello\r\n" + value("text", "x") + end,
		"a value in a file field": value("nobody", "x") + value("text", "y") + end,
	} {
		t.Run(name, func(t *testing.T) {
			a.must(t, a.send(t, "POST", records("things"), "", multi, strings.NewReader(body)), 200)
		})
	}
	// Files for fields that take none, or not so many, or not of this size.
	many := strings.Repeat(file("files", "a.txt", "x"), 100)
	for name, body := range map[string]string{
		"too many files":           many + end,
		"a file that is too large": file("file", "a.txt", strings.Repeat("x", 5<<20+1)) + end,
		"a name of somebody's":     value("file", "../../data.db") + end,
		"two names of somebody's":  value("files", "a.txt") + value("files", "../b") + end,
	} {
		t.Run(name, func(t *testing.T) {
			isError(t, a.send(t, "POST", records("things"), "", multi, strings.NewReader(body)), http.StatusBadRequest)
		})
	}
	a.nothingWritten(t, "things", 6)
}

// TestBodyTooLarge sends more than a route takes, announced and not.
func TestBodyTooLarge(t *testing.T) {
	a := start(t)
	a.collection(t, "small", map[string]any{"name": "text", "type": "text"})
	a.collection(t, "withFile", map[string]any{"name": "file", "type": "file", "maxSelect": 1})
	a.must(t, a.json(t, "PATCH", "/api/settings", a.token,
		map[string]any{"batch": map[string]any{"enabled": true, "maxBodySize": 100_000}}), 200)
	const mb = 1 << 20
	tests := []struct {
		method, path, token, contentType string
		size                             int64
	}{
		{"POST", records("small"), "", "application/json", 33 * mb},
		{"POST", records("small"), "", "multipart/form-data; boundary=XbX", 33 * mb},
		{"POST", records("small"), "", "application/x-www-form-urlencoded", 33 * mb},
		{"POST", records("withFile"), "", "multipart/form-data; boundary=XbX", 38 * mb},
		{"POST", "/api/batch", "", "application/json", 100_001},
		{"POST", "/api/realtime", "", "application/json", 33 * mb},
		{"POST", "/api/collections/users/auth-with-password", "", "application/json", 33 * mb},
		{"PATCH", "/api/settings", a.token, "application/json", 33 * mb},
		{"POST", "/api/collections", a.token, "application/json", 33 * mb},
	}
	for _, tt := range tests {
		for _, chunked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s %s chunked=%v", tt.path, tt.contentType, chunked), func(t *testing.T) {
				body := io.Reader(&endless{head: opening(tt.contentType), left: tt.size})
				req, err := http.NewRequest(tt.method, a.URL+tt.path, body)
				if err != nil {
					t.Fatal(err)
				}
				if !chunked {
					req.ContentLength = tt.size
				}
				// Where the server answers before it has read everything, the
				// client must still get to see that answer.
				req.Header.Set("Expect", "100-continue")
				req.Header.Set("Content-Type", tt.contentType)
				req.Header.Set("Authorization", tt.token)
				res, err := a.http.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				b, err := io.ReadAll(res.Body)
				if err != nil {
					t.Fatal(err)
				}
				isError(t, answer{res.StatusCode, res.Header, b}, http.StatusRequestEntityTooLarge)
			})
		}
	}
	a.nothingWritten(t, "small", 0)
	if n := a.count(t, "withFile"); n != 0 {
		t.Errorf("%d records with a file", n)
	}
}

// opening is how a body of this type begins that goes on for long.
func opening(contentType string) string {
	switch {
	case strings.HasPrefix(contentType, "multipart/"):
		return "--" + boundary + "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\n"
	case strings.HasSuffix(contentType, "urlencoded"):
		return "text="
	}
	return `{"text":"`
}

// endless is a body of left bytes.
type endless struct {
	head string
	left int64
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), e.left)]
	n := copy(p, e.head)
	e.head = e.head[n:]
	copy(p[n:], bytes.Repeat([]byte{'x'}, len(p)-n))
	e.left -= int64(len(p))
	return len(p), nil
}

// TestBodyBreaksOff closes the connection in the middle of uploads.
func TestBodyBreaksOff(t *testing.T) {
	a := start(t)
	a.collection(t, "things", everyField()...)
	for i := range 20 {
		pr, pw := io.Pipe()
		go func() {
			io.WriteString(pw, value("text", "x")+file("files", "a.txt", strings.Repeat("x", 100_000)))
			io.WriteString(pw, opening("multipart/")+strings.Repeat("y", i*20_000))
			pw.CloseWithError(io.ErrUnexpectedEOF)
		}()
		if _, err := a.try("POST", records("things"), "", "multipart/form-data; boundary="+boundary, pr); err == nil {
			t.Error("the broken request was answered")
		}
	}
	a.nothingWritten(t, "things", 0)
}

// TestBodyMemory sends bodies that are small on the wire and could be large in
// memory, several at once.
func TestBodyMemory(t *testing.T) {
	a := startIn(t, t.TempDir()+"/data", []string{"GOMEMLIMIT=256MiB"})
	a.collection(t, "things", everyField()...)
	const multi = "multipart/form-data; boundary=" + boundary
	bodies := map[string]struct{ contentType, body string }{
		"small files":    {multi, strings.Repeat(file("files", "a.txt", "x"), 4_900) + end},
		"numbers":        {"application/json", `{"json":[` + strings.Repeat("1,", 15_000_000) + `1]}`},
		"empty objects":  {"application/json", `{"json":[` + strings.Repeat("{},", 10_000_000) + `{}]}`},
		"short keys":     {"application/json", `{` + keys(2_000_000) + `"z":1}`},
		"one long text":  {"application/json", `{"editor":"` + strings.Repeat("x", 30<<20) + `"}`},
		"one long value": {multi, value("editor", strings.Repeat("x", 30<<20)) + end},
		"urlencoded":     {"application/x-www-form-urlencoded", "editor=" + strings.Repeat("x", 30<<20)},
	}
	for name, tt := range bodies {
		t.Run(name, func(t *testing.T) {
			done := make(chan error)
			for range 4 {
				go func() {
					got, err := a.try("POST", records("things"), "", tt.contentType, strings.NewReader(tt.body))
					if err == nil && got.status != 400 && got.status != 503 && got.status != 413 {
						err = fmt.Errorf("status %d: %.300s", got.status, got.body)
					}
					done <- err
				}()
			}
			for range 4 {
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
			now, peak := a.rss(t)
			t.Logf("resident %d MB, at most %d MB", now>>20, peak>>20)
			if peak > 512<<20 {
				t.Errorf("four requests made the server %d MB large", peak>>20)
			}
		})
	}
	a.nothingWritten(t, "things", 0)
}

func keys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"%x":1,`, i)
	}
	return b.String()
}
