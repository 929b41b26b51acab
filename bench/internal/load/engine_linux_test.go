package load

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// server starts a real server and returns its address.
func server(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// get asks for one path, always, and wants the answer to contain want.
func get(path, want string) Script {
	return ScriptFunc(func(_ int, dst []byte) ([]byte, Shot) {
		dst = append(dst, "GET "+path+" HTTP/1.1\r\nHost: test\r\n\r\n"...)
		return dst, Shot{Want: []byte(want)}
	})
}

func run(t *testing.T, o Options) Result {
	t.Helper()
	if o.Kinds == nil {
		o.Kinds = []Kind{{Name: "get", Status: 200}}
	}
	if o.Conns == 0 {
		o.Conns = 4
	}
	if o.Duration == 0 {
		o.Duration = 100 * time.Millisecond
	}
	res, err := Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func TestClosedLoopCountsWhatTheServerSaw(t *testing.T) {
	var seen atomic.Int64
	addr := server(t, func(w http.ResponseWriter, r *http.Request) {
		seen.Add(1)
		fmt.Fprint(w, "hello")
	})
	res := run(t, Options{Addr: addr, Script: get("/", "hello")})
	if res.Errors != 0 || res.Completed == 0 || int64(res.Completed) != seen.Load() {
		t.Errorf("%d right, %d wrong (%s); the server saw %d", res.Completed, res.Errors, res.FirstError, seen.Load())
	}
	if n := res.Latencies().TotalCount(); n != int64(res.Completed) {
		t.Errorf("%d latencies for %d answers", n, res.Completed)
	}
	if res.PerSecond() < 100 {
		t.Errorf("%.0f requests a second on loopback", res.PerSecond())
	}
}

func TestBigAndChunkedAnswers(t *testing.T) {
	body := strings.Repeat("0123456789abcdef", 20_000) + "the end"
	addr := server(t, func(w http.ResponseWriter, r *http.Request) {
		for part := body; part != ""; {
			n := min(len(part), 50_000)
			fmt.Fprint(w, part[:n])
			w.(http.Flusher).Flush()
			part = part[n:]
		}
	})
	res := run(t, Options{Addr: addr, Script: get("/", "the end")})
	if res.Errors != 0 || res.Completed == 0 {
		t.Errorf("%d right, %d wrong: %s", res.Completed, res.Errors, res.FirstError)
	}
}

func TestBigRequests(t *testing.T) {
	const size = 1 << 20
	addr := server(t, func(w http.ResponseWriter, r *http.Request) {
		n := 0
		for buf := make([]byte, 64<<10); ; {
			m, err := r.Body.Read(buf)
			n += m
			if err != nil {
				break
			}
		}
		fmt.Fprint(w, n)
	})
	post := fmt.Sprintf("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n%s", size, strings.Repeat("x", size))
	res := run(t, Options{Addr: addr, Conns: 2, PerConn: 3, Duration: time.Minute, Script: ScriptFunc(func(_ int, dst []byte) ([]byte, Shot) {
		return append(dst, post...), Shot{Want: fmt.Append(nil, size)}
	})})
	if res.Errors != 0 || res.Completed != 6 {
		t.Errorf("%d right, %d wrong: %s", res.Completed, res.Errors, res.FirstError)
	}
}

func TestWrongAnswersAreErrors(t *testing.T) {
	tests := []struct {
		name, want string
		handler    http.HandlerFunc
	}{
		{"status", "status 404, want 200", http.NotFound},
		{"body", `lacks "hello"`, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "bye") }},
		{"cut", "connection closed", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }},
		{"late", "no answer within", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res := run(t, Options{
				Addr: server(t, tt.handler), Script: get("/", "hello"), PerConn: 2,
				Timeout: 50 * time.Millisecond, Duration: 300 * time.Millisecond,
			})
			if res.Errors == 0 || res.Completed != 0 || !strings.Contains(res.FirstError, tt.want) {
				t.Errorf("%d right, %d wrong: %q; want none right and %q", res.Completed, res.Errors, res.FirstError, tt.want)
			}
		})
	}
}

func TestServerThatClosesIsNoError(t *testing.T) {
	addr := server(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		fmt.Fprint(w, "hello")
	})
	res := run(t, Options{Addr: addr, Script: get("/", "hello"), PerConn: 3, Duration: time.Minute})
	if res.Errors != 0 || res.Completed != 12 || res.Reconnects < 8 {
		t.Errorf("%d right, %d wrong (%s), %d reconnects", res.Completed, res.Errors, res.FirstError, res.Reconnects)
	}
}

func TestNoServer(t *testing.T) {
	s := httptest.NewServer(nil)
	addr := s.Listener.Addr().String()
	s.Close()
	_, err := Run(context.Background(), Options{
		Addr: addr, Conns: 1, Kinds: []Kind{{Name: "get", Status: 200}}, Script: get("/", ""), Duration: time.Second,
	})
	if !errors.Is(err, ErrServerGone) {
		t.Errorf("Run = %v, want ErrServerGone", err)
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	addr := server(t, func(w http.ResponseWriter, r *http.Request) { cancel() })
	_, err := Run(ctx, Options{
		Addr: addr, Conns: 1, Kinds: []Kind{{Name: "get", Status: 200}}, Script: get("/", ""), Duration: time.Minute,
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v, want context.Canceled", err)
	}
}

func TestOpenLoopKeepsItsRate(t *testing.T) {
	addr := server(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello") })
	res := run(t, Options{Addr: addr, Script: get("/", "hello"), Rate: 1000, Duration: 300 * time.Millisecond})
	if res.Errors != 0 || res.Completed != 300 {
		t.Errorf("%d right, %d wrong (%s), want 300", res.Completed, res.Errors, res.FirstError)
	}
	if res.Elapsed < 290*time.Millisecond {
		t.Errorf("300 requests at 1000 a second took only %v", res.Elapsed)
	}
}

// TestOpenLoopSeesStalls lets the server stall once for a third of the run. A
// generator with coordinated omission would report one slow answer on each of
// two connections; in truth a third of the requests that were due waited.
func TestOpenLoopSeesStalls(t *testing.T) {
	const stall, duration = 100 * time.Millisecond, 300 * time.Millisecond
	var requests atomic.Int64
	var stalled sync.Mutex
	addr := server(t, func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) == 50 {
			stalled.Lock()
			time.AfterFunc(stall, stalled.Unlock)
		}
		stalled.Lock()
		defer stalled.Unlock()
		fmt.Fprint(w, "hello")
	})
	res := run(t, Options{Addr: addr, Conns: 2, Script: get("/", "hello"), Rate: 1000, Duration: duration})
	all := res.Latencies()
	if p80 := all.ValueAtQuantile(80); p80 < (stall / 4).Microseconds() {
		t.Errorf("p80 is %d µs after a stall of a third of the run", p80)
	}
	if res.Completed != 300 {
		t.Errorf("%d right (%s), want 300: what was due during the stall must still be sent", res.Completed, res.FirstError)
	}
}

func TestStop(t *testing.T) {
	for _, rate := range []float64{0, 500} {
		var seen atomic.Int64
		var stop atomic.Bool
		addr := server(t, func(w http.ResponseWriter, r *http.Request) {
			if seen.Add(1) == 20 {
				stop.Store(true)
			}
			fmt.Fprint(w, "hello")
		})
		res := run(t, Options{Addr: addr, Script: get("/", "hello"), Rate: rate, Duration: time.Minute, Stop: &stop})
		if res.Errors != 0 || res.Completed < 20 || int64(res.Completed) != seen.Load() {
			t.Errorf("rate %v: %d right, %d wrong (%s); the server saw %d", rate, res.Completed, res.Errors, res.FirstError, seen.Load())
		}
	}
}

func TestKindsAreKeptApart(t *testing.T) {
	addr := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "DELETE" {
			w.WriteHeader(http.StatusNoContent)
		}
	})
	n := 0
	res := run(t, Options{
		Addr: addr, Conns: 1, PerConn: 10, Duration: time.Minute,
		Kinds: []Kind{{Name: "get", Status: 200}, {Name: "delete", Status: 204}},
		Script: ScriptFunc(func(_ int, dst []byte) ([]byte, Shot) {
			if n++; n%5 == 0 {
				return append(dst, "DELETE / HTTP/1.1\r\nHost: test\r\n\r\n"...), Shot{Kind: 1}
			}
			return append(dst, "GET / HTTP/1.1\r\nHost: test\r\n\r\n"...), Shot{}
		}),
	})
	if res.Errors != 0 || res.ByKind[0].TotalCount() != 8 || res.ByKind[1].TotalCount() != 2 {
		t.Errorf("%d gets, %d deletes, %d wrong: %s", res.ByKind[0].TotalCount(), res.ByKind[1].TotalCount(), res.Errors, res.FirstError)
	}
}

func TestBadOptions(t *testing.T) {
	kinds := []Kind{{Name: "get", Status: 200}}
	for _, o := range []Options{
		{},
		{Addr: "127.0.0.1:1", Kinds: kinds, Script: get("/", ""), Duration: time.Second},
		{Addr: "127.0.0.1:1", Conns: 1, Duration: time.Second},
		{Addr: "127.0.0.1:1", Conns: 1, Kinds: kinds, Script: get("/", "")},
		{Addr: "localhost:1", Conns: 1, Kinds: kinds, Script: get("/", ""), Duration: time.Second},
		{Addr: "127.0.0.1:1", Conns: 1, Kinds: kinds, Script: get("/", ""), Duration: time.Second, Rate: 1, PerConn: 1},
	} {
		if _, err := Run(context.Background(), o); err == nil {
			t.Errorf("Run accepts %+v", o)
		}
	}
}
