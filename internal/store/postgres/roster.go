package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/registry"
)

// Roster is the rows of members as somebody sees them who is none: a load balancer,
// or an operator. It takes no more than the right to read _pando_members, and to mark
// or remove a row the right to do that.
type Roster struct {
	url   string
	hosts []*rosterHost
}

// rosterHost is one host of the database, over one connection.
type rosterHost struct {
	name string
	pool *pool

	mu    sync.Mutex
	until time.Time // it is not asked before then, since it did not answer
}

const (
	rosterPool  = 1
	rosterShun  = 2 * time.Second        // for how long a host is left alone that did not answer
	rosterGrace = 300 * time.Millisecond // for how long others are waited for once a primary has answered
)

// OpenRoster reads a database URL. Nothing is connected before it is asked.
func OpenRoster(url string) (*Roster, error) {
	opts := Options{URL: url}
	opts.complete()
	addresses, err := parseURL(url, &opts)
	if err != nil {
		return nil, err
	}
	r := &Roster{url: url}
	for _, a := range addresses {
		r.hosts = append(r.hosts, &rosterHost{name: a.host, pool: newPool(a.cfg, rosterPool, opts.PoolWait, nil)})
	}
	return r, nil
}

// Close ends the connections.
func (r *Roster) Close() error {
	for _, h := range r.hosts {
		h.pool.retire(false)
		h.pool.drain()
	}
	return nil
}

// said is what one host says.
type said struct {
	host     *rosterHost
	members  []registry.Member
	timeline string // "" of a replica
	err      error
}

// Members are all rows: those of the primary, of the newest one if several say that
// they are it; and those of a replica if there is none.
func (r *Roster) Members(ctx context.Context) ([]registry.Member, error) {
	best, err := r.best(ctx)
	return best.members, err
}

func (r *Roster) best(ctx context.Context) (said, error) {
	now := time.Now()
	hosts := slices.DeleteFunc(slices.Clone(r.hosts), func(h *rosterHost) bool { return h.shunned(now) })
	if len(hosts) == 0 {
		hosts = r.hosts
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan said, len(hosts))
	for _, h := range hosts {
		go func() { answers <- h.members(ctx) }()
	}
	var best *said
	var problems []error
	var over <-chan time.Time
	for left := len(hosts); left > 0; left-- {
		select {
		case s := <-answers:
			if s.err != nil {
				problems = append(problems, fmt.Errorf("%s: %s", s.host.name, maskIn(shortReason(s.err), r.url)))
				if ctx.Err() == nil {
					s.host.shun()
				}
				continue
			}
			if best == nil || s.timeline > best.timeline {
				best = &s
			}
			if s.timeline != "" && over == nil {
				over = time.After(rosterGrace)
			}
		case <-over:
			left = 0
		}
	}
	if best == nil {
		return said{}, &pando.Error{
			Kind: pando.KindUnavailable, Err: errors.Join(problems...),
			Message: "The rows of the cluster's servers cannot be read at " + Mask(r.url) + ". Check its hosts, and that the role may read them (`pando doctor` prints the GRANT); they are there once a server of the cluster has been started.",
		}
	}
	return *best, nil
}

func (h *rosterHost) shunned(now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return now.Before(h.until)
}

func (h *rosterHost) shun() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.until = time.Now().Add(rosterShun)
}

const timelineSQL = "SELECT CASE WHEN pg_is_in_recovery() THEN '' ELSE substr(pg_walfile_name(pg_current_wal_flush_lsn()), 1, 8) END"

func (h *rosterHost) members(ctx context.Context) said {
	s := said{host: h}
	s.err = h.use(ctx, func(c *conn) error {
		err := c.each(ctx, timelineSQL, func(v [][]byte) error {
			s.timeline = string(v[0])
			return nil
		})
		if err != nil {
			return err
		}
		return c.run(ctx, &query{text: true, once: true, sql: membersSQL + " ORDER BY id", row: memberRow(&s.members)})
	})
	return s
}

func (h *rosterHost) use(ctx context.Context, f func(*conn) error) error {
	c, err := h.pool.acquire(ctx)
	if err != nil {
		return err
	}
	defer h.pool.release(c)
	return f(c)
}

// change runs a statement on the primary, and tells how many rows it was about.
func (r *Roster) change(ctx context.Context, sql string, args ...string) (rows int, err error) {
	best, err := r.best(ctx)
	if err != nil {
		return 0, err
	}
	if best.timeline == "" {
		return 0, noPrimary(errNoPrimary)
	}
	q := &query{sql: sql, args: texts(args...), once: true}
	err = best.host.use(ctx, func(c *conn) error { return c.run(ctx, q) })
	return int(q.rows()), err
}

// Drain marks the row of that id, or takes the mark off; false if there is none.
func (r *Roster) Drain(ctx context.Context, id string, yes bool) (bool, error) {
	text := "false"
	if yes {
		text = "true"
	}
	rows, err := r.change(ctx, drainSQL, id, text)
	return rows == 1, err
}

// Remove removes a row if it still is as it was seen: of that process, with that beat.
func (r *Roster) Remove(ctx context.Context, m registry.Member) (bool, error) {
	rows, err := r.change(ctx, "DELETE FROM _pando_members WHERE id = $1 AND boot = $2 AND beat = $3::bigint", m.ID, m.Boot, number(m.Beat))
	return rows == 1, err
}
