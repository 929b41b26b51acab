package postgres

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/position"
)

// node is one life of one host.
type node struct {
	host string
	pool *pool
}

// nodes are the hosts of the database.
type nodes struct {
	s    *Store
	list []*node
}

func (s *Store) openNodes(ctx context.Context) (*nodes, error) {
	k := &nodes{s: s}
	for _, a := range s.hosts {
		size := s.opts.PoolSize
		if size == 0 {
			size = 32
		}
		k.list = append(k.list, &node{a.host, newPool(a.cfg, size, s.opts.PoolWait, s.session())})
	}
	return k, nil
}

// session are the settings of each session.
func (s *Store) session() map[string]string {
	return map[string]string{"statement_timeout": strconv.FormatInt(s.opts.QueryTimeout.Milliseconds(), 10)}
}

// writer is a connection to the primary.
func (k *nodes) writer(ctx context.Context) (*node, *conn, error) {
	var failed error
	for _, n := range k.list {
		c, err := n.pool.acquire(ctx)
		if err == nil {
			return n, c, nil
		}
		failed = errors.Join(failed, err)
	}
	return nil, nil, unavailable(failed)
}

// reader is a connection to a node that shows everything up to need.
func (k *nodes) reader(ctx context.Context, _ position.N, _ bool) (*node, *conn, error) {
	return k.writer(ctx)
}

func (k *nodes) close() {
	for _, n := range k.list {
		n.pool.retire(false)
	}
	for _, n := range k.list {
		n.pool.drain()
	}
}

var _ = time.Second
var _ = pando.KindInvalid

func (n *node) failed(err error) {}

func (n *node) release(c *conn) { n.pool.release(c) }
