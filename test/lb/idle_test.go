package lb

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// resident is the memory of a process, in bytes.
func resident(t *testing.T, pid int) (n int64) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			if _, err := fmt.Sscanf(rest, "%d", &n); err != nil {
				t.Fatal(err)
			}
		}
	}
	return n << 10
}

// TestIdleConnections: ten thousand clients that have asked once and say nothing are
// bounded in memory, and nobody's problem.
func TestIdleConnections(t *testing.T) {
	const clients = 10_000
	_, addrs := three(t)
	b := balance(t, free(t), addrs, "--client-conns", "off", "--max-conns", "15000")
	l := begin(t, b.addr, steady)
	during(time.Second)
	before := resident(t, b.cmd.Process.Pid)
	conns := make([]net.Conn, clients)
	var wg sync.WaitGroup
	errs := make(chan error, clients)
	for part := range 8 {
		wg.Go(func() {
			buf := make([]byte, 4096)
			for i := part; i < clients; i += 8 {
				c, err := net.Dial("tcp", b.addr)
				if err != nil {
					errs <- err
					return
				}
				conns[i] = c
				io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
				if _, err := c.Read(buf); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	defer func() {
		for _, c := range conns {
			if c != nil {
				c.Close()
			}
		}
	}()
	close(errs)
	for err := range errs {
		t.Fatal(err)
	}
	each := (resident(t, b.cmd.Process.Pid) - before) / clients
	open := b.status().Connections
	from := l.now()
	during(time.Second)
	results := l.end()
	none(t, "requests failed", failed(results))
	usual, meanwhile := p(between(results, 0, time.Second), 0.99), p(between(results, from, time.Hour), 0.99)
	if open < clients || float64(each) > 8<<10*lenient(2) || meanwhile > times(max(10*usual, 100*time.Millisecond), lenient(5)) {
		t.Errorf("%d connections, %d bytes each; p99 of others %s before, %s meanwhile", open, each, usual, meanwhile)
	}
	t.Logf("%d connections, %.1f KB each; others meanwhile: %d requests, 0 failed, p99 %s",
		open, float64(each)/1024, len(results), milliseconds(meanwhile))
}
