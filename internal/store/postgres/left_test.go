package postgres

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// TestLeft: a connection outlives a client that does not wait for its query, unless the
// query goes on for long; one whose time is over ends at once.
func TestLeft(t *testing.T) {
	s, _ := fresh(t, Options{})
	after := func(d time.Duration) func() (context.Context, context.CancelFunc) {
		return func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(t.Context())
			timer := time.AfterFunc(d, cancel)
			return ctx, func() { timer.Stop(); cancel() }
		}
	}
	for name, c := range map[string]struct {
		sql   string
		until func() (context.Context, context.CancelFunc)
		kept  bool
	}{
		"a short query, left": {"SELECT pg_sleep(0.05)", after(20 * time.Millisecond), true},
		"a long query, left":  {"SELECT pg_sleep(60)", after(20 * time.Millisecond), false},
		"a query out of its time": {"SELECT pg_sleep(0.1)", func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(t.Context(), 20*time.Millisecond)
		}, false},
	} {
		run := func(t *testing.T) (kept bool, err error) {
			n, conn, err := s.nodes.reader(t.Context(), 0, true)
			if err != nil {
				t.Fatal(err)
			}
			defer n.release(conn)
			ctx, cancel := c.until()
			defer cancel()
			began := time.Now()
			err = conn.exec(ctx, c.sql)
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("it took %s", took)
			}
			if kept = !conn.broken(); kept && err == nil {
				if err := conn.exec(t.Context(), "SELECT pg_sleep(0.6)"); err != nil { // longer than it was given then
					t.Errorf("the next query: %v", err)
				}
			}
			return kept, err
		}
		t.Run(name, func(t *testing.T) {
			kept, err := run(t)
			// A machine that stands still makes a short query long, but not each time.
			for try := 1; try < 3 && (kept != c.kept || (err == nil) != c.kept); try++ {
				kept, err = run(t)
			}
			if kept != c.kept || (err == nil) != c.kept {
				t.Errorf("%v; the connection is kept: %v", err, kept)
			}
		})
	}
}

// TestLeftWhileItIsMade: a connection that takes longer to be made than a client waits, or
// than it has time, is there for the next one.
func TestLeftWhileItIsMade(t *testing.T) {
	s, _ := fresh(t, Options{})
	for name, left := range map[string]func() (context.Context, context.CancelFunc){
		"gone": func() (context.Context, context.CancelFunc) {
			ctx, leave := context.WithCancel(t.Context())
			time.AfterFunc(10*time.Millisecond, leave)
			return ctx, leave
		},
		"out of time": func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(t.Context(), 10*time.Millisecond)
		},
	} {
		t.Run(name, func(t *testing.T) {
			left, leave := left()
			defer leave()
			cfg := s.hosts[0].cfg.Copy()
			dial := cfg.DialFunc
			cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
				<-left.Done()
				return dial(ctx, network, address)
			}
			p := newPool(cfg, 1, time.Minute, nil)
			defer p.drain()
			defer p.retire(false)
			if _, err := p.acquire(left); !errors.Is(err, left.Err()) {
				t.Fatalf("a client that does not wait: %v", err)
			}
			c, err := p.acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			p.release(c)
			if p.mu.Lock(); p.attempts != 1 {
				t.Errorf("%d connections were made", p.attempts)
			}
			p.mu.Unlock()
		})
	}
}

// TestOutOfTimeWhileItIsMade: a connection that takes long to be made keeps nobody from another.
func TestOutOfTimeWhileItIsMade(t *testing.T) {
	s, _ := fresh(t, Options{})
	cfg := s.hosts[0].cfg.Copy()
	dial := cfg.DialFunc
	var healed atomic.Bool
	cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if !healed.Load() {
			<-ctx.Done()
		}
		return dial(ctx, network, address)
	}
	p := newPool(cfg, 2, time.Minute, nil)
	defer p.drain()
	defer p.retire(false)
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := p.acquire(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a connection that is never made: %v", err)
	}
	healed.Store(true)
	c, err := p.acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p.release(c)
	if p.mu.Lock(); p.attempts != 2 {
		t.Errorf("%d connections were tried", p.attempts)
	}
	p.mu.Unlock()
}
