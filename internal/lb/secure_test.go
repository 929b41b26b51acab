package lb

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// TestHandshakesApart: a client that does not complete its handshake holds nobody up,
// neither others nor the stop, and is cut off in time.
func TestHandshakesApart(t *testing.T) {
	t.Parallel()
	g := start(t, way{secure: true}.of(Config{Limits: Limits{HeaderTimeout: time.Second}, StopTimeout: 5 * time.Second}),
		func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "ok") })
	for _, text := range []string{"", "\x16\x03\x01\x02\x00\x01", "GET / HTTP/1.1\r\n\r\n"} {
		c, err := net.Dial("tcp", g.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, text)
		if resp, body := g.get("/"); resp.StatusCode != 200 || body != "ok" {
			t.Errorf("beside %q: %d %q", text, resp.StatusCode, body)
		}
		began := time.Now()
		ends(t, c)
		if took := time.Since(began); took > 2500*time.Millisecond {
			t.Errorf("%q is cut off after %s", text, took)
		}
	}
	late := start(t, way{secure: true}.of(Config{Limits: Limits{HeaderTimeout: time.Minute}}), func(http.ResponseWriter, *http.Request) {})
	c, err := net.Dial("tcp", late.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	eventually(t, "it is accepted", func() bool { return late.b.clients.count() == 1 })
	began := time.Now()
	if err := late.stop(); err != nil || time.Since(began) > 4*time.Second {
		t.Errorf("it stops after %s: %v", time.Since(began), err)
	}
}

// TestHalfARecord: a record that comes byte by byte takes no longer than a header may, on a
// connection that has served before as well.
func TestHalfARecord(t *testing.T) {
	t.Parallel()
	g := start(t, way{secure: true}.of(Config{Limits: Limits{HeaderTimeout: 1500 * time.Millisecond}}), func(http.ResponseWriter, *http.Request) {})
	for _, before := range []string{"", get("/")} {
		nc, err := net.Dial("tcp", g.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		c := tls.Client(nc, anybody)
		if err := c.Handshake(); err != nil {
			t.Fatal(err)
		}
		if before != "" {
			io.WriteString(c, before)
			if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
				t.Fatal(err)
			}
		}
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			ends(t, nc)
		}()
		began, tick := time.Now(), time.NewTicker(50*time.Millisecond)
		for record, ended := []byte("\x17\x03\x03\x3f\xff"), false; !ended; {
			nc.Write(record)
			record = []byte{'x'}
			select {
			case <-tick.C:
			case <-gone:
				ended = true
			}
		}
		tick.Stop()
		if took := time.Since(began); took > 6*time.Second { // what is wrong goes on as long as bytes come
			t.Errorf("after %q: cut off after %s", before, took)
		}
	}
}

// TestGoodbye: a TLS client is told that nothing more comes, so that it need not take the
// end for an attack: behind its last answer, when it is idle too long, and at a stop.
func TestGoodbye(t *testing.T) {
	t.Parallel()
	for _, off := range []bool{false, true} {
		g := start(t, way{off, true}.of(Config{Limits: Limits{IdleTimeout: 300 * time.Millisecond}, StopTimeout: 5 * time.Second}),
			func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "ok") })
		said := func(name, text string, before func()) {
			nc, err := net.Dial("tcp", g.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			seen := &tail{Conn: nc}
			c := tls.Client(seen, anybody)
			c.SetDeadline(time.Now().Add(10 * time.Second))
			io.WriteString(c, text)
			r := bufio.NewReader(c)
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatalf("%s, off %v: %v", name, off, err)
			}
			io.Copy(io.Discard, resp.Body)
			before()
			if _, err := r.ReadByte(); err != io.EOF || seen.records < 1 || seen.last != 19+5 {
				t.Errorf("%s, off %v: ends with %v, behind a record of %d bytes", name, off, err, seen.last)
			}
		}
		said("last answer", next, func() {})
		said("idle", get("/"), func() {})
		said("stop", get("/"), func() { go g.stop() })
	}
}

// tail notes the length of the last record: an alert's is 19 in TLS 1.3 with AES.
type tail struct {
	net.Conn
	left, records, last int
	head                []byte
}

func (s *tail) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	for b := p[:n]; len(b) > 0; {
		if s.left > 0 {
			m := min(s.left, len(b))
			s.left, b = s.left-m, b[m:]
			continue
		}
		s.head, b = append(s.head, b[0]), b[1:]
		if len(s.head) == 5 {
			s.left = int(s.head[3])<<8 | int(s.head[4])
			s.records, s.last, s.head = s.records+1, 5+s.left, nil
		}
	}
	return n, err
}

// TestProxyBeforeTLS: the address that a PROXY header tells counts over TLS too, when the
// handshake begins in the same packet.
func TestProxyBeforeTLS(t *testing.T) {
	for _, off := range []bool{false, true} {
		g := start(t, way{off, true}.of(Config{ProxyFrom: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}),
			func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprint(w, r.Header.Get("X-Forwarded-For"), " ", r.Header.Get("X-Forwarded-Proto"))
			})
		for _, size := range []int{1 << 14, 100} {
			nc, err := net.Dial("tcp", g.addr)
			if err != nil {
				t.Fatal(err)
			}
			p := &packer{Conn: nc, size: size, held: []byte("PROXY TCP4 203.0.113.7 10.0.0.1 8080 80\r\n")}
			c := tls.Client(&eager{p}, anybody)
			io.WriteString(c, next)
			if got := ends(t, c); !strings.HasSuffix(got, "203.0.113.7 https") {
				t.Errorf("off %v, packets of %d: %q", off, size, got)
			}
			c.Close()
		}
	}
}

// eager keeps nothing back.
type eager struct{ *packer }

func (e *eager) Write(b []byte) (int, error) {
	n, err := e.packer.Write(b)
	e.flush()
	e.held = nil
	return n, err
}

// TestBothProtocols: HTTP/2 and the fast path on one address, and TLS 1.2.
func TestBothProtocols(t *testing.T) {
	g := start(t, way{secure: true}.of(Config{}), func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Header.Get("X-Forwarded-Proto")) })
	two := &http2.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer two.CloseIdleConnections()
	for range 3 {
		resp, err := (&http.Client{Transport: two}).Get(g.url)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.ProtoMajor != 2 || string(body) != "https" {
			t.Errorf("%s %q", resp.Proto, body)
		}
		if resp, body := g.get("/"); resp.ProtoMajor != 1 || body != "https" {
			t.Errorf("%s %q", resp.Proto, body)
		}
	}
	old := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}} // and no ALPN
	defer old.CloseIdleConnections()
	for range 3 {
		resp, err := (&http.Client{Transport: old}).Get(g.url)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.TLS.Version != tls.VersionTLS12 || string(body) != "https" {
			t.Errorf("%x %q", resp.TLS.Version, body)
		}
	}
	if passed := g.b.passed.Load(); passed == 0 || passed > 6 { // one that takes long is lent
		t.Errorf("%d requests went through the fast path, want 6", passed)
	}
}

// TestDribblers: clients that have sent a part of a header, and wait, hold little.
func TestDribblers(t *testing.T) {
	const n, most = 300, 40 << 10
	ways(t, func(t *testing.T, w way) {
		if w.off {
			t.Skip("without the fast path the buffers are net/http's, and not ours to bound")
		}
		g := start(t, w.of(Config{}), func(http.ResponseWriter, *http.Request) {})
		var conns []net.Conn
		open := func(n int) {
			for range n {
				c := dial(t, g)
				conns = append(conns, c)
				for _, text := range []string{"GE", "T / HTTP/1.1\r\nHost: x\r\nX-Long: "} {
					io.WriteString(c, text)
				}
			}
			eventually(t, "all are there", func() bool { return g.b.clients.count() == len(conns) })
			<-time.After(200 * time.Millisecond) // until they are waited for
		}
		open(10)
		before := heap()
		open(n)
		eventually(t, "each holds little, once the last is waited for", func() bool {
			each := (heap() - before) / n
			t.Logf("each holds %d bytes, want %d at most", each, most)
			return each <= most
		})
		c := conns[len(conns)-1]
		io.WriteString(c, "y\r\n\r\n")
		if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || resp.StatusCode != 200 {
			t.Errorf("one that goes on after all: %v, %v", resp, err)
		}
	})
}

func heap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what pools hold goes with the second
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}
