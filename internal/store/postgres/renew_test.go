package postgres

import (
	"bytes"
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pandobase/pando"
)

// reading counts how often the catalog is read, or looked at with what writes go by.
type reading struct {
	net.Conn
	n *atomic.Int32
}

const readingSQL = "LOCK TABLE _pando_meta IN ROW SHARE MODE"

func (r reading) Write(b []byte) (int, error) {
	r.n.Add(int32(bytes.Count(b, []byte(readingSQL))))
	return r.Conn.Write(b)
}

// lockCatalog has nobody read it before unlock is called, as a change of it does.
func lockCatalog(t *testing.T, s *Store) (n *node, unlock func()) {
	t.Helper()
	n, c, err := s.nodes.keeper(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.exec(t.Context(), "BEGIN", "LOCK TABLE _pando_meta IN EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	return n, func() {
		t.Helper()
		defer n.release(c)
		if err := c.exec(t.Context(), "COMMIT"); err != nil {
			t.Error(err)
		}
	}
}

// TestOneReadsTheCatalogForAll: of all who find theirs old at once, one or two read it, and
// go on with that when their client has gone.
func TestOneReadsTheCatalogForAll(t *testing.T) {
	var n atomic.Int32
	s, _ := fresh(t, Options{dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		return reading{c, &n}, err
	}})
	node, unlock := lockCatalog(t, s)
	n.Store(0)
	under := s.now.Load()
	leaving, leave := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() { first <- s.renew(leaving, under) }()
	for deadline := time.Now().Add(10 * time.Second); n.Load() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nobody reads the catalog")
		}
	}
	leave()
	const others = 50
	var all, come sync.WaitGroup
	for range others {
		come.Add(1)
		all.Go(func() {
			come.Done()
			if err := s.renew(t.Context(), under); err != nil {
				t.Error(err)
			}
		})
	}
	come.Wait()
	unlock()
	all.Wait()
	if err := <-first; err != nil {
		t.Errorf("whose client has gone: %v", err)
	}
	// Some may have come only when the second had begun.
	if n := n.Load(); n > others/5 {
		t.Errorf("%d of %d have read the catalog", n, others+1)
	}
	p := node.writes
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.used) > 0 || len(p.idle) == 0 {
		t.Errorf("%d connections are in use, and %d idle", len(p.used), len(p.idle))
	}
}

// TestTheCatalogIsNotReadInTime: who waits is told that the database cannot answer now, and
// not that something went wrong.
func TestTheCatalogIsNotReadInTime(t *testing.T) {
	s, _ := fresh(t, Options{WriteWait: 200 * time.Millisecond})
	_, unlock := lockCatalog(t, s)
	if err := s.renew(t.Context(), s.now.Load()); pando.KindOf(err) != pando.KindUnavailable {
		t.Errorf("%v is of kind %v", err, pando.KindOf(err))
	}
	unlock()
}
