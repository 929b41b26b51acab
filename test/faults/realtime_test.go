package faults

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestThousandSubscribers sends events to 1,000 clients, of which some never
// read: all others get all events in order.
func TestThousandSubscribers(t *testing.T) {
	const subscribers, deaf, events, size = 1_000, 3, 40, 20_000
	a := start(t)
	a.collection(t, "news", map[string]any{"name": "text", "type": "text", "max": 2 * size})

	// deaf ones: a receive buffer of a few KB, and nobody who reads from it
	for range deaf {
		conn, id := a.rawStream(t, true)
		defer conn.Close()
		a.must(t, a.post(t, "/api/realtime", "", map[string]any{"clientId": id, "subscriptions": []string{"news"}}), 204)
	}
	var ready, all sync.WaitGroup
	var wrong atomic.Int64
	for range subscribers - deaf {
		ready.Add(1)
		all.Go(func() {
			once := sync.OnceFunc(ready.Done)
			defer once()
			conn, id := a.rawStream(t, false)
			if conn == nil {
				return
			}
			defer conn.Close()
			got, err := a.try("POST", "/api/realtime", "", "application/json", strings.NewReader(`{"clientId":"`+id+`","subscriptions":["news/*"]}`))
			if err != nil || got.status != 204 {
				t.Errorf("subscribe: %v %d", err, got.status)
				return
			}
			once()
			if err := conn.expect(events); err != nil && wrong.Add(1) < 5 {
				t.Error(err)
			}
		})
	}
	ready.Wait()
	if t.Failed() {
		return
	}
	began := time.Now()
	padding := strings.Repeat("x", size)
	for i := range events {
		a.create(t, "news", map[string]any{"text": fmt.Sprintf("n%d:%s", i, padding)})
	}
	all.Wait()
	now, peak := a.rss(t)
	t.Logf("%d events of %d KB to %d clients in %s; resident %d MB, at most %d MB",
		events, size>>10, subscribers-deaf, time.Since(began).Round(time.Millisecond), now>>20, peak>>20)
	if n := wrong.Load(); n > 0 {
		t.Errorf("%d clients did not get everything in order", n)
	}
	// More than fits the queue of one who does not read: it is cut off.
	for i := 0; a.metric(t, "pando_realtime_slow_clients_total") < deaf; i++ {
		if i > 1_000 {
			t.Fatal("who never reads is never cut off")
		}
		a.create(t, "news", map[string]any{"text": padding})
	}
	a.healthy(t)
}

// TestSubscriptionMemory subscribes many clients to as much as each may.
func TestSubscriptionMemory(t *testing.T) {
	a := startIn(t, filepath.Join(t.TempDir(), "data"), []string{"GOMEMLIMIT=256MiB"})
	a.collection(t, "news", map[string]any{"name": "text", "type": "text"})
	var names []string
	for i := range 1_000 {
		names = append(names, fmt.Sprintf(`news/%d?options={"query":{"filter":"text = '%s'"}}`, i, strings.Repeat("x", 2_300)))
	}
	refused := 0
	for range 40 {
		conn, id := a.rawStream(t, false)
		defer conn.Close()
		got := a.post(t, "/api/realtime", "", map[string]any{"clientId": id, "subscriptions": names})
		if got.status != 204 {
			isError(t, got, 503)
			refused++
		}
	}
	_, peak := a.rss(t)
	t.Logf("%d of 40 clients refused; at most %d MB", refused, peak>>20)
	if refused == 0 || refused == 40 || peak > 300<<20 {
		t.Errorf("%d of 40 clients refused, the server took %d MB", refused, peak>>20)
	}
	// Somebody modest still gets in when the others have gone.
	conn, id := a.rawStream(t, false)
	defer conn.Close()
	a.must(t, a.post(t, "/api/realtime", "", map[string]any{"clientId": id, "subscriptions": []string{"news/*"}}), 204)
	a.healthy(t)
}

// sseConn reads a stream of events without an http.Client.
type sseConn struct {
	net.Conn
	lines *bufio.Scanner
}

// rawStream connects to realtime.
func (a *api) rawStream(t *testing.T, tiny bool) (*sseConn, string) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(a.URL, "http://"))
	if err != nil {
		t.Error(err)
		return nil, ""
	}
	if tiny {
		conn.(*net.TCPConn).SetReadBuffer(4096)
	}
	io.WriteString(conn, "GET /api/realtime HTTP/1.1\r\nHost: x\r\n\r\n")
	c := &sseConn{conn, bufio.NewScanner(conn)}
	c.lines.Buffer(make([]byte, 4096), 1<<20)
	conn.SetDeadline(time.Now().Add(time.Minute))
	for c.lines.Scan() {
		if id := field(c.lines.Bytes(), "clientId"); id != "" {
			return c, id
		}
	}
	t.Errorf("no PB_CONNECT: %v", c.lines.Err())
	return nil, ""
}

// expect reads n events that must come in order.
func (c *sseConn) expect(n int) error {
	next := 0
	for next < n && c.lines.Scan() {
		data, ok := strings.CutPrefix(c.lines.Text(), "data:")
		if !ok {
			continue
		}
		text := field([]byte(data), "text")
		if got, _, _ := strings.Cut(text, ":"); got != fmt.Sprint("n", next) {
			return fmt.Errorf("event %d is %.40s", next, data)
		}
		next++
	}
	if next < n {
		return fmt.Errorf("%d events of %d, then %v", next, n, c.lines.Err())
	}
	return nil
}
