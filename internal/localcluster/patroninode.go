package localcluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// PatroniNode is one machine of a Patroni cluster: Patroni, and the PostgreSQL
// that Patroni starts, stops, promotes and rewinds. Kill, Freeze and Thaw mean
// the whole machine.
type PatroniNode struct {
	*server
	Agent    Part   // Patroni alone
	Database Part   // PostgreSQL alone
	ToEtcd   *Relay // this node's way to etcd

	scope string
	rest  *Port
	agent *program
}

func newPatroniNode(scope, etcd string, opts PatroniOptions) (*PatroniNode, error) {
	s, err := newServer(opts.Options)
	if err != nil {
		return nil, err
	}
	n := &PatroniNode{server: s, scope: scope}
	s.match = []string{s.dir + "/"} // cluster_name is the scope, and of all nodes
	n.Agent, n.Database = Part{[]string{n.config()}}, Part{[]string{s.data}}
	if n.rest, err = ReservePort(); err == nil {
		n.ToEtcd, err = NewRelay(etcd)
	}
	var yml string
	if err == nil {
		yml, err = patroniYML(n, scope, opts)
	}
	if err == nil {
		err = writeOwned(s.as, n.config(), yml)
	}
	if err != nil {
		return nil, err
	}
	return n, nil
}

func (n *PatroniNode) config() string { return filepath.Join(n.dir, "patroni.yml") }

// Start starts Patroni, and does not wait for what it makes of it: it clones the
// leader if the node has no data, rewinds it if it has strayed, and starts it.
func (n *PatroniNode) Start(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.gone {
		return fmt.Errorf("localcluster: %s is destroyed", n.name)
	}
	if n.agent != nil {
		if len(members(n.config())) > 0 {
			return nil
		}
		select {
		case <-n.agent.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	bin, err := find("patroni", "patroni python3-etcd")
	if err != nil {
		return err
	}
	n.agent, err = launch(n.as, n.dir, n.log(), nil, bin, n.config())
	return err
}

// Stop ends Patroni in order: it stops its PostgreSQL, and a leader gives up its
// lock, so that another takes over at once.
func (n *PatroniNode) Stop(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.agent.ended() {
		return nil
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	_ = terminate(n.agent.pid)
	select {
	case <-n.agent.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("localcluster: %s to stop: %w", n.name, ctx.Err())
	}
}

// Lose kills the machine and its disk. Start makes a new one in its place, which
// clones the leader.
func (n *PatroniNode) Lose() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := killAll(n.match...); err != nil {
		return err
	}
	return n.wipe()
}

// Up says whether its Patroni runs, be it frozen.
func (n *PatroniNode) Up() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return !n.agent.ended()
}

// Destroy ends the node for good.
func (n *PatroniNode) Destroy() error {
	err := n.server.Destroy()
	n.ToEtcd.Close()
	n.rest.Release()
	return err
}

// ctl runs patronictl as the node's operator would.
func (n *PatroniNode) ctl(ctx context.Context, args ...string) (string, error) {
	bin, err := find("patronictl", "patroni python3-etcd")
	if err != nil {
		return "", err
	}
	out := filepath.Join(n.dir, "patronictl")
	_ = os.Remove(out)
	// Rows are cut to the width of a terminal, and there is none.
	err = run(ctx, n.as, n.dir, out, []string{"COLUMNS=200", "LC_ALL=C.UTF-8"}, append([]string{bin, "-c", n.config()}, args...)...)
	text, _ := os.ReadFile(out)
	return string(text), err
}
