package lb

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestHeaders(t *testing.T) {
	seen := make(chan http.Header, 1)
	g := start(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		h := r.Header.Clone()
		h.Set("Host", r.Host)
		h.Set("Uri", r.RequestURI)
		seen <- h
		c, rw, _ := http.NewResponseController(w).Hijack()
		defer c.Close()
		fmt.Fprintf(rw, "HTTP/1.1 200 OK\r\nConnection: X-Private, close\r\nX-Private: 1\r\nKeep-Alive: timeout=5\r\n%s: 0.25\r\nX-Public: 1\r\nContent-Length: 0\r\n\r\n", HeaderLoad)
		rw.Flush()
	})
	answer := g.raw("GET /a%2fb/./c?x=1;y=%zz&q HTTP/1.1\r\nHost: app.example:81\r\nConnection: keep-alive, X-Hop, close\r\nX-Hop: 1\r\nTE: gzip\r\n" +
		"Keep-Alive: 1\r\nProxy-Authorization: x\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Port: 1\r\n" +
		"Forwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nX_Forwarded_For: 6.6.6.6\r\nX-Keep: 1\r\n\r\n")
	want := http.Header{
		"Host": {"app.example:81"}, "Uri": {"/a%2fb/./c?x=1;y=%zz&q"}, "X-Keep": {"1"},
		"X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Proto": {"http"}, "X-Forwarded-Host": {"app.example:81"},
		"Forwarded": {`for=127.0.0.1;host="app.example:81";proto=http`},
	}
	if diff := cmp.Diff(want, <-seen); diff != "" {
		t.Errorf("the upstream was sent (-want +got):\n%s", diff)
	}
	for _, no := range []string{"X-Private", "Keep-Alive", HeaderLoad} {
		if strings.Contains(answer, no+":") {
			t.Errorf("%s came through to the client:\n%s", no, answer)
		}
	}
	if !strings.Contains(answer, "X-Public: 1\r\n") {
		t.Errorf("no X-Public in:\n%s", answer)
	}
	if load := g.b.Status().Upstreams[0].Load; load != 0.25 {
		t.Errorf("reported load %v, want 0.25", load)
	}
}

// TestStreamsBothWays: a piece that is sent comes back before the next one is written.
func TestStreamsBothWays(t *testing.T) {
	g := start(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		rc.EnableFullDuplex()
		w.WriteHeader(200)
		rc.Flush()
		buf := make([]byte, 100)
		for {
			n, err := r.Body.Read(buf)
			w.Write(buf[:n])
			rc.Flush()
			if err != nil {
				break
			}
		}
	})
	pr, pw := io.Pipe()
	req, _ := http.NewRequest("POST", g.url+"/echo", pr)
	resp, err := g.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	r := bufio.NewReader(resp.Body)
	for i := range 5 {
		fmt.Fprintf(pw, "piece %d\n", i)
		if line, err := r.ReadString('\n'); err != nil || line != fmt.Sprintf("piece %d\n", i) {
			t.Fatalf("%q, %v", line, err)
		}
	}
	pw.Close()
	if rest, err := io.ReadAll(r); err != nil || len(rest) > 0 {
		t.Errorf("%q, %v at the end", rest, err)
	}
}

func TestLargeBodies(t *testing.T) {
	g := start(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		io.Copy(w, r.Body)
	})
	body := make([]byte, 3<<20)
	rand.Read(body)
	for _, chunked := range []bool{false, true} {
		var from io.Reader = bytes.NewReader(body)
		if chunked {
			from = io.MultiReader(from) // of unknown length
		}
		resp, err := g.http.Post(g.url+"/", "application/octet-stream", from)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !bytes.Equal(got, body) {
			t.Errorf("chunked %v: %d of %d bytes, %v", chunked, len(got), len(body), err)
		}
	}
}

func TestTrailersAndInformational(t *testing.T) {
	g := start(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Trailer", "Sum")
		w.Write([]byte("body"))
		w.Header().Set("Sum", r.Trailer.Get("Check")+"!")
		w.Header().Set(http.TrailerPrefix+"Late", "1")
	})
	req, _ := http.NewRequest("POST", g.url+"/", io.MultiReader(strings.NewReader("x")))
	req.Trailer = http.Header{"Check": {"abc"}}
	hints := 0
	req = req.WithContext(httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			if code == http.StatusEarlyHints && h.Get("Link") != "" {
				hints++
			}
			return nil
		},
	}))
	resp, err := g.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if string(body) != "body" || hints != 1 {
		t.Errorf("body %q, %d early hints", body, hints)
	}
	if diff := cmp.Diff(http.Header{"Sum": {"abc!"}, "Late": {"1"}}, resp.Trailer); diff != "" {
		t.Errorf("trailers (-want +got):\n%s", diff)
	}
}

func TestHead(t *testing.T) {
	g := start(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "12345")
	})
	for range 3 { // the connection is used again: no body was waited for
		resp, err := g.http.Head(g.url + "/")
		if err != nil || resp.ContentLength != 12345 {
			t.Fatalf("%v, %v", resp, err)
		}
		resp.Body.Close()
	}
	if d := g.b.Status().Upstreams[0].Dials; d != 1 {
		t.Errorf("%d connections for three requests", d)
	}
}

// TestExpect: the body is sent once the upstream says so, and not at all if it says no.
func TestExpect(t *testing.T) {
	g := start(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/no" {
			w.WriteHeader(http.StatusExpectationFailed)
			return
		}
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "got %s", body)
	})
	talk := func(path string) (lines []string) {
		c, err := net.Dial("tcp", g.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(5 * time.Second))
		fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\nConnection: close\r\n\r\n", path)
		r := bufio.NewReader(c)
		line, _ := r.ReadString('\n')
		lines = append(lines, strings.TrimSpace(line))
		if strings.Contains(line, "100") {
			r.ReadString('\n')
			io.WriteString(c, "hello")
			rest, _ := io.ReadAll(r)
			lines = append(lines, string(rest))
		}
		return lines
	}
	if got := talk("/yes"); len(got) != 2 || got[0] != "HTTP/1.1 100 Continue" || !strings.HasSuffix(got[1], "got hello") {
		t.Errorf("%q", got)
	}
	if got := talk("/no"); len(got) != 1 || got[0] != "HTTP/1.1 417 Expectation Failed" {
		t.Errorf("%q", got)
	}
}

func TestEventStream(t *testing.T) {
	gone := make(chan struct{})
	next := make(chan string)
	g := start(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		defer close(gone)
		w.Header().Set("Content-Type", "text/event-stream")
		for {
			http.NewResponseController(w).Flush()
			select {
			case s := <-next:
				fmt.Fprintf(w, "data: %s\n\n", s)
			case <-r.Context().Done():
				return
			}
		}
	})
	resp, err := g.http.Get(g.url + "/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	r := bufio.NewReader(resp.Body)
	for _, s := range []string{"a", "b"} {
		next <- s
		if line, err := r.ReadString('\n'); err != nil || line != "data: "+s+"\n" {
			t.Fatalf("%q, %v", line, err)
		}
		r.ReadString('\n')
	}
	if u := g.b.Status().Upstreams[0]; u.InFlight != 0 {
		t.Errorf("a stream counts as %d requests in flight", u.InFlight)
	}
	// The balancer stops: the stream ends between two events, with a hint.
	stopped := make(chan error)
	go func() { stopped <- g.stop() }()
	rest, err := io.ReadAll(r)
	if err != nil || !strings.HasPrefix(string(rest), "retry: ") || !strings.HasSuffix(string(rest), "\n\n") {
		t.Errorf("%q, %v", rest, err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	<-gone
}

// TestEventStreamEndsWithinAnEvent: half an event has been passed on when the balancer
// stops. What follows says when to come back, and does not make it a whole one.
func TestEventStreamEndsWithinAnEvent(t *testing.T) {
	for half, want := range map[string]string{"data: a": `^\nretry: \d+\n$`, "data: a\n": `^retry: \d+\n$`} {
		g := start(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, half)
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
		})
		resp, err := g.http.Get(g.url + "/stream")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := io.ReadFull(resp.Body, make([]byte, len(half))); err != nil {
			t.Fatal(err)
		}
		stopped := make(chan error)
		go func() { stopped <- g.stop() }()
		rest, err := io.ReadAll(resp.Body)
		if err != nil || !regexp.MustCompile(want).Match(rest) {
			t.Errorf("behind %q: %q, %v", half, rest, err)
		}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	}
}

// TestUpgrade: after 101 both sides talk as they like.
func TestUpgrade(t *testing.T) {
	g := start(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "websocket" || r.Header.Get("Connection") != "Upgrade" {
			t.Errorf("Upgrade %q, Connection %q", r.Header.Get("Upgrade"), r.Header.Get("Connection"))
		}
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nfirst\n")
		rw.Flush()
		for {
			line, err := rw.ReadString('\n')
			if err != nil {
				return
			}
			fmt.Fprint(rw, "echo "+line)
			rw.Flush()
		}
	})
	c, err := net.Dial("tcp", g.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	fmt.Fprint(c, "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\r\n")
	r := bufio.NewReader(c)
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != 101 {
		t.Fatalf("%v, %v", resp, err)
	}
	expect := func(want string) {
		t.Helper()
		if line, err := r.ReadString('\n'); err != nil || line != want+"\n" {
			t.Fatalf("%q, %v; want %q", line, err, want)
		}
	}
	expect("first")
	fmt.Fprint(c, "hello\n")
	expect("echo hello")
	if s := g.b.roster.Load().all[0].streams.Load(); s != 1 {
		t.Errorf("%d streams", s)
	}
	c.Close()
	eventually(t, "the tunnel is gone", func() bool { return g.b.roster.Load().all[0].streams.Load() == 0 })
}

// TestNotPassed: what would let requests through that nobody has seen.
func TestNotPassed(t *testing.T) {
	g := start(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "upgrade=%q settings=%q", r.Header.Get("Upgrade"), r.Header.Get("Http2-Settings"))
	})
	for request, want := range map[string]string{
		"CONNECT other:80 HTTP/1.1\r\nHost: other:80\r\n\r\n": "405 Method Not Allowed",
		"TRACE / HTTP/1.1\r\nHost: x\r\n\r\n":                 "405 Method Not Allowed",
		"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n": `upgrade="" settings=""`,
		"GET http://other/path HTTP/1.1\r\nHost: x\r\n\r\n":                                                               "200 OK",
	} {
		if got := g.raw(strings.Replace(request, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1)); !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", request, got, want)
		}
	}
}

// TestReuse: connections to upstreams are shared and kept.
func TestReuse(t *testing.T) {
	g := start(t, Config{}, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	const clients, each = 16, 60
	done := make(chan error, clients)
	for range clients {
		go func() {
			for i := range each {
				var resp *http.Response
				var err error
				if i%2 == 0 {
					resp, err = g.http.Get(g.url + "/")
				} else {
					resp, err = g.http.Post(g.url+"/", "text/plain", strings.NewReader("hello"))
				}
				if err != nil {
					done <- err
					return
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
			done <- nil
		}()
	}
	for range clients {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	u := g.b.Status().Upstreams[0]
	if u.Requests != clients*each || u.Dials > clients {
		t.Errorf("%d requests over %d connections", u.Requests, u.Dials)
	}
}

// TestHalfAName: a header is not taken out for being called as the first half of what
// stands in a Connection that has not wholly come.
func TestHalfAName(t *testing.T) {
	ways(t, func(t *testing.T, w way) {
		addr := rawUpstream(t, func(c net.Conn, _ []byte) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nKeep-Al: x\r\nConnection: keep-al")
			<-time.After(20 * time.Millisecond) // so that this comes alone
			io.WriteString(c, "ive\r\nContent-Length: 0\r\n\r\n")
		})
		g := run(t, w.of(Config{Upstreams: []Upstream{{Address: addr}}}))
		if resp, _ := g.get("/"); resp.Header.Get("Keep-Al") != "x" {
			t.Errorf("%v", resp.Header)
		}
	})
}
