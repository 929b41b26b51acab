package localcluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Patroni is a cluster of PostgreSQL nodes that elect their primary. Who it is
// stands in etcd.
type Patroni struct {
	Etcd  *Etcd
	nodes []*PatroniNode
	scope string
	sync  bool
}

// StartPatroni starts etcd and n nodes, and returns when one is the primary, the
// others stream from it and, in synchronous mode, commits wait for one of them.
func StartPatroni(ctx context.Context, n int, opts PatroniOptions) (*Patroni, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	adopt()
	c := &Patroni{sync: !opts.Async && n > 1}
	if err := c.start(ctx, n, opts); err != nil {
		logs := ""
		for _, node := range c.nodes {
			logs += "\n" + node.name + ":\n" + node.Log()
		}
		return nil, errors.Join(fmt.Errorf("%w%s", err, logs), c.Destroy())
	}
	return c, nil
}

func (c *Patroni) start(ctx context.Context, n int, opts PatroniOptions) (err error) {
	if c.Etcd, err = StartEtcd(ctx); err != nil {
		return err
	}
	c.scope = c.Etcd.name
	for range n {
		node, err := newPatroniNode(c.scope, c.Etcd.Addr(), opts)
		if err != nil {
			return err
		}
		c.nodes = append(c.nodes, node)
	}
	for _, node := range c.nodes {
		if err := node.Start(ctx); err != nil {
			return err
		}
	}
	return c.WaitReady(ctx)
}

// Nodes are all of them, whatever their roles.
func (c *Patroni) Nodes() []*PatroniNode { return c.nodes }

// Scope is the name that patronictl knows the cluster by.
func (c *Patroni) Scope() string { return c.scope }

// URL names every node.
func (c *Patroni) URL(db, user string) string {
	var addrs []string
	for _, n := range c.nodes {
		addrs = append(addrs, n.Addr())
	}
	return dbURL(strings.Join(addrs, ","), db, user, c.nodes[0].opts.passwordOf(user))
}

// Leader is who holds the lock, nil if nobody does.
func (c *Patroni) Leader(ctx context.Context) (*PatroniNode, error) {
	name, err := c.Etcd.Get(ctx, "/service/"+c.scope+"/leader")
	if err != nil {
		return nil, err
	}
	return c.named(name), nil
}

// WaitLeader returns who holds the lock and takes writes, other than the ones given.
func (c *Patroni) WaitLeader(ctx context.Context, other ...*PatroniNode) (leader *PatroniNode, err error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	ask, end := askers()
	defer end()
	err = until(ctx, 10*time.Millisecond, "a leader", func() (bool, error) {
		n, err := c.Leader(ctx)
		if err != nil || n == nil {
			return false, nil
		}
		leader = n
		return !slices.Contains(other, n) && ask(ctx, n, "SELECT NOT pg_is_in_recovery()"), nil
	})
	return leader, err
}

// askers asks nodes questions of yes or no. One that does not answer says no.
func askers() (ask func(ctx context.Context, n *PatroniNode, question string) bool, end func()) {
	by := map[*PatroniNode]*Asker{}
	ask = func(ctx context.Context, n *PatroniNode, question string) bool {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if by[n] == nil {
			by[n] = n.Asker()
		}
		yes, err := by[n].Ask(ctx, question)
		return err == nil && yes == "t"
	}
	return ask, func() {
		for _, a := range by {
			a.Close()
		}
	}
}

// WaitReady returns when there is a leader, every other node that is up streams
// from it, and one of them is synchronous if it should be.
func (c *Patroni) WaitReady(ctx context.Context) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	ask, end := askers()
	defer end()
	return until(ctx, 50*time.Millisecond, "the cluster to be whole", func() (bool, error) {
		leader, err := c.Leader(ctx)
		if err != nil || leader == nil {
			return false, nil
		}
		replicas := -1
		for _, n := range c.nodes {
			if n.Up() {
				replicas++
			}
		}
		if !ask(ctx, leader, fmt.Sprintf("SELECT NOT pg_is_in_recovery() AND count(*) >= %d FROM pg_stat_replication WHERE state = 'streaming'", replicas)) {
			return false, nil
		}
		// The clone that pg_basebackup makes streams, too, and is no replica yet.
		for _, n := range c.nodes {
			if n != leader && n.Up() && !ask(ctx, n, "SELECT status = 'streaming' FROM pg_stat_wal_receiver") {
				return false, nil
			}
		}
		if !c.sync || replicas == 0 {
			return true, nil
		}
		// Commits of the leader wait for a replica, and the cluster knows which.
		standby, err := c.SyncStandby(ctx)
		return err == nil && standby != nil &&
			ask(ctx, leader, "SELECT count(*) > 0 FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')"), nil
	})
}

// SyncStandby is the replica that has every answered commit, nil if there is
// none. In synchronous mode only this one may become the leader.
func (c *Patroni) SyncStandby(ctx context.Context) (*PatroniNode, error) {
	text, err := c.Etcd.Get(ctx, "/service/"+c.scope+"/sync")
	if err != nil || text == "" {
		return nil, err
	}
	var state struct {
		Standby string `json:"sync_standby"`
	}
	if err := json.Unmarshal([]byte(text), &state); err != nil {
		return nil, fmt.Errorf("localcluster: the key sync of %s: %w", c.scope, err)
	}
	return c.named(state.Standby), nil
}

func (c *Patroni) named(name string) *PatroniNode {
	i := slices.IndexFunc(c.nodes, func(n *PatroniNode) bool { return n.name == name })
	if i < 0 {
		return nil
	}
	return c.nodes[i]
}

// Ctl runs patronictl with the configuration of a node that is up, and answers
// what it printed.
func (c *Patroni) Ctl(ctx context.Context, args ...string) (string, error) {
	for _, n := range c.nodes {
		if n.Up() {
			return n.ctl(ctx, args...)
		}
	}
	return "", errors.New("localcluster: no node is up")
}

// Switchover makes another node the leader, as planned work does, and returns
// when it takes writes. If to is nil, Patroni chooses; in synchronous mode it
// has to be SyncStandby.
func (c *Patroni) Switchover(ctx context.Context, to *PatroniNode) error {
	from, err := c.WaitLeader(ctx)
	if err != nil {
		return err
	}
	wish := map[string]string{"leader": from.name}
	if to != nil {
		wish["candidate"] = to.name
	}
	body, _ := json.Marshal(wish)
	if err := call(ctx, "POST", "http://"+from.rest.Addr()+"/switchover", body, nil); err != nil {
		return err
	}
	_, err = c.WaitLeader(ctx, from)
	return err
}

// Configure changes settings of the cluster, given as JSON, at run time.
func (c *Patroni) Configure(ctx context.Context, patch string) error {
	leader, err := c.WaitLeader(ctx)
	if err != nil {
		return err
	}
	return call(ctx, "PATCH", "http://"+leader.rest.Addr()+"/config", []byte(patch), nil)
}

// Destroy ends everything and deletes it.
func (c *Patroni) Destroy() error {
	errs := make([]error, len(c.nodes)+1)
	var all sync.WaitGroup
	for i, n := range c.nodes {
		all.Go(func() { errs[i] = n.Destroy() })
	}
	all.Wait()
	if c.Etcd != nil {
		errs[len(c.nodes)] = c.Etcd.Destroy()
	}
	return errors.Join(errs...)
}
