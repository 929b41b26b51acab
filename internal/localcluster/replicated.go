package localcluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// ReplicatedOptions are of a primary with streaming replicas.
type ReplicatedOptions struct {
	Options // of every node
	// SyncNames is synchronous_standby_names of the primary, as "ANY 1 (*)".
	// Replicas call themselves by their Name.
	SyncNames string
	// Slots gives each replica a replication slot. Without, the primary keeps
	// 512 MB of log for those that are late.
	Slots bool
}

// Replicated is a primary and its replicas, without anything that would
// promote one: tests do that themselves. Each replica's way to its primary
// leads through a relay (Link).
type Replicated struct {
	opts ReplicatedOptions

	mu      sync.Mutex
	nodes   []*Postgres
	links   []*Relay // by node; nil for the first primary until it is made a replica
	primary int
}

// StartReplicated starts a primary and n replicas that follow it.
func StartReplicated(ctx context.Context, n int, opts ReplicatedOptions) (*Replicated, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	c := &Replicated{opts: opts}
	if err := c.start(ctx, n); err != nil {
		_ = c.Destroy()
		return nil, err
	}
	return c, nil
}

func (c *Replicated) start(ctx context.Context, n int) error {
	for range n + 1 {
		p, err := newPostgres(c.opts.Options)
		if err != nil {
			return err
		}
		p.settings["wal_retrieve_retry_interval"] = "100ms" // 5 s is long for a test
		if !c.opts.Slots {
			p.settings["wal_keep_size"] = "512MB"
		}
		c.nodes = append(c.nodes, p)
		c.links = append(c.links, nil)
	}
	first := c.nodes[0]
	if err := layOut(ctx, first.as, first.bin, first.dir, first.data, c.opts.initArgs()); err != nil {
		return err
	}
	// A copy of a cluster that is shut down is a replica that has nothing to
	// catch up with: much faster than a base backup.
	for _, p := range c.nodes[1:] {
		if err := copyTree(first.data, p.data); err != nil {
			return err
		}
	}
	if err := first.startFirst(ctx); err != nil {
		return err
	}
	for i := range c.nodes[1:] {
		if err := c.follow(ctx, i+1); err != nil {
			return err
		}
	}
	if err := c.each(func(i int, p *Postgres) error { return p.Start(ctx) }); err != nil {
		return err
	}
	if err := c.WaitStreaming(ctx); err != nil {
		return err
	}
	if c.opts.SyncNames != "" {
		return first.Set(ctx, "synchronous_standby_names", c.opts.SyncNames)
	}
	return nil
}

// follow makes node i, which has data and is down, a replica of the primary.
func (c *Replicated) follow(ctx context.Context, i int) error {
	p, primary := c.nodes[i], c.nodes[c.primary]
	if c.links[i] == nil {
		r, err := NewRelay(primary.Addr())
		if err != nil {
			return err
		}
		c.links[i] = r
	}
	c.links[i].Target(primary.Addr())
	info := fmt.Sprintf("host=127.0.0.1 port=%s user=postgres application_name=%s", c.links[i].port, p.name)
	if p.opts.Password != "" {
		info += " password=" + quoteConninfo(p.opts.Password)
	}
	p.mu.Lock()
	p.settings["primary_conninfo"] = info
	delete(p.settings, "synchronous_standby_names")
	if c.opts.Slots {
		p.settings["primary_slot_name"] = slotOf(p)
	}
	p.mu.Unlock()
	if c.opts.Slots {
		if err := primary.addSlot(ctx, slotOf(p)); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(p.data, "standby.signal"), nil, 0o600); err != nil {
		return fmt.Errorf("localcluster: %w", err)
	}
	return p.as.own(p.data)
}

func slotOf(p *Postgres) string { return strings.ReplaceAll(p.name, "-", "_") }

func quoteConninfo(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

func (p *Postgres) addSlot(ctx context.Context, slot string) error {
	_, err := p.Exec(ctx, "SELECT pg_create_physical_replication_slot("+quote(slot)+", true)"+
		" WHERE NOT EXISTS (SELECT 1 FROM pg_replication_slots WHERE slot_name = "+quote(slot)+")")
	return err
}

// Primary is the node that was made primary last, be it alive or not.
func (c *Replicated) Primary() *Postgres {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nodes[c.primary]
}

// Node is the i-th; 0 is the first primary.
func (c *Replicated) Node(i int) *Postgres { return c.nodes[i] }

// Nodes are all of them.
func (c *Replicated) Nodes() []*Postgres { return c.nodes }

// Link is the way of replica i to its primary.
func (c *Replicated) Link(i int) *Relay {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.links[i]
}

// URL names every node.
func (c *Replicated) URL(db, user string) string {
	var addrs []string
	for _, p := range c.nodes {
		addrs = append(addrs, p.Addr())
	}
	return dbURL(strings.Join(addrs, ","), db, user, c.opts.passwordOf(user))
}

// WaitStreaming returns when every replica that is up streams from the primary.
func (c *Replicated) WaitStreaming(ctx context.Context) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	var up []string
	for _, p := range c.nodes {
		if p != c.Primary() && p.Pid() != 0 {
			up = append(up, quote(p.name))
		}
	}
	if len(up) == 0 {
		return nil
	}
	question := "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND application_name IN (" + strings.Join(up, ", ") + ")"
	a := c.Primary().Asker()
	defer a.Close()
	return until(ctx, 5*time.Millisecond, "replicas to stream", func() (bool, error) {
		n, err := a.Ask(ctx, question)
		return n == fmt.Sprint(len(up)), err
	})
}

// WaitReplayed returns when every replica that is up shows all that the primary
// has committed until now.
func (c *Replicated) WaitReplayed(ctx context.Context) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	lsn, err := c.Primary().Exec(ctx, "SELECT pg_current_wal_flush_lsn()")
	if err != nil {
		return err
	}
	return c.each(func(i int, p *Postgres) error {
		if p == c.Primary() || p.Pid() == 0 {
			return nil
		}
		a := p.Asker()
		defer a.Close()
		return until(ctx, 2*time.Millisecond, p.name+" to replay "+lsn, func() (bool, error) {
			yes, err := a.Ask(ctx, "SELECT pg_last_wal_replay_lsn() >= "+quote(lsn))
			return yes == "t", err
		})
	})
}

// Promote makes node i the primary and sends the other replicas to it. The old
// primary is left as it is: two that take writes, if the test has left it alive.
func (c *Replicated) Promote(ctx context.Context, i int) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	if err := c.nodes[i].Promote(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.primary = i
	for j, p := range c.nodes {
		if j == i || c.links[j] == nil || p.Pid() == 0 {
			continue
		}
		if c.opts.Slots {
			if err := c.nodes[i].addSlot(ctx, slotOf(p)); err != nil {
				return err
			}
		}
		c.links[j].Target(c.nodes[i].Addr())
		c.links[j].Cut()
	}
	return nil
}

// Clone makes node i, in whatever state, a fresh replica of the primary from a
// base backup.
func (c *Replicated) Clone(ctx context.Context, i int) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	p, primary := c.nodes[i], c.Primary()
	if p == primary {
		return fmt.Errorf("localcluster: %s is the primary", p.name)
	}
	if err := p.Kill(); err != nil {
		return err
	}
	if err := p.wipe(); err != nil {
		return err
	}
	err := run(ctx, p.as, p.dir, p.log(), nil, filepath.Join(p.bin, "pg_basebackup"), "-D", p.data, "-U", "postgres",
		"-h", primary.dir, "-p", primary.port.String(), "-X", "stream", "-c", "fast", "--no-sync")
	if err != nil {
		return err
	}
	c.mu.Lock()
	err = c.follow(ctx, i)
	c.mu.Unlock()
	if err != nil {
		return err
	}
	if err := p.Start(ctx); err != nil {
		return err
	}
	return c.WaitStreaming(ctx)
}

// Destroy ends everything and deletes it.
func (c *Replicated) Destroy() error {
	err := c.each(func(_ int, p *Postgres) error { return p.Destroy() })
	for _, r := range c.links {
		if r != nil {
			r.Close()
		}
	}
	return err
}

// each does it for all nodes at once.
func (c *Replicated) each(do func(int, *Postgres) error) error {
	errs := make([]error, len(c.nodes))
	var all sync.WaitGroup
	for i, p := range c.nodes {
		all.Go(func() { errs[i] = do(i, p) })
	}
	all.Wait()
	return errors.Join(errs...)
}
