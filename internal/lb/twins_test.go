package lb

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// twin is a running balancer before an upstream that keeps what it is sent.
type twin struct {
	*ground
	mu   sync.Mutex
	seen []string
}

func newTwin(t *testing.T, in way) *twin {
	w := &twin{}
	addr := rawUpstream(t, func(c net.Conn, first []byte) {
		r := bufio.NewReader(io.MultiReader(bytes.NewReader(first), c))
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			body, err := io.ReadAll(req.Body)
			if err != nil {
				return
			}
			w.mu.Lock()
			w.seen = append(w.seen, fmt.Sprintf("%s %s %s %v %q", req.Method, req.RequestURI, req.Host, req.Header, body))
			n := len(w.seen) + len(req.RequestURI)
			w.mu.Unlock()
			io.WriteString(c, twinAnswers[n%len(twinAnswers)])
		}
	})
	w.ground = run(t, in.of(Config{Upstreams: []Upstream{{Address: addr}},
		Limits: Limits{ConnsPerClient: -1, HeaderTimeout: 300 * time.Millisecond, BodyTimeout: 300 * time.Millisecond}}))
	return w
}

var twinAnswers = []string{
	ok("first"), ok(""), ok(strings.Repeat("long", 3000)),
	"HTTP/1.1 404 Nowhere\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\nContent-Length: 2\r\nConnection: keep-alive\r\nX-Pando-Load: 0.1\r\n\r\nno",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x\r\ndefg\r\n0\r\nX-Sum: 1\r\n\r\n",
	"HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n", "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
}

// send sends what a client says, in pieces, and tells what the upstream got and what the
// client was answered: statuses, headers and bodies, and whether the connection was ended.
func (w *twin) send(client []byte, piece int) (seen, answers []string) {
	w.mu.Lock()
	w.seen = nil
	w.mu.Unlock()
	c, err := w.dial()
	if err != nil {
		return nil, []string{err.Error()}
	}
	defer c.Close()
	go func() {
		for rest := client; len(rest) > 0; {
			n := len(rest)
			if piece > 0 {
				n = min(piece, n)
			}
			if _, err := c.Write(rest[:n]); err != nil {
				return
			}
			rest = rest[n:]
		}
	}()
	r := bufio.NewReader(c)
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	for {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			break
		}
		for _, name := range []string{"Date", "Content-Length", "Content-Type"} {
			resp.Header.Del(name) // see differ
		}
		body, err := io.ReadAll(resp.Body)
		if resp.StatusCode == http.StatusBadRequest {
			body = nil // net/http's own goes until the end of the connection, and may end with a reset
		}
		answers = append(answers, fmt.Sprintf("%d %v %q %v %v", resp.StatusCode, resp.Header, body, resp.StatusCode != 400 && err != nil, resp.Trailer))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen, answers
}

// TestTwins: the same bytes of a client reach two running balancers, one with the fast
// path and one without, through whole connections, plainly and over TLS. With PANDO_PROVE it
// goes on for PANDO_PROVE_TWINS of them.
func TestTwins(t *testing.T) {
	n, seed := 100, uint64(1)
	if os.Getenv("PANDO_PROVE") != "" {
		n = 5_000
		if k, err := strconv.Atoi(os.Getenv("PANDO_PROVE_TWINS")); err == nil {
			n = k
		}
		if k, err := strconv.ParseUint(os.Getenv("PANDO_PROVE_SEED"), 10, 64); err == nil {
			seed = k
		}
	}
	t.Run("plain", func(t *testing.T) { testTwins(t, false, n, seed) })
	t.Run("TLS", func(t *testing.T) { testTwins(t, true, n, seed+1) })
}

func testTwins(t *testing.T, secure bool, n int, seed uint64) {
	g := newGenerator(seed)
	fast, slow := newTwin(t, way{false, secure}), newTwin(t, way{true, secure})
	for i := range n {
		client, _, piece := g.next()
		client = bytes.ReplaceAll(client, []byte("HEAD"), []byte("GET")) // whose answers need a reader that knows
		client = append(client, next...)
		if len(client)/max(piece, 1) > 50 {
			piece = len(client) / 50
		}
		for tries := 3; ; tries-- { // a machine that is busy may cut either by a deadline
			seen, answers := fast.send(client, piece)
			wantSeen, want := slow.send(client, piece)
			what := cmp.Diff(wantSeen, seen) + cmp.Diff(want, answers)
			if what == "" {
				break
			}
			if tries == 0 {
				t.Fatalf("%d: the upstream is sent, and the client answered (-slow +fast):\n%s\nclient: %q in pieces of %d", i, what, client, piece)
			}
		}
	}
	passed, left := fast.b.passed.Load(), fast.b.lent.Load()
	t.Logf("%d connections, %d requests passed by the fast path, %d left", n, passed, left)
	if passed < left/10 {
		t.Error("hardly anything is taken by the fast path")
	}
}
