package postgres

import (
	"bytes"
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/internal/store"
)

// lateConn hears of the COMMIT of a change of the collections late, as told by late.
type lateConn struct {
	net.Conn
	late    *late
	changes atomic.Bool
}

type late struct {
	armed          atomic.Bool
	held, released chan struct{}
}

func (c *lateConn) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("UPDATE _pando_meta SET catalog")) {
		c.changes.Store(true)
	}
	return c.Conn.Write(p)
}

func (c *lateConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.changes.Load() && bytes.Contains(p[:n], []byte("COMMIT\x00")) && c.late.armed.CompareAndSwap(true, false) {
		close(c.late.held)
		<-c.late.released
	}
	return n, err
}

// A change of a collection that PostgreSQL has made, and that we have not heard of
// yet, is no reason to refuse who reads.
func TestReadWhileCollectionMoves(t *testing.T) {
	for name, edit := range map[string]func(c *pando.Collection){
		"renamed":           func(c *pando.Collection) { c.Name = "items" },
		"without its field": func(c *pando.Collection) { c.Fields = c.Fields[:2] },
	} {
		for kind, ctx := range map[string]context.Context{"one question": store.One(t.Context()), "several": t.Context()} {
			t.Run(name+", "+kind, func(t *testing.T) {
				l := &late{held: make(chan struct{}), released: make(chan struct{})}
				pg, url := localclustertest.Database(t)
				s := open(t, Options{URL: url, dial: func(ctx context.Context, network, address string) (net.Conn, error) {
					conn, err := new(net.Dialer).DialContext(ctx, network, address)
					return &lateConn{Conn: conn, late: l}, err
				}})
				c := create(t, s, things())
				write(t, s, func(tx store.Tx) error { return tx.Insert(t.Context(), thing(c, "a", "x", 1)) })
				var page store.Page
				read := make(chan error, 1)
				look := func() {
					read <- s.Read(ctx, func(r store.Reader) (err error) {
						page, err = r.Find(ctx, store.Query{Collection: r.Catalog().Collection(c.ID)})
						return err
					})
				}
				written := make(chan error, 1)
				l.armed.Store(true)
				go func() {
					next := c.Clone()
					edit(next)
					asked := false
					_, err := s.Write(t.Context(), func(tx store.Tx) error {
						err := tx.SaveCollection(t.Context(), c, next)
						if err == nil && !asked {
							asked = true
							go look()
							err = waiting(t.Context(), pg, url)
						}
						return err
					})
					written <- err
				}()
				<-l.held
				if err := <-read; err != nil || len(page.Records) != 1 {
					t.Errorf("found %d records: %v", len(page.Records), err)
				}
				close(l.released)
				if err := <-written; err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

// waiting returns when somebody waits for a lock in the database.
func waiting(ctx context.Context, pg *localcluster.Postgres, url string) error {
	name := url[strings.LastIndexByte(url, '/')+1:]
	name, _, _ = strings.Cut(name, "?")
	for {
		n, err := pg.Exec(ctx, "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE NOT granted AND datname = '"+name+"'")
		if err != nil || n != "0" {
			return err
		}
	}
}

// A gate that was moved by a change that was rolled back can be lost in a crash of the
// primary: who knows of it writes on.
func TestLostGate(t *testing.T) {
	s, c := fresh(t, Options{OneShot: true})
	now := s.now.Load()
	s.publish(&current{cat: now.cat, gate: now.gate + 1})
	write(t, s, func(tx store.Tx) error { return tx.Insert(t.Context(), thing(c, "a", "", 0)) })
	if got := s.now.Load().gate; got != now.gate {
		t.Errorf("the gate is %d, not %d", got, now.gate)
	}
	s.publish(&current{cat: now.cat, gate: shut})
	if got := s.now.Load().gate; got != now.gate {
		t.Errorf("one that was not read took its place: %d", got)
	}
}
