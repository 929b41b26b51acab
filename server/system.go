package server

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/pandobase/pando/internal/cluster"
	"github.com/pandobase/pando/internal/system"
	"github.com/pandobase/pando/internal/topology"
	"github.com/pandobase/pando/internal/web"
)

// nodePath is where a member is asked how it is.
const nodePath = "/.pando/node"

// systemPath is where a load balancer asks a member how all of them are.
const systemPath = "/.pando/system"

// nodeBound is how long a member may take to say how it is: who takes longer is not
// well, and the others are not kept waiting.
const nodeBound = time.Second

// traffic is what this server counts, for what the last seconds were like.
func (s *Server) traffic(h *web.Handler) func() system.Counts {
	return func() system.Counts {
		c := h.Counts()
		if s.parts.cached != nil {
			counts := s.parts.cached.Counts()
			c.Hits, c.Misses = counts.Hits+counts.Tiered, counts.Misses
		}
		return c
	}
}

// watch counts what is answered at an address, until the function that it returns is
// called.
func (s *Server) watch(ctx context.Context, h *web.Handler, address string) (stop func()) {
	w := system.NewWindow(s.traffic(h))
	s.window.Store(w)
	s.at.Store(&address)
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() { defer close(done); w.Run(ctx) }()
	return func() { cancel(); <-done }
}

// system is what GET /api/system shows: the facts of /readyz?verbose, this server's
// view of the cluster, and every node in words. Other members are asked how they are.
func (s *Server) system(ctx context.Context) (any, error) {
	whole := s.whole(ctx)
	facts := s.status()
	facts["health"], facts["words"], facts["nodes"] = whole.Health, whole.Words, whole.Nodes
	return facts, nil
}

// whole is every node that this server knows of.
func (s *Server) whole(ctx context.Context) system.System {
	nodes := append([]system.Node{s.node()}, s.others(ctx)...)
	return system.Of(append(nodes, s.below()...)...)
}

// node is this server itself.
func (s *Server) node() system.Node {
	up := time.Since(s.began).Seconds()
	n := system.Node{
		Role: system.Web, Name: hostName(), Version: s.cfg.Version, Health: system.OK, Words: "ok", Uptime: &up, Told: true,
		Position: fmt.Sprint(uint64(s.parts.index.Latest())),
	}
	if at := s.at.Load(); at != nil {
		n.Address = *at
	}
	if h, err := s.handler(); err == nil {
		flying := h.InFlight()
		n.InFlight = &flying
	}
	if w := s.window.Load(); w != nil {
		w.Fill(&n)
	}
	if m := s.parts.store.member; m != nil {
		st := m.node.Status()
		n.ID, n.Position = st.Self.ID, st.Frontier.LSN()
		n.Address = cmp.Or(st.Self.Address, n.Address)
		lag := lagOf(st, s.parts.store.hosts())
		lease := millis(st.Lease)
		n.Lease, n.Lag, n.LagBytes = &lease, lag.ms, lag.bytes
		switch {
		case st.Reigns:
			n.Words = "reads the database's log for all"
		case st.Standby:
			n.Words = "ready to read the log"
		}
	}
	for _, l := range s.complaints() {
		if n.Words == "ok" || n.Health == system.OK {
			n.Words = l.words
		} else {
			n.Words += "; " + l.words
		}
		n.Health = system.Worst(n.Health, l.health)
	}
	return n
}

// complaint is something about this server that an operator should know.
type complaint struct {
	health system.Health
	words  string
}

// failing is the share of answers that is too much.
const failing = 0.05

func (s *Server) complaints() (list []complaint) {
	if h, err := s.handler(); err == nil && h.Ready() != nil {
		list = append(list, complaint{system.Bad, h.Ready().Error()})
	}
	if age := s.parts.clock.Age(); age > 0 {
		list = append(list, complaint{system.Warn, fmt.Sprintf("reads are answered with what was known %s ago, since the database has no primary", age.Round(time.Second))})
	}
	if w := s.window.Load(); w != nil {
		var n system.Node
		if w.Fill(&n); n.Errors != nil && *n.Errors > failing {
			list = append(list, complaint{system.Warn, fmt.Sprintf("%.0f%% of its answers say that it failed: see its log", *n.Errors*100)})
		}
	}
	if c := s.certs.Load(); c != nil {
		for _, st := range c.Status() {
			if st.Problem != "" {
				list = append(list, complaint{system.Warn, "no good certificate for " + st.Domain + ": " + st.Problem})
			}
		}
	}
	return list
}

// others asks the other members how they are, all at once.
func (s *Server) others(ctx context.Context) []system.Node {
	m := s.parts.store.member
	if m == nil || m.peers == nil {
		return nil
	}
	var members []cluster.Member
	for _, o := range m.node.Status().Members {
		if o.ID != m.self.ID {
			members = append(members, o)
		}
	}
	nodes := make([]system.Node, len(members))
	ctx, cancel := context.WithTimeout(ctx, nodeBound)
	defer cancel()
	var all sync.WaitGroup
	for i, o := range members {
		all.Go(func() { nodes[i] = askNode(ctx, m.peers.front, o.Address, o.ID) })
	}
	all.Wait()
	return nodes
}

// askNode is how a member says it is; or that it does not say.
func askNode(ctx context.Context, front *cluster.Front, address, id string) system.Node {
	silent := system.Node{Role: system.Web, Name: address, ID: id, Address: address, Health: system.Bad}
	body, err := front.Ask(ctx, address, id, http.MethodGet, nodePath, nil)
	if err == nil {
		var n system.Node
		if err = json.Unmarshal(body, &n); err == nil {
			return n
		}
	}
	silent.Words = "registered, and does not answer: " + err.Error()
	if ctx.Err() != nil {
		silent.Words = "registered, and does not answer within " + nodeBound.String()
	}
	return silent
}

// below are the parts that this server stands on, as it sees them.
func (s *Server) below() (nodes []system.Node) {
	if hosts := s.parts.store.hosts; hosts != nil {
		st := hosts()
		for _, h := range st.Members {
			nodes = append(nodes, databaseNode(h, st))
		}
	} else {
		nodes = append(nodes, system.Node{
			Role: system.Primary, Name: "SQLite", Health: system.OK, Words: "ok, in the web server's process",
			Position: fmt.Sprint(uint64(s.parts.index.Latest())),
		})
	}
	if s.parts.tier == nil {
		return nodes
	}
	for _, c := range s.parts.tier.Stats().Servers {
		n := system.Node{Role: system.Cache, Name: c.Name, Health: system.OK, Words: fmt.Sprintf("ok, answers in %.1f ms", millis(c.Latency))}
		if all := c.Hits + c.Misses; all > 0 {
			share := float64(c.Hits) / float64(all)
			n.Hits = &share
		}
		switch {
		case c.State == "up":
		case c.State == "trial" && c.Outs == 0:
			n.Health, n.Words = system.Unknown, "not asked yet"
		case c.State == "trial":
			n.Health, n.Words = system.Warn, "asked again, after it had been left out"
		default:
			n.Health, n.Words = system.Bad, strings.TrimSuffix("left out: "+c.Why, ": ")
		}
		nodes = append(nodes, n)
	}
	return nodes
}

// databaseNode is one host of the database.
func databaseNode(h topology.MemberStatus, st topology.Status) system.Node {
	n := system.Node{Role: system.Replica, Name: h.Host, Health: system.OK, Words: "ok", Position: h.Replay}
	if h.Role == "primary" {
		n.Role, n.Position = system.Primary, h.Flush
	}
	if h.InFlight > 0 {
		n.InFlight = &h.InFlight
	}
	if h.Role == "replica" {
		n.Lag, n.LagBytes = &h.LagMS, &h.LagBytes
	}
	switch {
	case h.Contact == "unheard":
		n.Health, n.Words = system.Unknown, "it has not been heard of yet"
	case h.Contact != "answers":
		n.Health, n.Words = system.Bad, h.Contact+" for "+time.Since(h.Since).Round(time.Second).String()
		if h.Error != "" {
			n.Words += ": " + h.Error
		}
	case h.Role == "refused":
		n.Health, n.Words = system.Bad, "not used: "+h.Why
	case h.Role == "unknown":
		n.Health, n.Words = system.Unknown, "its role is not known yet"
	case h.Role == "primary" && !h.Eligible:
		n.Health, n.Words = system.Bad, "not written to: "+cmp.Or(st.Problem, "it is not chosen")
	case !h.Eligible:
		n.Health, n.Words = system.Warn, "not read from, as it is behind"
		if h.Why != "" {
			n.Words = "not read from: " + h.Why
		}
	}
	return n
}

func hostName() string {
	name, err := os.Hostname()
	if err != nil {
		return "this machine"
	}
	name, _, _ = strings.Cut(name, ".")
	return name
}

// answerJSON answers another process of ours.
func answerJSON(w http.ResponseWriter, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(body) // whoever asked may have gone
}
