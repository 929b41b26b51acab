package lb

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestNewConnectionEnds: an upstream that takes connections and ends them at once, as one
// whose process is gone behind a forwarder, is asked once, and not again and again.
func TestNewConnectionEnds(t *testing.T) {
	ways(t, func(t *testing.T, w way) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				c.Close()
			}
		}()
		g := run(t, w.of(Config{Upstreams: []Upstream{{Address: "x:1", Dial: func(ctx context.Context) (net.Conn, error) {
			c, err := (&net.Dialer{}).DialContext(ctx, "tcp", l.Addr().String())
			for err == nil && sound(c) && ctx.Err() == nil {
				<-time.After(time.Millisecond)
			}
			return c, err
		}}}}))
		c := dial(t, g)
		c.SetDeadline(time.Now().Add(3 * time.Second))
		io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx")
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		m := g.b.roster.Load().all[0]
		if err != nil || resp.StatusCode < 500 || m.dials.Load() > 3 {
			t.Fatalf("%v, %v, %d connections", resp, err, m.dials.Load())
		}
		eventually(t, "nothing is in flight", func() bool { return m.inflight.Load() == 0 && m.limit.Waiting() == 0 })
	})
}

// TestEachIsCounted: requests that the fast path leaves to net/http count as well, when
// others of the same connection have gone through it.
func TestEachIsCounted(t *testing.T) {
	ways(t, func(t *testing.T, w way) {
		for range 5 {
			g := start(t, w.of(Config{Limits: Limits{RatePerClient: 6}}), func(http.ResponseWriter, *http.Request) {})
			c := dial(t, g)
			c.SetDeadline(time.Now().Add(5 * time.Second))
			r := bufio.NewReader(c)
			second, allowed := time.Now().Unix(), 0
			for i := range 20 {
				extra := []string{"", "TE: trailers\r\n"}[i%2]
				io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n"+extra+"\r\n")
				resp, err := http.ReadResponse(r, nil)
				if err != nil {
					t.Fatal(err)
				}
				io.Copy(io.Discard, resp.Body)
				if resp.StatusCode == 200 {
					allowed++
				}
			}
			if time.Now().Unix() != second {
				continue // the next second has begun meanwhile
			}
			if allowed != 6 {
				t.Errorf("%d requests were allowed, want 6", allowed)
			}
			return
		}
		t.Error("20 requests took more than a second, five times")
	})
}

// deadlined notes the deadline for reading.
type deadlined struct {
	pipe
	until time.Time
}

func (d *deadlined) SetReadDeadline(t time.Time) error { d.until = t; return nil }

// TestDribbledBody: a body has one deadline on the fast path, however many pieces come;
// then it is left to net/http, where there is a least rate.
func TestDribbledBody(t *testing.T) {
	c := &deadlined{}
	f := newDiffer(t).fast
	f.c.Conn = c
	f.r.headed, f.have = true, 100
	if err := f.await(); err != nil {
		t.Fatal(err)
	}
	first := c.until
	if first.IsZero() {
		t.Fatal("there is no deadline")
	}
	f.have++
	if err := f.await(); err != nil {
		t.Fatal(err)
	}
	if !c.until.Equal(first) {
		t.Errorf("one byte more moves the deadline on by %v", c.until.Sub(first))
	}
}

// TestLentIsNotIdle: once a connection is about to be lent, a drain leaves it alone.
func TestLentIsNotIdle(t *testing.T) {
	b, err := New(Config{Upstreams: []Upstream{{Address: "192.0.2.2:80"}}})
	if err != nil {
		t.Fatal(err)
	}
	f := newFront(b, &guard{b: b}, context.Background())
	mine, other := net.Pipe()
	defer other.Close()
	f.start(&clientConn{Conn: mine, b: b, g: f.g})
	io.WriteString(other, "BREW / HTTP/1.1\r\n")
	eventually(t, "it is lent", func() bool { return b.lent.Load() == 1 })
	if n := f.each(nil); n != 0 {
		t.Errorf("%d connections would be told to end", n)
	}
	if f.g.fresh.Load() != 1 {
		t.Error("whoever stops does not wait for its request")
	}
	f.close()
}

// TestCutIsTold: a stop that cuts answers off says so.
func TestCutIsTold(t *testing.T) {
	ways(t, func(t *testing.T, w way) {
		held := make(chan struct{})
		addr := rawUpstream(t, func(c net.Conn, _ []byte) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
			<-held
		})
		defer close(held)
		g := run(t, w.of(Config{StopTimeout: 50 * time.Millisecond, Upstreams: []Upstream{{Address: addr}}}))
		c := dial(t, g)
		io.WriteString(c, get("/"))
		if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
			t.Fatal(err)
		}
		if g.stop() == nil {
			t.Error("it stops as if nothing had been cut off")
		}
	})
}

// TestLoserIsDone: when both attempts of a race are answered at the same moment, the
// connection of whichever loses may be idle already, or another request's: it is left alone.
func TestLoserIsDone(t *testing.T) {
	empty := func(http.ResponseWriter, *http.Request) {}
	g := start(t, Config{}, empty, empty)
	m := g.b.roster.Load().all[0]
	cl := &call{b: g.b, idempotent: true}
	if err := cl.prepare(httptest.NewRequest("GET", "/", nil)); err != nil {
		t.Fatal(err)
	}
	c, err := m.get(t.Context(), lookAlways)
	if err != nil {
		t.Fatal(err)
	}
	r := &race{cl: cl}
	r.first(c)
	resp, f := c.exchange(&cl.msg, func() {}) // an empty body gives the connection back at once
	if f != nil {
		t.Fatal(f)
	}
	r.second()
	if r.answer == nil {
		t.Fatal("the second attempt is not answered")
	}
	if why := c.why(nil); why != nil || !sound(c.nc) {
		t.Errorf("the idle connection was ended: %v", why)
	}
	resp.Body.Close()
	if resp, err := r.finish(nil, nil); err != nil || resp == nil {
		t.Error(resp, err)
	} else {
		resp.Body.Close()
	}
}

// TestPanic: a defect that shows on one connection ends that one alone, and what its
// exchange had taken is given back.
func TestPanic(t *testing.T) {
	for _, secure := range []bool{false, true} {
		up := upstreamOf(t, func(http.ResponseWriter, *http.Request) {})
		var defect atomic.Bool
		logged := &lines{}
		g := run(t, way{secure: secure}.of(Config{Health: Health{Interval: time.Hour}, Log: slog.New(slog.NewTextHandler(logged, nil)), Upstreams: []Upstream{{Address: up, Dial: func(ctx context.Context) (net.Conn, error) {
			if defect.Swap(false) {
				panic("a defect")
			}
			return (&net.Dialer{}).DialContext(ctx, "tcp", up)
		}}}}))
		defect.Store(true)
		c := dial(t, g)
		io.WriteString(c, get("/"))
		if got := ends(t, c); got != "" || defect.Load() {
			t.Errorf("it is answered: %q", got)
		}
		if resp, _ := g.get("/"); resp.StatusCode != 200 {
			t.Errorf("another connection: %d", resp.StatusCode)
		}
		m := g.b.roster.Load().all[0]
		eventually(t, "nothing is in flight", func() bool { return m.inflight.Load() == 0 && g.b.inflight.Load() == 0 && g.b.clients.count() <= 1 })
		if n := m.limit.Waiting(); n != 0 {
			t.Errorf("%d places are still taken", n)
		}
		if got := logged.String(); !strings.Contains(got, "a defect") || !strings.Contains(got, "fastexchange.go") {
			t.Errorf("logged: %q", got)
		}
	}
}

// TestPanicInHandshake: the same of a handshake.
func TestPanicInHandshake(t *testing.T) {
	config := secure().Clone()
	config.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if hello.ServerName == "defect" {
			panic("a defect")
		}
		return &config.Certificates[0], nil
	}
	logged := &lines{}
	g := start(t, Config{Log: slog.New(slog.NewTextHandler(logged, nil)), Listen: []Listen{{Address: "127.0.0.1:0", TLS: config}}},
		func(http.ResponseWriter, *http.Request) {})
	broken := anybody.Clone()
	broken.ServerName = "defect"
	if c, err := tls.Dial("tcp", g.addr, broken); err == nil {
		c.Close()
		t.Error("the handshake succeeds")
	}
	if resp, _ := g.get("/"); resp.StatusCode != 200 {
		t.Errorf("another connection: %d", resp.StatusCode)
	}
	eventually(t, "it is gone, and told of", func() bool { return g.b.clients.count() == 1 && strings.Contains(logged.String(), "a defect") })
}

// lines keeps what is logged.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestOptionsOfAll: OPTIONS * is answered by the balancer, is counted, and counts as one of
// its client's requests; a stop does not wait for another one.
func TestOptionsOfAll(t *testing.T) {
	ways(t, func(t *testing.T, w way) {
		g := start(t, w.of(Config{Limits: Limits{RatePerClient: 5}, StopTimeout: 5 * time.Second}), func(http.ResponseWriter, *http.Request) {
			t.Error("it reaches an upstream")
		})
		c := dial(t, g)
		c.SetDeadline(time.Now().Add(5 * time.Second))
		r := bufio.NewReader(c)
		got, first := map[int]int{}, time.Now().Unix()
		for range 20 {
			io.WriteString(c, "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n")
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, resp.Body)
			got[resp.StatusCode]++
		}
		most := 5 * int(time.Now().Unix()-first+1) // the second may have changed in between
		if got[200] < 5 || got[200] > most || got[429] != 20-got[200] {
			t.Errorf("%v", got)
		}
		if n := g.b.own[ownCode(200)].Load(); n != int64(got[200]) {
			t.Errorf("%d are counted", n)
		}
		began := time.Now()
		if err := g.stop(); err != nil || time.Since(began) >= freshWithin { // for which one is waited that has asked for nothing
			t.Errorf("it stops after %s: %v", time.Since(began), err)
		}
	})
}
