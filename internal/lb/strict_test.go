package lb

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const next = "GET /next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

type desync struct{ name, request, statuses, seen string }

func desyncCases(t testing.TB) (list []desync) {
	t.Helper()
	text, err := os.ReadFile("testdata/desync.txt")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(`^(\S+)\s+("(?:[^"\\]|\\.)*")\s+(\S+)\s+(.+)$`)
	for i, line := range strings.Split(string(text), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		m := row.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("testdata/desync.txt:%d: %q", i+1, line)
		}
		request, err := strconv.Unquote(m[2])
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, desync{m[1], request, m[3], strings.TrimSpace(m[4])})
	}
	if len(list) < 40 {
		t.Fatalf("%d cases", len(list))
	}
	return list
}

// TestDesync: what can be read in two ways is refused, and nothing of it reaches an
// upstream.
func TestDesync(t *testing.T) {
	ways(t, testDesync)
}

func testDesync(t *testing.T, w way) {
	var mu sync.Mutex
	var seen []string
	g := start(t, w.of(Config{}), func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // cut off: no request
		}
		mu.Lock()
		defer mu.Unlock()
		what := r.URL.Path
		if len(body) > 0 {
			what += ":" + (&url.URL{Path: string(body)}).EscapedPath()
		}
		seen = append(seen, what)
	})
	status := regexp.MustCompile(`(?m)^HTTP/1\.[01] (\d+)`)
	for _, c := range desyncCases(t) {
		mu.Lock()
		seen = nil
		mu.Unlock()
		answer := g.raw(c.request + next)
		var got []string
		for _, m := range status.FindAllStringSubmatch(answer, -1) {
			got = append(got, m[1])
		}
		mu.Lock()
		reached := strings.Join(seen, " ")
		mu.Unlock()
		if reached == "" {
			reached = "-"
		}
		if reached = strings.ReplaceAll(reached, ":./", ":"); strings.Join(got, ",") != c.statuses || reached != c.seen {
			t.Errorf("%s: answered %v, want %s; the upstream saw %s, want %s", c.name, got, c.statuses, reached, c.seen)
		}
	}
}

// through sends bytes through a strict in pieces of the given size.
func through(b []byte, piece int) (out []byte, s *strict) {
	s = &strict{}
	r := bytes.NewReader(b)
	buf := make([]byte, max(piece, 1))
	for {
		n, err := s.read(r.Read, buf)
		out = append(out, buf[:n]...)
		if err != nil {
			return out, s
		}
	}
}

// FuzzStrict: it does not matter in which pieces bytes come; what passes untouched is
// what came; and net/http reads what passes with the same ends.
func FuzzStrict(f *testing.F) {
	for _, c := range desyncCases(f) {
		f.Add([]byte(c.request+next), 7)
	}
	f.Fuzz(func(t *testing.T, b []byte, piece int) {
		if len(b) > 64<<10 {
			return
		}
		piece = 1 + (piece&0xff)%64
		whole, s := through(b, len(b)+16)
		pieces, s2 := through(b, piece)
		if !bytes.Equal(whole, pieces) || s.in != s2.in {
			t.Fatalf("in one piece %q, in pieces of %d %q", whole, piece, pieces)
		}
		if s.in != refused && !bytes.Equal(append(whole, s.held...), b) {
			t.Fatalf("%q became %q and %q", b, whole, s.held)
		}
		if s.in == refused {
			// The last message must be refused by net/http too.
			if err := readAll(whole, nil); err == nil {
				t.Fatalf("refused as %q, which net/http reads", whole)
			}
			return
		}
		var ends []int
		if s.in == inStart && len(s.held) == 0 && readAll(b, &ends) == nil {
			mine := endsOf(b)
			if len(ends) != len(mine) {
				t.Fatalf("net/http reads %d messages (%v), strict %d (%v)", len(ends), ends, len(mine), mine)
			}
			for i := range ends {
				if ends[i] != mine[i] {
					t.Fatalf("net/http ends at %v, strict at %v", ends, mine)
				}
			}
		}
	})
}

// readAll reads requests with net/http until the end or an error, and notes where each
// ends.
func readAll(b []byte, ends *[]int) error {
	rest := bytes.NewReader(b)
	br := bufio.NewReader(rest)
	for {
		if _, err := br.Peek(1); errors.Is(err, io.EOF) {
			return nil
		}
		r, err := http.ReadRequest(br)
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return err
		}
		if ends != nil {
			*ends = append(*ends, len(b)-rest.Len()-br.Buffered())
		}
	}
}

// endsOf is where messages end for a strict: it is given one line, or byte, more at a
// time.
func endsOf(b []byte) (ends []int) {
	s := &strict{}
	for at, end := 0, 1; end <= len(b); end++ {
		before := s.in
		n := s.look(b[at:end])
		at += n
		if n > 0 && s.in == inStart && before != inStart {
			ends = append(ends, end)
		}
	}
	return ends
}
