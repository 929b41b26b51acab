package lb

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

func dial(t *testing.T, g *ground) net.Conn {
	t.Helper()
	c, err := g.dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// ends waits until the other side ends a connection, and tells what it said.
func ends(t *testing.T, c net.Conn) string {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(15 * time.Second))
	b, err := io.ReadAll(c)
	if e, ok := err.(net.Error); ok && e.Timeout() {
		t.Error("the connection is still open after 15 seconds")
	}
	return string(b)
}

// TestSlowloris: headers and bodies that come byte by byte, or not at all, and clients
// that read nothing, are cut off; others notice nothing.
func TestSlowloris(t *testing.T) {
	ways(t, func(t *testing.T, w way) {
		t.Parallel()
		const patience = 1500 * time.Millisecond // a handshake has to fit in, on a busy machine
		big := strings.Repeat("x", 32<<20)
		g := start(t, w.of(Config{Limits: Limits{HeaderTimeout: patience, BodyTimeout: patience, IdleTimeout: patience}}),
			func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				if r.URL.Path == "/big" {
					io.WriteString(w, big)
				}
				fmt.Fprint(w, "ok")
			})
		cases := map[string]struct {
			first, drip, want string
		}{
			"nothing at all":          {"", "", ""},
			"header byte by byte":     {"GET / HTTP/1.1\r\nHost: x\r\nX: ", "a", ""},
			"body that does not come": {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nab", "", "HTTP/1.1 408 "},
			"large body, likewise":    {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nab", "", "HTTP/1.1 408 "},
			"chunks, likewise":        {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "", "HTTP/1.1 408 "},
			"body byte by byte":       {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", "a", "HTTP/1.1 408 "},
			"idle after a request":    {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "", "HTTP/1.1 200 "},
		}
		var wg sync.WaitGroup
		for name, c := range cases {
			nc := dial(t, g)
			wg.Go(func() {
				io.WriteString(nc, c.first)
				done := make(chan struct{})
				if c.drip != "" {
					wg.Go(func() {
						tick := time.NewTicker(patience / 10)
						defer tick.Stop()
						for {
							select {
							case <-tick.C:
								if _, err := io.WriteString(nc, c.drip); err != nil {
									return
								}
							case <-done:
								return
							}
						}
					})
				}
				began := time.Now()
				got := ends(t, nc)
				if !strings.HasPrefix(got, c.want) {
					t.Errorf("%s: %.100q, want %q", name, got, c.want)
				}
				close(done)
				if took := time.Since(began); took > 6*patience {
					t.Errorf("%s: ended after %s", name, took)
				}
			})
		}
		deaf := dial(t, g)
		io.WriteString(deaf, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
		for range 20 {
			if resp, body := g.get("/"); resp.StatusCode != 200 || body != "ok" {
				t.Errorf("another client: %d %q", resp.StatusCode, body)
			}
		}
		wg.Wait()
		eventually(t, "nothing is in flight", func() bool { return g.b.Status().InFlight == 0 })
	})
}

// TestFloods: headers without end are refused, and no connection takes much memory.
func TestFloods(t *testing.T) {
	ways(t, func(t *testing.T, w way) {
		g := start(t, w.of(Config{}), func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, len(r.Header)) })
		for name, request := range map[string]string{
			"one long header": "GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("a", 200<<10) + "\r\n\r\n",
			"many headers":    "GET / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X: a\r\n", 40_000) + "\r\n",
			"long target":     "GET /" + strings.Repeat("a", 200<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n",
		} {
			c := dial(t, g)
			go io.WriteString(c, request)
			if got := ends(t, c); !strings.HasPrefix(got, "HTTP/1.1 431 ") && !strings.HasPrefix(got, "HTTP/1.1 400 ") {
				t.Errorf("%s: %.60q", name, got)
			}
		}
		c := dial(t, g)
		go func() { // a line that never ends
			chunk := []byte(strings.Repeat("a", 64<<10))
			for {
				if _, err := c.Write(chunk); err != nil {
					return
				}
			}
		}()
		ends(t, c)
	})
}

func TestClientLimits(t *testing.T) {
	ways(t, func(t *testing.T, w way) {
		g := start(t, w.of(Config{Limits: Limits{ConnsPerClient: 3, RatePerClient: 5}}), func(w http.ResponseWriter, r *http.Request) {})
		var open []net.Conn
		for range 3 {
			open = append(open, dial(t, g))
		}
		eventually(t, "three are counted", func() bool { return g.b.clients.count() == 3 })
		fourth, err := net.Dial("tcp", g.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer fourth.Close()
		if got := ends(t, fourth); got != "" {
			t.Errorf("a fourth connection: %q", got)
		}
		open[0].Close()
		eventually(t, "one has left", func() bool { return g.b.clients.count() == 2 })
		many, first := 0, time.Now().Unix()
		r := bufio.NewReader(open[1])
		for range 20 {
			io.WriteString(open[1], "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, resp.Body)
			if resp.StatusCode == http.StatusTooManyRequests && resp.Header.Get("Retry-After") != "" {
				many++
			}
		}
		most := 5 * int(time.Now().Unix()-first+1) // the second may have changed in between
		if allowed := 20 - many; allowed < 5 || allowed > most {
			t.Errorf("%d of 20 requests at once are allowed, want 5, and %d at most", allowed, most)
		}
	})
}

// TestTLS: HTTP/2 and HTTP/1.1, both told to the server as https; what can be read in
// two ways is refused behind TLS too.
func TestTLS(t *testing.T) {
	h := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s", r.Header.Get("X-Forwarded-Proto"), r.Header.Get("X-Forwarded-For"), body)
	}
	g := start(t, Config{Listen: []Listen{{Address: "127.0.0.1:0", TLS: secure()}}}, h)
	client := &tls.Config{InsecureSkipVerify: true} // the certificate is not what is tested
	for proto, tr := range map[string]http.RoundTripper{
		"HTTP/1.1": &http.Transport{TLSClientConfig: client, TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}},
		"HTTP/2.0": &http2.Transport{TLSClientConfig: client},
	} {
		c := &http.Client{Transport: tr}
		for _, body := range []string{"small", strings.Repeat("large", 50_000)} {
			resp, err := c.Post("https://"+g.addr+"/", "text/plain", strings.NewReader(body))
			if err != nil {
				t.Fatalf("%s: %v", proto, err)
			}
			got, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if want := "https 127.0.0.1 " + body; resp.Proto != proto || string(got) != want {
				t.Errorf("%s: %s %.60q", proto, resp.Proto, got)
			}
		}
		c.CloseIdleConnections()
	}
	nc, err := tls.Dial("tcp", g.addr, client)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	io.WriteString(nc, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
	if got := ends(t, nc); !strings.HasPrefix(got, "HTTP/1.1 400 ") {
		t.Errorf("%q", got)
	}
	plain, err := net.Dial("tcp", g.addr) // who does not speak TLS is not answered
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	io.WriteString(plain, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	ends(t, plain)
}

// TestHTTP2Stream: an event stream over HTTP/2 outlives the deadline of writes.
func TestHTTP2Stream(t *testing.T) {
	next := make(chan struct{})
	g := start(t, Config{Listen: []Listen{{Address: "127.0.0.1:0", TLS: secure()}}, Limits: Limits{BodyTimeout: 400 * time.Millisecond}},
		func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			http.NewResponseController(w).Flush()
			select {
			case <-next:
				fmt.Fprint(w, "data: late\n\n")
			case <-r.Context().Done():
			}
		})
	tr := &http2.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr}).Get("https://" + g.addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	<-time.After(time.Second) // longer than the deadline of a write
	close(next)
	if got, err := io.ReadAll(resp.Body); err != nil || string(got) != "data: late\n\n" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestHandover: the next balancer takes the socket over; what waits in it is answered.
func TestHandover(t *testing.T) {
	up := upstreamOf(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "ok") })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	cfg := Config{Listen: []Listen{{Address: addr}}, Upstreams: []Upstream{{Address: up}}}
	first := run(t, cfg)
	for range 3 {
		second := run(t, cfg)
		if err := first.stop(); err != nil {
			t.Error(err)
		}
		for range 10 {
			c := dial(t, second)
			io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			if got := ends(t, c); !strings.HasSuffix(got, "ok") {
				t.Fatalf("%q", got)
			}
		}
		first = second
	}
}

// TestStopAnswersWhoIsIn: a connection that was accepted before the stop, and asks while
// it goes on, is answered.
func TestStopAnswersWhoIsIn(t *testing.T) {
	ways(t, func(t *testing.T, w way) {
		g := start(t, w.of(Config{StopTimeout: 5 * time.Second}), func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "ok") })
		c := dial(t, g)
		eventually(t, "it is accepted", func() bool { return g.b.clients.count() == 1 })
		stopped := make(chan error, 1)
		go func() { stopped <- g.stop() }()
		eventually(t, "no more are accepted", func() bool {
			other, err := net.Dial("tcp", g.addr)
			if err == nil {
				other.Close()
			}
			return err != nil
		})
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		got := ends(t, c)
		if !strings.HasSuffix(got, "ok") || !strings.Contains(got, "Connection: close") {
			t.Errorf("%q", got)
		}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}
