package lb

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// scripted is an upstream that answers each path with the bytes that answers has for it;
// it counts connections, and requests by method and path. It closes the connection behind
// an answer whose path ends in "close".
type scripted struct {
	answers map[string]string
	conns   atomic.Int64
	mu      sync.Mutex
	seen    map[string]int
}

func (s *scripted) start(t *testing.T) string {
	s.seen = map[string]int{}
	return rawUpstream(t, func(c net.Conn, first []byte) {
		s.conns.Add(1)
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
			s.mu.Lock()
			s.seen[req.Method+" "+req.URL.Path+string(body)]++
			s.mu.Unlock()
			text := s.answers[req.URL.Path]
			if text == "" {
				text = ok(req.URL.Path)
			}
			if wait, rest, slow := strings.Cut(text, "|"); slow {
				d, _ := time.ParseDuration(wait)
				<-time.After(d)
				text = rest
			}
			io.WriteString(c, text)
			if strings.HasSuffix(req.URL.Path, "close") {
				return
			}
		}
	})
}

func (s *scripted) count(what string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[what]
}

func ok(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\nContent-Type: text/plain\r\n\r\n%s", len(body), body)
}

// way is how requests go through: by the fast path or without it, plainly or over TLS.
type way struct{ off, secure bool }

func (w way) of(cfg Config) Config {
	cfg.NoFastPath = w.off
	if w.secure {
		cfg.Listen = []Listen{{Address: "127.0.0.1:0", TLS: secure()}}
	}
	return cfg
}

// ways runs a test in each way.
func ways(t *testing.T, do func(t *testing.T, w way)) {
	for name, w := range map[string]way{"fast": {}, "slow": {off: true}, "fast over TLS": {secure: true}, "slow over TLS": {true, true}} {
		t.Run(name, func(t *testing.T) { do(t, w) })
	}
}

func get(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n" }

// TestAnswers: whatever an upstream answers, the client gets it and nothing else, and what
// it asks next on the same connection is answered rightly.
func TestAnswers(t *testing.T) {
	big := strings.Repeat("0123456789", 30_000)
	cases := []struct{ name, request, answer, want string }{
		{"length", get("/a"), "", "200 /a"},
		{"empty", get("/a"), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "200 "},
		{"large", get("/a"), ok(big), "200 " + big},
		{"chunks", get("/a"), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", "200 abcde"},
		{"large chunks", get("/a"), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n493e0\r\n" + big + "\r\n493E0\r\n" + big + "\r\n0\r\n\r\n", "200 " + big + big},
		{"trailer", get("/a"), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n", "200 abc map[X-Sum:[1]]"},
		{"no content", get("/a"), "HTTP/1.1 204 No Content\r\n\r\n", "204 "},
		{"no content, with a length", get("/a"), "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", "204 "},
		{"not modified", get("/a"), "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n", "304 "},
		{"not modified, with a length", get("/a"), "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "304 "},
		{"head", "HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "200 "},
		{"head, chunked", "HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "200 "},
		{"until it closes", get("/close"), "HTTP/1.1 200 OK\r\n\r\nall of it", "200 all of it"},
		{"and closes", get("/close"), "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nab", "200 ab"},
		{"1.0", get("/close"), "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nab", "200 ab"},
		{"early hints", get("/a"), "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + ok("ab"), "103, 200 ab"},
		{"early hints, in pieces", get("/a"), "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + ok("ab"), "103, 102, 200 ab"},
		{"continue, unasked", get("/a"), "HTTP/1.1 100 Continue\r\n\r\n" + ok("ab"), "200 ab"},
		{"a header of 100 KB", get("/a"), "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("y", 100<<10) + "\r\nContent-Length: 2\r\n\r\nab", "200 ab"},
		{"a header of 300 KB", get("/a"), "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("y", 300<<10) + "\r\nContent-Length: 2\r\n\r\nab", "502"},
		{"more than it says", get("/a"), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", "200 ab"},
		{"more than its chunks", get("/a"), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", "200 "},
		{"more than nothing", get("/a"), "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", "204 "},
		{"more behind a head", "HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde", "200 "},
		{"less than it says", get("/close"), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", "cut"},
		{"half of its chunks", get("/close"), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "cut"},
		{"no end of its chunks", get("/close"), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", "cut"},
		{"chunks that are none", get("/a"), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nxyz\r\n", "cut"},
		{"two lengths", get("/a"), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc", "502"},
		{"no answer", get("/close"), "HTTP", "502"},
		{"nothing of HTTP", get("/close"), "220 ready\r\n", "502"},
		{"a post refused early", "POST /close HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno", "413 no"},
		{"slow", get("/a"), "120ms|" + ok("late"), "200 late"},
		{"a slow post", "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", "120ms|" + ok("late"), "200 late"},
		{"a large post", "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + big[:100_000], ok("ab"), "200 ab"},
		{"a post in chunks", "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", ok("ab"), "200 ab"},
		{"a header of 10 KB", "GET /a HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("y", 10<<10) + "\r\n\r\n", "", "200 /a"},
	}
	ways(t, func(t *testing.T, w way) {
		for _, c := range cases {
			s := &scripted{answers: map[string]string{"/a": c.answer, "/close": c.answer}}
			g := run(t, w.of(Config{Upstreams: []Upstream{{Address: s.start(t)}}}))
			for _, pieces := range []bool{false, true} {
				got := talk(t, g, c.request, pieces)
				if want := c.want + "; 200 /next"; got != want && !(c.want == "cut" && got == "cut") {
					t.Errorf("%s: %.200q, want %.200q", c.name, got, want)
				}
			}
			if posts := s.count("POST /aabc") + s.count("POST /closeabc"); strings.HasPrefix(c.request, "POST") && len(c.request) < 1000 && posts != 2 {
				t.Errorf("%s: it reached the upstream %d times, and was sent twice", c.name, posts)
			}
			for try := 0; try < 3 && !w.off && g.b.passed.Load() == 0 && c.want != "cut"; try++ {
				talk(t, g, c.request, false) // what takes long is lent, of whatever
			}
			if !w.off && g.b.passed.Load() == 0 && c.want != "cut" {
				t.Errorf("%s: nothing goes through the fast path", c.name)
			}
			eventually(t, "nothing is in flight", func() bool {
				m := g.b.roster.Load().all[0]
				return m.inflight.Load() == 0 && m.limit.Waiting() == 0 && g.b.inflight.Load() == 0
			})
			g.stop()
		}
	})
}

// talk asks a request, and then /next on the same connection, in pieces perhaps, and
// tells what came of both.
func talk(t *testing.T, g *ground, request string, pieces bool) string {
	t.Helper()
	c := dial(t, g)
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	all := request + get("/next")
	go func() {
		if pieces {
			for _, at := range []int{1, 3, len(all) / 2} { // a packet each, more or less
				io.WriteString(c, all[:at])
				all = all[at:]
				<-time.After(time.Millisecond)
			}
		}
		io.WriteString(c, all)
	}()
	r := bufio.NewReader(c)
	var out []string
	for i, method := range []string{request[:4], "GET"} {
		text := ""
		for {
			resp, err := http.ReadResponse(r, &http.Request{Method: strings.TrimSpace(method)})
			if err != nil {
				return strings.Join(append(out, err.Error()), "; ")
			}
			if resp.StatusCode < 200 {
				if resp.StatusCode != 100 { // which net/http answers who waits for it only
					text += fmt.Sprintf("%d, ", resp.StatusCode)
				}
				continue
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				return "cut"
			}
			text += fmt.Sprint(resp.StatusCode)
			if resp.StatusCode != 502 {
				text += " " + string(body)
			}
			if len(resp.Trailer) > 0 {
				text += fmt.Sprint(" ", resp.Trailer)
			}
			if i == 0 && resp.Close {
				t.Errorf("the connection ends behind %d", resp.StatusCode)
			}
			break
		}
		out = append(out, text)
	}
	return strings.Join(out, "; ")
}

// TestPipelined: requests that come before the answer to the one before are answered in
// their order, however they are cut.
func TestPipelined(t *testing.T) {
	s := &scripted{}
	ways(t, func(t *testing.T, w way) {
		g := run(t, w.of(Config{Upstreams: []Upstream{{Address: s.start(t)}}}))
		all, want := "", ""
		for i := range 20 {
			path := fmt.Sprintf("/%d", i)
			switch i % 4 {
			case 1:
				all += "POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Length: 26\r\n\r\nGET /evil HTTP/1.1\r\nHost: y"
			case 3:
				all += "POST " + path + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
			default:
				all += get(path)
			}
			want += path
		}
		for size := 1; size < len(all); size += 1 + size/2 {
			c := dial(t, g)
			c.SetDeadline(time.Now().Add(10 * time.Second))
			go func() {
				for rest := all; rest != ""; {
					n := min(size, len(rest))
					io.WriteString(c, rest[:n])
					rest = rest[n:]
				}
			}()
			r, got := bufio.NewReader(c), ""
			for range 20 {
				resp, err := http.ReadResponse(r, nil)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(resp.Body)
				if err != nil {
					t.Fatal(err)
				}
				got += string(body)
			}
			if got != want {
				t.Fatalf("in pieces of %d: %s", size, got)
			}
			c.Close()
		}
		if s.count("GET /evil") > 0 {
			t.Error("a body was taken for a request")
		}
	})
}

// TestUnasked: an idle connection on which the upstream says something, or which it has
// closed, is not used.
func TestUnasked(t *testing.T) {
	ways(t, func(t *testing.T, w way) {
		said := make(chan struct{})
		var conns atomic.Int64
		addr := rawUpstream(t, func(c net.Conn, _ []byte) {
			conns.Add(1)
			io.WriteString(c, ok("first"))
			<-said
			io.WriteString(c, ok("evil"))
			io.Copy(io.Discard, c)
		})
		g := run(t, w.of(Config{Upstreams: []Upstream{{Address: addr}}}))
		if resp, body := g.get("/"); resp.StatusCode != 200 || body != "first" {
			t.Fatalf("%d %q", resp.StatusCode, body)
		}
		close(said)
		m := g.b.roster.Load().all[0]
		eventually(t, "it is heard", func() bool {
			m.pool.mu.Lock()
			defer m.pool.mu.Unlock()
			return len(m.pool.idle) == 1 && !sound(m.pool.idle[0].nc) && time.Since(m.pool.idle[0].idleSince) > freshFor
		})
		if status, body := send(t, g, "POST", "/", "x"); status != 200 || body != "first" || conns.Load() != 2 {
			t.Errorf("%d %q over connection %d", status, body, conns.Load())
		}
	})
}

// TestHalfRequests: a client that goes in the middle of a request leaves nothing, and
// nothing of it reaches an upstream.
func TestHalfRequests(t *testing.T) {
	s := &scripted{}
	ways(t, func(t *testing.T, w way) {
		g := run(t, w.of(Config{Upstreams: []Upstream{{Address: s.start(t)}}}))
		for _, text := range []string{"G", "GET / HTTP/1.1\r\nHost: x\r\n", "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nab", get("/a") + "GET"} {
			for _, half := range []bool{true, false} {
				c := dial(t, g)
				io.WriteString(c, text)
				if half {
					c.(interface{ CloseWrite() error }).CloseWrite()
					ends(t, c)
				}
				c.Close()
			}
		}
		eventually(t, "they are gone", func() bool { return g.b.clients.count() == 0 })
		if n := s.count("POST /aab") + s.count("POST /a") + s.count("GET /"); n > 0 {
			t.Errorf("%d halves reached the upstream", n)
		}
	})
}

// TestGoneMeanwhile: who goes while an answer is on its way to it frees the upstream.
func TestGoneMeanwhile(t *testing.T) {
	ways(t, func(t *testing.T, w way) {
		left := make(chan struct{}, 10)
		g := start(t, w.of(Config{}), func(w http.ResponseWriter, r *http.Request) {
			defer func() { left <- struct{}{} }()
			w.Header().Set("Content-Length", "1000000")
			io.WriteString(w, "begun")
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
		})
		c := dial(t, g)
		io.WriteString(c, get("/"))
		for buf, got := make([]byte, 4096), ""; !strings.Contains(got, "begun"); {
			n, err := c.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			got += string(buf[:n])
		}
		c.Close()
		select {
		case <-left:
		case <-time.After(5 * time.Second):
			t.Error("the upstream does not hear of it")
		}
		eventually(t, "nothing is in flight", func() bool { return g.b.Status().InFlight == 0 })
	})
}

// TestBackAgain: a connection that was left to net/http for one request comes back, and
// many do at once.
func TestBackAgain(t *testing.T) {
	s := &scripted{answers: map[string]string{"/slow": "150ms|" + ok("slow")}}
	g := run(t, Config{Upstreams: []Upstream{{Address: s.start(t)}}})
	const clients, rounds = 8, 5
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			c, err := net.Dial("tcp", g.addr)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			r := bufio.NewReader(c)
			for range rounds {
				for _, path := range []string{"/a", "/slow", "/b"} {
					io.WriteString(c, get(path))
					resp, err := http.ReadResponse(r, nil)
					if err != nil {
						t.Error(err)
						return
					}
					if body, err := io.ReadAll(resp.Body); err != nil || string(body) != strings.TrimPrefix(path, map[bool]string{true: "/", false: ""}[path == "/slow"]) {
						t.Errorf("%s: %q, %v", path, body, err)
					}
				}
			}
		})
	}
	wg.Wait()
	if n := s.count("GET /slow"); n != clients*rounds {
		t.Errorf("%d slow requests reached the upstream, of %d", n, clients*rounds)
	}
	if passed, left := g.b.passed.Load(), g.b.lent.Load(); passed < clients*rounds || left < clients*rounds/2 {
		t.Errorf("%d passed, %d left to net/http", passed, left)
	}
}
