package lb

import (
	"context"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestFloods: clients that send headers without end, and bodies without end to a server
// that reads none of them, cost the load balancer little memory, and others nothing.
func TestFloods(t *testing.T) {
	_, addrs := three(t)
	b := balance(t, free(t), addrs, "--client-conns", "off")
	l := begin(t, b.addr, steady)
	during(time.Second)
	before := resident(t, b.cmd.Process.Pid)
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var sent atomic.Int64
	const each = 25
	for kind, f := range map[string]struct{ first, more string }{
		"a header":  {"GET / HTTP/1.1\r\nHost: x\r\nX: ", strings.Repeat("a", 32<<10)},
		"headers":   {"GET / HTTP/1.1\r\nHost: x\r\n", strings.Repeat("X: a\r\n", 5<<10)},
		"a body":    {"POST /stream HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000000\r\n\r\n", strings.Repeat("a", 32<<10)},
		"of pieces": {"POST /stream HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", "8000\r\n" + strings.Repeat("a", 32<<10) + "\r\n"},
	} {
		for range each {
			all.Go(func() {
				for ctx.Err() == nil { // who is thrown out comes again
					if n, err := flood(ctx, b.addr, f.first, f.more); err != nil {
						t.Errorf("%s: %v", kind, err)
						return
					} else {
						sent.Add(n)
					}
					during(200 * time.Millisecond)
				}
			})
		}
	}
	from, most := l.now(), int64(0)
	for l.now() < from+2*time.Second {
		during(100 * time.Millisecond)
		most = max(most, resident(t, b.cmd.Process.Pid)-before)
	}
	to := l.now()
	stop()
	all.Wait()
	results := l.end()
	none(t, "requests failed", failed(results))
	usual, meanwhile := p(between(results, 0, from), 0.99), p(between(results, from, to), 0.99)
	// Nothing is kept for long: what a header takes until it is too long is 64 KB, and the
	// rest is garbage that has not been collected yet.
	if float64(most) > 4*each*(1<<20)*lenient(2.5) || meanwhile > times(max(10*usual, 100*time.Millisecond), lenient(20)) {
		t.Errorf("%d KB a connection; p99 of others %s before, %s meanwhile", most/1024/4/each, usual, meanwhile)
	}
	t.Logf("%d connections sent %d MB and took %d KB each at most; others meanwhile: %d requests, p99 %s, %s before",
		4*each, sent.Load()>>20, most/1024/4/each, len(between(results, from, to)), milliseconds(meanwhile), milliseconds(usual))
}

// flood sends without end, until it is thrown out or ctx ends.
func flood(ctx context.Context, addr, first, more string) (sent int64, err error) {
	c, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	go io.Copy(io.Discard, c) // ends with the connection
	if _, err := io.WriteString(c, first); err != nil {
		return 0, nil
	}
	for {
		n, err := io.WriteString(c, more)
		if sent += int64(n); err != nil {
			return sent, nil
		}
		runtime.Gosched() // those who are measured are of this process too
	}
}
