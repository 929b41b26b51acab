package load

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

var responses = []struct {
	name, in string
	status   int
	body     string
	rest     string // bytes after the response
	close    bool
	bad      bool
}{
	{name: "content length", in: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", status: 200, body: "hello"},
	{name: "name in any case", in: "HTTP/1.1 404 Not Found\r\ncOnTeNt-LeNgTh:2\r\n\r\n{}", status: 404, body: "{}"},
	{name: "bytes of the next one", in: "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP", status: 200, body: "x", rest: "HTTP"},
	{name: "no reason", in: "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", status: 200},
	{name: "no content", in: "HTTP/1.1 204 No Content\r\nVary: Origin\r\n\r\n", status: 204},
	{name: "chunked", in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nB\r\n, the world\r\n0\r\n\r\n", status: 200, body: "hello, the world"},
	{name: "chunked and empty", in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", status: 200},
	{name: "closes", in: "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", status: 200, close: true},

	{name: "no length", in: "HTTP/1.1 200 OK\r\n\r\n", bad: true},
	{name: "old version", in: "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", bad: true},
	{name: "interim", in: "HTTP/1.1 100 Continue\r\n\r\n", bad: true},
	{name: "two lengths", in: "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", bad: true},
	{name: "both lengths", in: "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", bad: true},
	{name: "signed length", in: "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx", bad: true},
	{name: "huge length", in: "HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\nx", bad: true},
	{name: "no content with content", in: "HTTP/1.1 204 No Content\r\nContent-Length: 1\r\n\r\nx", bad: true},
	{name: "folded line", in: "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n", bad: true},
	{name: "space before colon", in: "HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n", bad: true},
	{name: "bare line feed", in: "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", bad: true},
	{name: "bare carriage return", in: "HTTP/1.1 200 OK\r\nA: b\rc\r\nContent-Length: 0\r\n\r\n", bad: true},
	{name: "gzip", in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", bad: true},
	{name: "chunk extension", in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;a=b\r\nx\r\n0\r\n\r\n", bad: true},
	{name: "chunk too long", in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n", bad: true},
	{name: "chunk size overflows", in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\nx\r\n", bad: true},
	{name: "no chunk size", in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\nx\r\n", bad: true},
	{name: "trailer", in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n", bad: true},
	{name: "endless head", in: "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("b", maxHead), bad: true},
}

func TestParser(t *testing.T) {
	for _, tt := range responses {
		t.Run(tt.name, func(t *testing.T) {
			var p Parser
			n, err := p.Parse([]byte(tt.in))
			if tt.bad {
				if !errors.Is(err, ErrResponse) {
					t.Fatalf("Parse = %d, %v; want a malformed response", n, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			body, _ := p.Body([]byte(tt.in), nil)
			if p.Status() != tt.status || string(body) != tt.body || p.Close() != tt.close || tt.in[n:] != tt.rest {
				t.Errorf("status %d, body %q, close %v, rest %q; want %d, %q, %v, %q",
					p.Status(), body, p.Close(), tt.in[n:], tt.status, tt.body, tt.close, tt.rest)
			}
		})
	}
}

// TestParserByteByByte feeds every response one byte at a time: the answer is
// the same, and not a byte too early.
func TestParserByteByByte(t *testing.T) {
	for _, tt := range responses {
		if tt.bad {
			continue
		}
		var p Parser
		whole := len(tt.in) - len(tt.rest)
		for i := range whole + 1 {
			n, err := p.Parse([]byte(tt.in[:i]))
			if err != nil {
				t.Fatalf("%s: after %d bytes: %v", tt.name, i, err)
			}
			if complete := i == whole; (n > 0) != complete {
				t.Fatalf("%s: after %d of %d bytes Parse = %d", tt.name, i, whole, n)
			}
		}
	}
}

func TestParserAllocatesNothing(t *testing.T) {
	in := []byte(responses[0].in)
	var p Parser
	got := testing.AllocsPerRun(100, func() {
		p.Reset()
		if n, err := p.Parse(in); n == 0 || err != nil {
			t.Fatal(n, err)
		}
	})
	if got != 0 {
		t.Errorf("%v allocations per response, want 0", got)
	}
}

// FuzzParser holds the parser against net/http: what it accepts, net/http
// reads alike, and where the bytes are cut does not matter.
func FuzzParser(f *testing.F) {
	for _, tt := range responses {
		f.Add([]byte(tt.in), 20)
	}
	f.Fuzz(func(t *testing.T, in []byte, cut int) {
		var p, q Parser
		n, err := p.Parse(in)
		cut = max(0, min(cut, len(in)))
		m, pieces := q.Parse(in[:cut])
		if m == 0 && pieces == nil {
			m, pieces = q.Parse(in)
		}
		if m != n || (err == nil) != (pieces == nil) {
			t.Fatalf("whole: %d, %v; cut at %d: %d, %v", n, err, cut, m, pieces)
		}
		if err != nil || n == 0 {
			return
		}
		src := bytes.NewReader(in)
		buf := bufio.NewReader(src)
		want, err := http.ReadResponse(buf, nil)
		if err != nil {
			t.Fatalf("accepted %q, net/http says: %v", in[:n], err)
		}
		wantBody, err := io.ReadAll(want.Body)
		if err != nil {
			t.Fatalf("accepted %q, net/http says: %v", in[:n], err)
		}
		body, _ := p.Body(in, nil)
		if p.Status() != want.StatusCode || !bytes.Equal(body, wantBody) {
			t.Fatalf("status %d, body %q; net/http: %d, %q", p.Status(), body, want.StatusCode, wantBody)
		}
		if rest := src.Len() + buf.Buffered(); rest != len(in)-n {
			t.Fatalf("%d bytes left, net/http leaves %d", len(in)-n, rest)
		}
	})
}
