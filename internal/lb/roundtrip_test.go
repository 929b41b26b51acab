package lb

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// rawUpstream is a server that answers probes, and does with every other connection
// what talk says; talk is given the first bytes that came.
func rawUpstream(t *testing.T, talk func(c net.Conn, first []byte)) string {
	t.Helper()
	return freezable(t, new(atomic.Bool), talk)
}

// freezable is one that does not answer probes while it is frozen.
func freezable(t *testing.T, frozen *atomic.Bool, talk func(c net.Conn, first []byte)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	open := make(map[net.Conn]bool)
	var mu sync.Mutex
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = true
			mu.Unlock()
			wg.Go(func() {
				defer c.Close()
				buf := make([]byte, 4096)
				n, err := c.Read(buf)
				if err != nil {
					return
				}
				if strings.HasPrefix(string(buf[:n]), "GET /readyz ") {
					if frozen.Load() {
						io.Copy(io.Discard, c) // until the other side gives up
						return
					}
					io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
					return
				}
				talk(c, buf[:n])
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for c := range open {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return l.Addr().String()
}

func send(t *testing.T, g *ground, method, path, body string, header ...string) (status int, text string) {
	t.Helper()
	var from io.Reader
	if body != "" {
		from = strings.NewReader(body)
	}
	req, err := http.NewRequest(method, g.url+path, from)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := g.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}

// TestSentAgain: what may be repeated is, and nothing else is ever.
func TestSentAgain(t *testing.T) {
	var cut atomic.Int64 // requests that reached the one that cuts off
	cuts := rawUpstream(t, func(net.Conn, []byte) { cut.Add(1) })
	good := upstreamOf(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s", r.Method, b)
	})
	g := run(t, Config{Policy: RoundRobin, Health: Health{Ramp: -1, Interval: time.Hour},
		Upstreams: []Upstream{{Address: cuts}, {Address: good}}})
	for _, c := range []struct {
		method, body string
		again        bool
		header       []string
	}{
		{"GET", "", true, nil}, {"HEAD", "", true, nil}, {"OPTIONS", "", true, nil},
		{"GET", "with a body", false, nil},
		{"POST", "x", false, nil}, {"POST", "", false, nil}, {"PUT", "x", false, nil}, {"PATCH", "x", false, nil}, {"DELETE", "", false, nil},
		{"POST", "x", false, []string{"Idempotency-Key", "1"}}, {"POST", "", false, []string{"X-Idempotency-Key", "1"}},
		{"POST", strings.Repeat("x", 100_000), false, nil},
	} {
		t.Run(c.method, func(t *testing.T) {
			m := g.b.roster.Load().all[0]
			failed := false
			for range 6 { // in turn, so half of them meet the one that cuts off
				m.health.forget()
				m.health.mu.Lock()
				m.health.state = stateUp // as if nobody had noticed
				m.health.mu.Unlock()
				g.b.rebuild(time.Now())
				before := cut.Load()
				status, text := send(t, g, c.method, "/", c.body, c.header...)
				met := cut.Load() - before
				switch {
				case met > 1:
					t.Fatalf("sent %d times to one server", met)
				case met == 1 && !c.again:
					failed = true
					var e struct {
						Status int
						Data   map[string]string
					}
					if err := json.Unmarshal([]byte(text), &e); status != 502 || err != nil || e.Status != 502 || e.Data["outcome"] != "unknown" {
						t.Errorf("%d %s, %v", status, text, err)
					}
				case status != 200:
					t.Errorf("%d %s", status, text)
				}
			}
			if failed == c.again {
				t.Errorf("failed %v", failed)
			}
		})
	}
}

// TestNothingReached: any method goes elsewhere if no byte of it has reached a server,
// with its whole body.
func TestNothingReached(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := l.Addr().String()
	l.Close()
	good := upstreamOf(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	g := run(t, Config{Policy: RoundRobin, Health: Health{Ramp: -1, Interval: time.Hour}, Upstreams: []Upstream{{Address: dead}, {Address: good}}})
	m := g.b.roster.Load().all[0]
	for _, body := range []string{"small", strings.Repeat("large", 100_000)} {
		for range 4 {
			m.health.mu.Lock()
			m.health.state = stateUp // as if nobody had noticed
			m.health.mu.Unlock()
			g.b.rebuild(time.Now())
			if status, text := send(t, g, "POST", "/", body); status != 200 || text != body {
				t.Fatalf("%d, %d bytes of %d", status, len(text), len(body))
			}
		}
	}
	if g.b.retries.Load() == 0 {
		t.Error("the dead one was never tried: the test shows nothing")
	}
}

// TestIdleClosed: a connection that the upstream has closed while it was idle is not
// used, even for what cannot be repeated.
func TestIdleClosed(t *testing.T) {
	closed := make(chan struct{}, 100)
	only := rawUpstream(t, func(c net.Conn, _ []byte) {
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		c.Close() // without having said so
		closed <- struct{}{}
	})
	g := run(t, Config{Upstreams: []Upstream{{Address: only}}})
	for range 20 {
		if status, text := send(t, g, "POST", "/", "x"); status != 200 || text != "ok" {
			t.Fatalf("%d %s", status, text)
		}
		<-closed
	}
}

// TestOwnErrors: in Pando's form, with a hint when to come back.
func TestOwnErrors(t *testing.T) {
	l, _ := net.Listen("tcp", "127.0.0.1:0")
	dead := l.Addr().String()
	l.Close()
	g := run(t, Config{Upstreams: []Upstream{{Address: dead}}})
	resp, err := g.http.Get(g.url + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != 503 || resp.Header.Get("Retry-After") != "1" || resp.Header.Get("Content-Type") != "application/json" ||
		string(b) != `{"data":{},"message":"No server can be reached now, please try again.","status":503}`+"\n" {
		t.Errorf("%d %v %s", resp.StatusCode, resp.Header, b)
	}
}

// TestAnswerTimeout: who waits too long is answered.
func TestAnswerTimeout(t *testing.T) {
	g := start(t, Config{Limits: Limits{AnswerTimeout: 200 * time.Millisecond}}, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	for method, want := range map[string]string{"GET": "please try again", "POST": "is not known"} {
		if status, text := send(t, g, method, "/", ""); status != 504 || !strings.Contains(text, want) {
			t.Errorf("%s: %d %s", method, status, text)
		}
	}
}

// TestHedge: a request that takes longer than nearly all is sent to a second server,
// and the first answer counts.
func TestHedge(t *testing.T) {
	var slow atomic.Bool
	var given atomic.Int64
	h := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" && slow.CompareAndSwap(true, false) {
			select {
			case <-r.Context().Done():
				given.Add(1)
			case <-time.After(10 * time.Second):
			}
			return
		}
		fmt.Fprint(w, "ok")
	}
	g := start(t, Config{Health: Health{Silence: -1}}, h, h)
	for range 200 {
		g.get("/")
	}
	eventually(t, "it knows when to hedge", func() bool { return g.b.hedgeAfter.Load() > 0 })
	hedges := g.b.hedges.Load()
	for range 3 {
		slow.Store(true)
		if resp, text := g.get("/slow"); resp.StatusCode != 200 || text != "ok" {
			t.Fatalf("%d %q", resp.StatusCode, text)
		}
	}
	if n := g.b.hedges.Load() - hedges; n < 3 {
		t.Errorf("%d hedges", n)
	}
	eventually(t, "the slower attempts are given up", func() bool { return given.Load() == 3 })
	eventually(t, "nothing is in flight", func() bool {
		for _, m := range g.b.roster.Load().all {
			if m.inflight.Load() != 0 || m.limit.Waiting() != 0 {
				return false
			}
		}
		return true
	})
}

// TestClientGone: when the client leaves, the upstream is told, and nobody is blamed.
func TestClientGone(t *testing.T) {
	arrived, left := make(chan struct{}), make(chan struct{})
	g := start(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
		close(left)
	})
	c, err := net.Dial("tcp", g.addr)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-arrived
	c.Close()
	<-left
	eventually(t, "it is over", func() bool { return g.b.Status().InFlight == 0 })
	if f := g.b.Status().Upstreams[0].Failed; f != 0 {
		t.Errorf("%d failures", f)
	}
}

// TestFrozenHalfway: an answer that stops in its middle, because its server is frozen,
// ends as one that is not whole.
func TestFrozenHalfway(t *testing.T) {
	var frozen atomic.Bool
	stuck := freezable(t, &frozen, func(c net.Conn, _ []byte) {
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
		frozen.Store(true)
		io.Copy(io.Discard, c)
	})
	g := run(t, Config{Upstreams: []Upstream{{Address: stuck}}, Health: Health{Interval: 100 * time.Millisecond, ProbeTimeout: 300 * time.Millisecond}})
	// The only one is asked before as well, and nothing is cut that one does which is out.
	eventually(t, "it is up", func() bool { return takesPart(g.b.Status().Upstreams[0].State) })
	resp, err := g.http.Get(g.url + "/")
	if err != nil {
		t.Fatal(err)
	}
	if b := torn(t, resp.Body); b != "half" {
		t.Errorf("%q", b)
	}
	if u := g.b.Status().Upstreams[0]; u.State != "down" {
		t.Errorf("its state is %s", u.State)
	}
}

// takesPart tells whether an upstream in this state gets requests.
func takesPart(state string) bool { return state == "up" || state == "ramping" }

// torn is the body of an answer that ends before it is whole. It fails the test if it is
// whole, or does not end.
func torn(t *testing.T, body io.ReadCloser) string {
	t.Helper()
	defer body.Close()
	var text []byte
	end := make(chan error, 1)
	go func() {
		var err error
		text, err = io.ReadAll(body)
		end <- err
	}()
	select {
	case err := <-end:
		if err == nil {
			t.Error("it ends as if it were whole")
		}
		return string(text)
	case <-time.After(20 * time.Second):
		t.Fatal("it does not end")
		return ""
	}
}

// TestFrozenWhenOut: a server that gets no requests any more, and goes on with an answer,
// is frozen: that one ends too.
func TestFrozenWhenOut(t *testing.T) {
	for name, fail := range map[string]func(g *ground, mute *atomic.Bool){
		"down": func(_ *ground, mute *atomic.Bool) { mute.Store(true) },
		"ejected": func(g *ground, _ *atomic.Bool) {
			for range 4 * ejectSamples {
				g.get("/")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			var mute, frozen atomic.Bool
			bad := freezable(t, &mute, func(c net.Conn, first []byte) {
				if !strings.HasPrefix(string(first), "GET /drip ") {
					io.WriteString(c, "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
					return
				}
				io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
				tick := time.NewTicker(10 * time.Millisecond)
				defer tick.Stop()
				for !frozen.Load() {
					io.WriteString(c, ".")
					<-tick.C
				}
				io.Copy(io.Discard, c)
			})
			good := upstreamOf(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
			g := run(t, Config{Policy: RoundRobin, Upstreams: []Upstream{{Address: bad}, {Address: good}}, Health: Health{
				Ramp: -1, Interval: 100 * time.Millisecond, ProbeTimeout: 300 * time.Millisecond, Eject: time.Hour,
			}})
			eventually(t, "both are up", func() bool { u := g.b.Status().Upstreams; return u[0].State == "up" && u[1].State == "up" })
			var drip io.ReadCloser
			for drip == nil {
				resp, err := g.http.Get(g.url + "/drip")
				if err != nil {
					t.Fatal(err)
				}
				if drip = resp.Body; resp.StatusCode != http.StatusOK { // by the other one
					drip = nil
					resp.Body.Close()
				}
			}
			fail(g, &mute)
			eventually(t, "it is out", func() bool { return !takesPart(g.b.Status().Upstreams[0].State) })
			mute.Store(true)
			frozen.Store(true)
			torn(t, drip)
		})
	}
}

// TestSilent: a server that still takes connections and answers nothing, while others
// do, is out within a second; what may be repeated is answered by another, and what may
// not be is answered that its outcome is not known.
func TestSilent(t *testing.T) {
	var frozen atomic.Bool
	var waiting sync.WaitGroup
	mute := freezable(t, &frozen, func(c net.Conn, first []byte) {
		if strings.HasPrefix(string(first), "GET /drip ") {
			return // the other one has that
		}
		frozen.Store(true)
		io.Copy(io.Discard, c)
	})
	good := upstreamOf(t, func(w http.ResponseWriter, r *http.Request) {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for r.URL.Path == "/drip" && r.Context().Err() == nil { // it is heard of all the time
			fmt.Fprint(w, ".")
			http.NewResponseController(w).Flush()
			<-tick.C
		}
		fmt.Fprint(w, "ok")
	})
	g := run(t, Config{Policy: RoundRobin, Health: Health{Ramp: -1}, Upstreams: []Upstream{{Address: mute}, {Address: good}}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, "GET", g.url+"/drip", nil)
	drip, err := g.http.Do(req)
	if err != nil || drip.StatusCode != 200 {
		t.Fatal(drip, err)
	}
	defer drip.Body.Close()
	began := time.Now()
	var unknown atomic.Int64
	for i := range 16 { // so many that some of each kind meet the silent one
		waiting.Go(func() {
			method := "GET"
			if i%4 < 2 {
				method = "POST"
			}
			req, _ := http.NewRequest(method, g.url+"/", nil)
			resp, err := g.http.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			b, _ := io.ReadAll(resp.Body)
			switch {
			case resp.StatusCode == 200:
			case method == "POST" && resp.StatusCode == 504 && strings.Contains(string(b), `"outcome":"unknown"`):
				unknown.Add(1)
			default:
				t.Errorf("%s: %d %s", method, resp.StatusCode, b)
			}
		})
	}
	waiting.Wait()
	took := time.Since(began)
	if s := g.b.Status().Upstreams[0]; s.State == "up" {
		t.Errorf("the silent one is still up after %s", took)
	}
	bound := 1500 * time.Millisecond
	if os.Getenv("PANDO_PROVE") == "" {
		bound *= 4 // beside whatever else the machine does
	}
	if took > bound || unknown.Load() == 0 {
		t.Errorf("all were answered after %s, %d with 504", took, unknown.Load())
	}
}

// TestSilentUnasked: a server falls silent while little is asked of anybody: by a client
// that does not wait, or by nobody but the probes.
func TestSilentUnasked(t *testing.T) {
	bound := 1200 * time.Millisecond
	if os.Getenv("PANDO_PROVE") == "" {
		bound *= 3 // beside whatever else the machine does
	}
	for name, c := range map[string]struct {
		interval time.Duration
		asked    bool
	}{"one client, which leaves": {time.Hour, true}, "nobody": {0, false}} {
		t.Run(name, func(t *testing.T) {
			var frozen atomic.Bool
			mute := freezable(t, &frozen, func(c net.Conn, _ []byte) {
				frozen.Store(true)
				io.Copy(io.Discard, c)
			})
			good := upstreamOf(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
			g := run(t, Config{Policy: RoundRobin, Health: Health{Ramp: -1, Interval: c.interval}, Upstreams: []Upstream{{Address: mute}, {Address: good}}})
			for c.asked && !frozen.Load() {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
				req, _ := http.NewRequestWithContext(ctx, "POST", g.url+"/", nil)
				if resp, err := g.http.Do(req); err == nil {
					resp.Body.Close()
				}
				cancel()
			}
			frozen.Store(true)
			began := time.Now()
			eventually(t, "it is out", func() bool { return g.b.Status().Upstreams[0].State == "ejected" })
			if took := time.Since(began); took > bound {
				t.Errorf("it is out after %s", took)
			}
		})
	}
}

// TestSlowPage: an upstream whose page takes longer than others may be silent is up all
// the same, whether somebody asks for something or not.
func TestSlowPage(t *testing.T) {
	slow := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" {
			<-time.After(400 * time.Millisecond)
		}
		fmt.Fprint(w, "ok")
	}
	quick := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }
	// A machine that stands still is silence too, but not each time.
	var out string
	for range 3 {
		if out = staysUp(start(t, Config{}, slow, quick)); out == "" {
			return
		}
	}
	t.Error(out)
}

// staysUp looks at the first upstream for three seconds, and tells why it is out if it is.
func staysUp(g *ground) (out string) {
	ups := 0
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if s := g.b.Status().Upstreams[0]; s.State == "ejected" || s.State == "down" {
			return fmt.Sprintf("it is %s: %s", s.State, s.Reason)
		}
		ups++
		if ups%10 == 0 { // clients who do not wait
			ctx, cancel := context.WithTimeout(g.t.Context(), time.Millisecond)
			req, _ := http.NewRequestWithContext(ctx, "GET", g.url+"/", nil)
			if resp, err := g.http.Do(req); err == nil {
				resp.Body.Close()
			}
			cancel()
		}
	}
	return ""
}

// TestStatus: what is told of each upstream adds up.
func TestStatus(t *testing.T) {
	g := start(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/bad" {
			w.WriteHeader(500)
		}
	})
	for range 9 {
		g.get("/")
	}
	g.get("/bad")
	s := g.b.Status()
	u := s.Upstreams[0]
	if !s.Ready || u.Requests != 10 || u.Failed != 1 || u.Errors != 0.1 || u.P99 <= 0 || u.State != "ramping" {
		t.Errorf("%+v", s)
	}
	admin := g.b.Admin()
	for path, want := range map[string]string{
		"/metrics": `pando_lb_upstream_requests_total{code="2xx",upstream="` + u.Name + `"} 9`,
		"/status":  `"requests": 10`, "/readyz": "ok\n", "/readyz?verbose": u.Name + ": ramping", "/livez": "ok\n",
	} {
		w := &recorder{header: http.Header{}}
		r, _ := http.NewRequest("GET", path, nil)
		admin.ServeHTTP(w, r)
		if !strings.Contains(w.body.String(), want) {
			t.Errorf("%s: no %q in %.2000s", path, want, w.body.String())
		}
	}
}

type recorder struct {
	header http.Header
	status int
	body   strings.Builder
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(s int)           { r.status = s }
func (r *recorder) Write(p []byte) (int, error) { return r.body.Write(p) }
