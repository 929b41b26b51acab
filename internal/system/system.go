// Package system says in words how an installation is: every node with its role, its
// health, and what it does. Adapters find the facts; the numbers of traffic are made
// of two looks at counters ([Window]).
//
// What is not known is left out and never 0; what nobody has told is never healthy.
package system

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Health is how a node is.
type Health string

// The states. Unknown is not well.
const (
	OK      Health = "ok"
	Warn    Health = "warn" // it works, and somebody should know
	Bad     Health = "bad"  // it does not
	Unknown Health = "unknown"
)

var worse = []Health{OK, Unknown, Warn, Bad}

// Role is what a node is for.
type Role string

// The roles, in the order of a request's way.
const (
	LB      Role = "lb"
	Web     Role = "web"
	Cache   Role = "cache"
	Primary Role = "primary"
	Replica Role = "replica"
)

var roles = []Role{LB, Web, Cache, Primary, Replica}

// Node is one of them. Times are in milliseconds, shares between 0 and 1.
type Node struct {
	Role    Role   `json:"role"`
	Name    string `json:"name"`
	ID      string `json:"id,omitempty"`
	Address string `json:"address,omitempty"`
	Version string `json:"version,omitempty"`

	Health Health `json:"health"`
	Words  string `json:"words"`

	Uptime   *float64 `json:"uptimeSeconds,omitempty"`
	InFlight *int64   `json:"inFlight,omitempty"`
	Rate     *float64 `json:"rate,omitempty"` // requests answered in a second
	P50      *float64 `json:"p50Ms,omitempty"`
	P99      *float64 `json:"p99Ms,omitempty"`
	Errors   *float64 `json:"errors,omitempty"` // share of answers that say the server failed
	Hits     *float64 `json:"hits,omitempty"`   // share of reads that the cache answered
	Lag      *float64 `json:"lagMs,omitempty"`
	LagBytes *uint64  `json:"lagBytes,omitempty"`
	Position string   `json:"position,omitempty"` // how far of the log it is
	// Lease is for how long a web server may still take what it knows for the newest;
	// below 0, since when it may not. Each says its own.
	Lease *float64 `json:"leaseMs,omitempty"`

	// Told tells whether the node says this itself; else somebody says it of it.
	Told bool `json:"told"`
}

// System is all of them.
type System struct {
	Health Health `json:"health"`
	Words  string `json:"words"`
	Nodes  []Node `json:"nodes"`
}

// Of makes the whole of what one or several nodes have told, and judges it. What a
// node says of itself takes the place of what others say of it; how somebody else
// finds it is added where that is worse.
func Of(told ...Node) System {
	var nodes []Node
	for _, n := range told {
		at := slices.IndexFunc(nodes, n.same)
		if at < 0 {
			nodes = append(nodes, n)
			continue
		}
		nodes[at] = merge(nodes[at], n)
	}
	slices.SortStableFunc(nodes, func(a, b Node) int {
		return cmp.Or(cmp.Compare(a.rank(), b.rank()), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Address, b.Address))
	})
	s := System{Health: OK, Nodes: nodes}
	if len(nodes) == 0 {
		s.Health = Unknown
	}
	for _, n := range nodes {
		s.Health = Worst(s.Health, n.Health)
	}
	s.Words = s.words()
	return s
}

// Worst is the worse of two.
func Worst(a, b Health) Health {
	if slices.Index(worse, b) > slices.Index(worse, a) {
		return b
	}
	return a
}

func (n Node) rank() int { return slices.Index(roles, n.Role) }

// database tells whether a node is one: the role of these changes, and two that are
// asked may have seen another one each.
func (n Node) database() bool { return n.Role == Primary || n.Role == Replica }

// same tells whether another is the same node.
func (n Node) same(o Node) bool {
	switch {
	case n.database() && o.database():
		return n.Name == o.Name
	case n.Role != o.Role:
		return false
	case n.ID != "" && o.ID != "":
		return n.ID == o.ID
	case n.Address != "" || o.Address != "":
		return n.Address == o.Address
	}
	return n.Name == o.Name
}

// merge prefers what was told first, or by the node itself.
func merge(a, b Node) Node {
	if b.Told && !a.Told {
		a, b = b, a
	}
	if !b.Told && b.Health != a.Health && Worst(a.Health, b.Health) == b.Health && b.Words != "" {
		a.Health = b.Health
		if a.Words == "" || strings.HasPrefix(a.Words, "ok") {
			a.Words = b.Words
		} else {
			a.Words += "; " + b.Words
		}
	}
	return a
}

// words are the verdict: how many of each there are, and what is wrong.
func (s System) words() string {
	if len(s.Nodes) == 0 {
		return "nobody has told anything"
	}
	var parts []string
	for _, role := range roles {
		n, well := 0, 0
		for _, node := range s.Nodes {
			if node.Role == role {
				n++
				if node.Health == OK {
					well++
				}
			}
		}
		if n == 0 {
			continue
		}
		text := count(n, role)
		if well < n {
			text += fmt.Sprintf(" (%d well)", well)
		}
		parts = append(parts, text)
	}
	verdict := map[Health]string{OK: "healthy", Warn: "works, with something to look at", Bad: "something does not work", Unknown: "not all is known"}[s.Health]
	return verdict + ": " + strings.Join(parts, ", ")
}

var names = map[Role][2]string{
	LB: {"load balancer", "load balancers"}, Web: {"web server", "web servers"}, Cache: {"cache server", "cache servers"},
	Primary: {"primary", "primaries"}, Replica: {"replica", "replicas"},
}

func count(n int, role Role) string {
	if n == 1 {
		return "1 " + names[role][0]
	}
	return fmt.Sprintf("%d %s", n, names[role][1])
}
