package server

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/registry"
	"github.com/pandobase/pando/internal/store/postgres"
)

// Node is one web server of a cluster, as the database has it.
type Node struct {
	ID       string  `json:"id"`
	Address  string  `json:"address"` // private
	Version  string  `json:"version"`
	State    string  `json:"state"` // up, draining, or silent: it has not renewed its row
	Load     float64 `json:"load"`  // from 0 to 1, at most a second old if it is up
	Draining bool    `json:"draining"`
}

// Nodes are the web servers of a cluster. They are read from the database, and changed
// there: it can be asked when no server answers, and every server and load balancer
// goes by it.
type Nodes struct{ roster *postgres.Roster }

// A server renews its row every second.
const (
	nodeBeat = 2500 * time.Millisecond // one that has not by then is silent
	// One that has not by then takes no answers for true any more, whatever it still
	// does: its row may be removed. It is more than cluster.Config's fresh and Lease.
	nodeDead = 6 * time.Second
	nodeLook = 200 * time.Millisecond
)

// OpenNodes takes a database URL. The caller closes it.
func OpenNodes(database string) (*Nodes, error) {
	if database == "" {
		return nil, pando.Invalid("Servers of a cluster are registered in their PostgreSQL database: name it with --database.")
	}
	r, err := postgres.OpenRoster(database)
	if err != nil {
		return nil, err
	}
	return &Nodes{r}, nil
}

// Close closes the connections.
func (n *Nodes) Close() error { return n.roster.Close() }

// List watches the servers for long enough to know which of them are alive: at most
// two and a half seconds.
func (n *Nodes) List(ctx context.Context) ([]Node, error) {
	rows, beating, err := n.watch(ctx, nodeBeat, func(rows []registry.Member, beating map[string]bool) bool { return len(beating) == len(rows) })
	if err != nil {
		return nil, err
	}
	list := []Node{}
	for _, m := range rows {
		node := Node{ID: m.ID, Address: m.Address, Version: m.Version, State: "up", Load: m.Load, Draining: m.Draining}
		switch {
		case !beating[m.ID]:
			node.State = "silent"
		case m.Draining:
			node.State = "draining"
		}
		list = append(list, node)
	}
	return list, nil
}

// watch reads the rows until enough says so, or for that time: the last ones, and
// which of them were renewed meanwhile.
func (n *Nodes) watch(ctx context.Context, d time.Duration, enough func([]registry.Member, map[string]bool) bool) ([]registry.Member, map[string]bool, error) {
	end := time.NewTimer(d)
	defer end.Stop()
	look := time.NewTicker(nodeLook)
	defer look.Stop()
	first := map[string]registry.Member{}
	beating := map[string]bool{}
	var rows []registry.Member
	for {
		now, err := n.roster.Members(ctx)
		if err != nil {
			return nil, nil, err
		}
		rows = now
		for _, m := range rows {
			before, seen := first[m.ID]
			if !seen {
				first[m.ID] = m
			}
			if seen && (before.Beat != m.Beat || before.Boot != m.Boot) {
				beating[m.ID] = true
			}
		}
		if enough(rows, beating) {
			return rows, beating, nil
		}
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-end.C:
			return rows, beating, nil
		case <-look.C:
		}
	}
}

// find is the server that name is: an id, the beginning of one, or an address.
func find(rows []registry.Member, name string) (registry.Member, error) {
	var found []registry.Member
	for _, m := range rows {
		if m.ID == name || m.Address == name {
			return m, nil
		}
		if name != "" && strings.HasPrefix(m.ID, name) {
			found = append(found, m)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return registry.Member{}, &pando.Error{Kind: pando.KindNotFound, Message: fmt.Sprintf("There is no server %q in the cluster. `pando node list` shows those that there are.", name)}
	}
	return registry.Member{}, pando.Invalid("%q is the beginning of %d servers' ids: write more of it.", name, len(found))
}

// Drain has load balancers send no new requests to a server, and its event streams
// end; or, with yes false, takes that back. name is an id, the beginning of one, or an
// address. A server that is started anew is not drained.
func (n *Nodes) Drain(ctx context.Context, name string, yes bool) (Node, error) {
	rows, err := n.roster.Members(ctx)
	if err != nil {
		return Node{}, err
	}
	m, err := find(rows, name)
	if err != nil {
		return Node{}, err
	}
	ok, err := n.roster.Drain(ctx, m.ID, yes)
	if err == nil && !ok {
		err = &pando.Error{Kind: pando.KindNotFound, Message: fmt.Sprintf("The server %s has just left the cluster.", m.ID)}
	}
	return Node{ID: m.ID, Address: m.Address, Version: m.Version, Load: m.Load, Draining: yes}, err
}

// Remove takes a server that is gone out of the cluster. Those that stop in order leave
// by themselves, and others are taken out after a minute. It watches the server for six
// seconds: one that lives is not removed.
func (n *Nodes) Remove(ctx context.Context, name string) (Node, error) {
	rows, err := n.roster.Members(ctx)
	if err != nil {
		return Node{}, err
	}
	m, err := find(rows, name)
	if err != nil {
		return Node{}, err
	}
	there := func(rows []registry.Member) int {
		return slices.IndexFunc(rows, func(r registry.Member) bool { return r.ID == m.ID })
	}
	rows, beating, err := n.watch(ctx, nodeDead, func(rows []registry.Member, beating map[string]bool) bool {
		return beating[m.ID] || there(rows) < 0
	})
	if err != nil {
		return Node{}, err
	}
	node := Node{ID: m.ID, Address: m.Address, Version: m.Version, State: "silent"}
	if beating[m.ID] {
		return node, pando.Invalid("The server %s at %s is alive, and would be back at once: stop it (SIGTERM), and it leaves by itself; `pando node drain` has it get no requests.", m.ID, m.Address)
	}
	i := there(rows)
	if i < 0 {
		return node, nil // it went meanwhile
	}
	ok, err := n.roster.Remove(ctx, rows[i])
	if err == nil && !ok {
		err = pando.Invalid("The server %s came back just now.", m.ID)
	}
	return node, err
}
