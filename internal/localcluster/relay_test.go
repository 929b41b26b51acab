package localcluster_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/localcluster"
)

// echo answers each line with itself.
func echo(t *testing.T) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	return ln.Addr().String()
}

// caller is a client that says a line and hears one.
type caller struct {
	net.Conn
	r *bufio.Reader
}

func call(t *testing.T, addr string) caller {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return caller{conn, bufio.NewReader(conn)}
}

func (c caller) say(line string, within time.Duration) (string, error) {
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		return "", err
	}
	return c.hear(within)
}

func (c caller) hear(within time.Duration) (string, error) {
	_ = c.SetReadDeadline(time.Now().Add(within))
	answer, err := c.r.ReadString('\n')
	return strings.TrimSuffix(answer, "\n"), err
}

const long = 10 * time.Second

func TestRelay(t *testing.T) {
	r, err := localcluster.NewRelay(echo(t))
	must(t, err)
	defer r.Close()
	fine := func(c caller) {
		t.Helper()
		if got, err := c.say("hello", long); err != nil || got != "hello" {
			t.Fatalf("heard %q, %v", got, err)
		}
	}
	c := call(t, r.Addr())
	fine(c)
	fine(c)
	if up, down := r.Bytes(); r.Turns() != 2 || r.Accepted() != 1 || r.Open() != 1 || up != 12 || down != 12 {
		t.Errorf("%d turns, %d accepted, %d open, %d and %d bytes", r.Turns(), r.Accepted(), r.Open(), up, down)
	}

	// Delayed: later by the way there and the way back, and not by each byte.
	const late = 50 * time.Millisecond
	r.Delay(late)
	began := time.Now()
	fine(c)
	if took := time.Since(began); took < 2*late {
		t.Errorf("answered after %v", took)
	}

	// Silent: nothing comes, neither on old connections nor on new ones; healed, all of it.
	r.Silence()
	second := call(t, r.Addr())
	for _, c := range []caller{c, second} {
		if got, err := c.say("hello", 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("through a black hole came %q, %v", got, err)
		}
	}
	must(t, r.Heal())
	for _, c := range []caller{c, second} {
		if got, err := c.hear(long); got != "hello" {
			t.Errorf("after it %q, %v", got, err)
		}
	}

	// Cut: reset, and the next is welcome.
	r.Cut()
	if _, err := c.hear(long); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after a cut: %v", err)
	}
	fine(call(t, r.Addr()))

	// Down: refused.
	r.Down()
	if _, err := net.Dial("tcp", r.Addr()); err == nil {
		t.Error("a relay that is down took a connection")
	}
	must(t, r.Up())
	fine(call(t, r.Addr()))

	// An answer is lost on its way.
	var reached atomic.Bool
	r.Watch(func(c localcluster.Chunk) bool { reached.CompareAndSwap(false, c.Up); return c.Up })
	if got, err := call(t, r.Addr()).say("hello", long); err == nil || errors.Is(err, os.ErrDeadlineExceeded) || !reached.Load() {
		t.Errorf("heard %q, %v; the request came: %v", got, err, reached.Load())
	}
	must(t, r.Heal())

	// An orderly end is passed on.
	c = call(t, r.Addr())
	fine(c)
	must(t, c.Conn.(*net.TCPConn).CloseWrite())
	if _, err := c.hear(long); err != io.EOF {
		t.Errorf("after an orderly end: %v", err)
	}
	soon(t, "no connection is left open", func() bool { return r.Open() == 1 }) // the one before Watch
}
