package postgres

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestFewAreMadeAtOnce: of many who want a connection, most get one that others have used.
func TestFewAreMadeAtOnce(t *testing.T) {
	s, _ := fresh(t, Options{})
	cfg := s.hosts[0].cfg.Copy()
	dial := cfg.DialFunc
	var now, most atomic.Int32
	cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		defer now.Add(-1)
		for n := now.Add(1); ; {
			if m := most.Load(); n <= m || most.CompareAndSwap(m, n) {
				break
			}
		}
		return dial(ctx, network, address)
	}
	p := newPool(cfg, 32, time.Minute, nil)
	defer p.drain()
	defer p.retire(false)
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			c, err := p.acquire(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			defer p.release(c)
			if err := c.exec(t.Context(), "SELECT 1"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := most.Load(); n > openAtOnce {
		t.Errorf("%d were made at once", n)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.used)+len(p.waiting) > 0 || len(p.idle) == 0 || len(p.idle) > 32 {
		t.Errorf("%d are in use, %d idle, and %d wait", len(p.used), len(p.idle), len(p.waiting))
	}
}

// TestAFailureIsToldToOne: each attempt that fails has one of those fail who waited for it,
// and what ends all of them is told to all.
func TestAFailureIsToldToOne(t *testing.T) {
	s, _ := fresh(t, Options{})
	cfg := s.hosts[0].cfg.Copy()
	down := errors.New("down")
	begun := make(chan struct{}, 100)
	var silent atomic.Bool
	cfg.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
		begun <- struct{}{}
		if silent.Load() {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return nil, down
	}
	p := newPool(cfg, 8, time.Minute, nil)
	defer p.drain()
	ask := func() chan error {
		errs := make(chan error, 8)
		for range cap(errs) {
			go func() { _, err := p.acquire(t.Context()); errs <- err }()
		}
		return errs
	}
	errs := ask()
	for range cap(errs) {
		if err := <-errs; !errors.Is(err, down) {
			t.Error(err)
		}
	}
	for len(begun) > 0 {
		<-begun
	}
	silent.Store(true)
	errs = ask()
	<-begun
	all := func() bool { p.mu.Lock(); defer p.mu.Unlock(); return len(p.waiting) == cap(errs) }
	for deadline := time.Now().Add(10 * time.Second); !all() && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
	}
	if !all() {
		t.Error("not all wait for a host that is silent")
	}
	p.cut()
	for range cap(errs) {
		if err := <-errs; !errors.Is(err, errNodeSilent) {
			t.Error(err)
		}
	}
	p.retire(false)
	if _, err := p.acquire(t.Context()); !errors.Is(err, errPoolClosed) {
		t.Error(err)
	}
}

// TestAHostThatIsSlow: a connection that takes long is not given up for another one, of which
// the host would not make more, unless it does not answer probes either. Who waits is sent to
// look elsewhere, if there is another host, and keeps the place in the queue if there is none.
func TestAHostThatIsSlow(t *testing.T) {
	for name, told := range map[string]error{"sole": nil, "one of several": errSlow, "silent": errNodeSilent} {
		t.Run(name, func(t *testing.T) {
			s, _ := fresh(t, Options{})
			cfg := s.hosts[0].cfg.Copy()
			dial := cfg.DialFunc
			var dials, given atomic.Int32
			free := make(chan struct{})
			cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
				dials.Add(1)
				select {
				case <-free:
				case <-ctx.Done():
					given.Add(1)
					return nil, ctx.Err()
				}
				return dial(ctx, network, address)
			}
			p := newPool(cfg, 32, time.Minute, nil)
			p.silent = func() bool { return told == errNodeSilent }
			p.elsewhere = func() bool { return told == errSlow }
			defer p.drain()
			defer p.retire(false)
			errs := make(chan error, 2*(openAtOnce+openSlowAtOnce))
			for range cap(errs) {
				go func() {
					c, err := p.acquire(t.Context())
					if err == nil {
						p.release(c)
					}
					errs <- err
				}()
			}
			first := cap(errs) // all are told that there is another host
			switch told {
			case errNodeSilent:
				first = openAtOnce // each by an attempt that was given up
			case nil:
				first = 0
				deadline := time.Now().Add(10 * time.Second)
				for ; !inTheMaking(p, openElsewhere+4*openWatch) && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
				}
			}
			for range first {
				if err := <-errs; !errors.Is(err, told) {
					t.Errorf("who waits is told: %v", err)
				}
			}
			if n := dials.Load(); told != errNodeSilent && n != openAtOnce+openSlowAtOnce {
				t.Errorf("%d were begun", n)
			}
			close(free)
			c, err := p.acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			p.release(c)
			for range cap(errs) - first { // they got one, or were told before that
				if err := <-errs; err != nil && (told == nil || !errors.Is(err, told)) {
					t.Error(err)
				}
			}
			if n := given.Load(); (n > 0) != (told == errNodeSilent) {
				t.Errorf("%d were given up", n)
			}
		})
	}
}

// inTheMaking tells whether a connection has been in the making for so long.
func inTheMaking(p *pool, d time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.opening {
		if time.Since(a.began) > d {
			return true
		}
	}
	return false
}

// TestAPoolGrows: who waits while all connections are in use for long has one made.
func TestAPoolGrows(t *testing.T) {
	s, _ := fresh(t, Options{})
	p := newPool(s.hosts[0].cfg.Copy(), 12, 20*time.Second, nil)
	defer p.drain()
	defer p.retire(false)
	var all sync.WaitGroup
	conns := make(chan *conn, cap(p.seats))
	for range cap(p.seats) {
		all.Go(func() {
			c, err := p.acquire(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			conns <- c
		})
	}
	all.Wait() // none was released meanwhile
	close(conns)
	for c := range conns {
		p.release(c)
	}
}

// TestRefusedOnce: a server without TLS is connected to once where the client would rather
// have it, and whoever insists on it is refused.
func TestRefusedOnce(t *testing.T) {
	s, _ := fresh(t, Options{})
	var conns atomic.Int32
	for mode, dials := range map[string]int32{"prefer": 1, "disable": 1, "require": 1} {
		list, err := parseURL(s.opts.URL+"?sslmode="+mode, &Options{dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			conns.Add(1)
			var d net.Dialer
			return d.DialContext(ctx, network, address)
		}})
		if err != nil {
			t.Fatal(err)
		}
		conns.Store(0)
		c, err := connect(t.Context(), list[0].cfg, false)
		if (err != nil) != (mode == "require") {
			t.Errorf("sslmode=%s: %v", mode, err)
		}
		if n := conns.Load(); n != dials {
			t.Errorf("sslmode=%s: %d connections were made", mode, n)
		}
		if err == nil {
			if n, err := c.queryInt(t.Context(), "SELECT 42"); n != 42 || err != nil {
				t.Errorf("sslmode=%s: %d, %v", mode, n, err)
			}
			c.close()
		}
	}
}
