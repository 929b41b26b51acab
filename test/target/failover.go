package target

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pandobase/pando/internal/localcluster"
)

// Fork is where the log of a primary that was replaced and that of its successor part.
type Fork struct {
	Old *localcluster.Postgres // it runs, and no member reaches it
	LSN string                 // up to which what it has is the successor's too
}

// FailoverOptions are of one.
type FailoverOptions struct {
	// Frozen has the old primary frozen, for so long after another has its place, and thawed:
	// it takes itself for the primary twice as long, which gives who reaches nobody else the time
	// to find it again, and is killed. 0: it is killed at once.
	Frozen time.Duration
	// Behind reaches no node but the old primary as long as that lives.
	Behind *Member
	// Begun is called when the new primary is there, before any member reaches it.
	Begun func() error
	// Ended is called when the old one is alone with its log.
	Ended func(Fork) error
}

// Failover takes the place of a primary, whose commits wait for a replica, from it: the replica
// that has the most of its log, which is all that was answered, is promoted, and the old primary
// made its replica. Nothing is lost by it that anybody was answered, or that SQL has done.
func (c *Cluster) Failover(ctx context.Context, o FailoverOptions) error {
	was := c.leader()
	old := c.Node(was)
	if o.Frozen == 0 {
		o.Behind = nil
	}
	heir, err := c.replace(ctx, was, o)
	if err != nil {
		return err
	}
	if o.Frozen > 0 {
		wait(ctx, o.Frozen)
		if err := old.Thaw(); err != nil {
			return err
		}
		wait(ctx, 2*o.Frozen)
		if err := old.Kill(); err != nil {
			return err
		}
	}
	c.hide(was)
	if o.Behind != nil {
		if err := o.Behind.Heal(); err != nil {
			return err
		}
		o.Behind.ToNode[was].Down()
	}
	if err := old.Start(ctx); err != nil {
		return err
	}
	lsn, err := forkOf(ctx, heir)
	if err == nil {
		err = o.Ended(Fork{old, lsn})
	}
	if err == nil {
		err = c.Clone(ctx, was)
	}
	return errors.Join(err, c.show(was, nil))
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// replace stops the old primary and has a replica take its place.
func (c *Cluster) replace(ctx context.Context, was int, o FailoverOptions) (*localcluster.Postgres, error) {
	c.beside.Lock() // what is answered from here on is answered by members
	defer c.beside.Unlock()
	// Some commits of SQL wait for nothing.
	if err := c.received(ctx); err != nil {
		return nil, err
	}
	c.failovers.Add(1)
	stop := c.Node(was).Kill
	if o.Frozen > 0 {
		stop = c.Node(was).Freeze
	}
	if err := stop(); err != nil {
		return nil, err
	}
	i, _, err := c.furthest(ctx)
	if err != nil {
		return nil, err
	}
	c.hide(i)
	if o.Behind != nil {
		for node := range c.Nodes() {
			if node != was {
				o.Behind.ToNode[node].Down()
			}
		}
	}
	if err := c.Promote(ctx, i); err != nil {
		return nil, err
	}
	if err := c.synchronous(ctx); err != nil {
		return nil, err
	}
	return c.Node(i), errors.Join(o.Begun(), c.show(i, o.Behind))
}

// Failovers is how many there were.
func (c *Cluster) Failovers() int64 { return c.failovers.Load() }

// ToPrimary is a member's way to it.
func (c *Cluster) ToPrimary(m *Member) *localcluster.Relay { return m.ToNode[c.leader()] }

// leader is the primary, by its number.
func (c *Cluster) leader() int { return slices.Index(c.Nodes(), c.Primary()) }

// hide has no member reach a node.
func (c *Cluster) hide(node int) {
	for _, m := range c.Members {
		m.ToNode[node].Down()
	}
}

// show ends that for all but one.
func (c *Cluster) show(node int, but *Member) error {
	for _, m := range c.Members {
		if m == but {
			continue
		}
		if err := m.ToNode[node].Up(); err != nil {
			return err
		}
	}
	return nil
}

// synchronous has commits wait for the last replica, or, if that is away, for the one before.
func (c *Cluster) synchronous(ctx context.Context) error {
	var names []string
	for _, n := range slices.Backward(c.Nodes()) {
		if n != c.Primary() {
			names = append(names, `"`+n.Name()+`"`)
		}
	}
	return c.Primary().Set(ctx, "synchronous_standby_names", "FIRST 1 ("+strings.Join(names, ", ")+")")
}

// received waits until a replica has all of the primary's log up to now.
func (c *Cluster) received(ctx context.Context) error {
	text, err := c.Primary().Exec(ctx, "SELECT pg_current_wal_flush_lsn() - '0/0'")
	if err != nil {
		return err
	}
	end, err := strconv.ParseInt(text, 10, 64)
	for has := int64(-1); err == nil && has < end; {
		if err = ctx.Err(); err == nil {
			_, has, err = c.furthest(ctx)
		}
	}
	return err
}

// furthest is the replica that has the most of the log, and how much that is.
func (c *Cluster) furthest(ctx context.Context) (node int, has int64, err error) {
	node = -1
	for i, n := range c.Nodes() {
		if i == c.leader() {
			continue
		}
		text, err := n.Exec(ctx, "SELECT greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) - '0/0'")
		if err != nil {
			return 0, 0, err
		}
		lsn, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0, 0, err
		}
		if node < 0 || lsn > has {
			node, has = i, lsn
		}
	}
	return node, has, nil
}

// forkOf is where the timeline of a primary began, by its history file: lines of the parent, the
// LSN and why, the last one last.
func forkOf(ctx context.Context, primary *localcluster.Postgres) (lsn string, err error) {
	tli, err := primary.Timeline(ctx)
	if err != nil {
		return "", err
	}
	text, err := primary.Exec(ctx, fmt.Sprintf("SELECT pg_read_file('pg_wal/%08X.history')", tli))
	if err != nil {
		return "", err
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	fields := strings.Fields(lines[len(lines)-1])
	if len(fields) < 2 {
		return "", fmt.Errorf("target: the history of timeline %d is %q", tli, text)
	}
	return fields[1], nil
}
