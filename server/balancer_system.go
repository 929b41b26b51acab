package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"net/http"

	"github.com/pandobase/pando/internal/lb"
	"github.com/pandobase/pando/internal/system"
)

// admin answers operators: what the balancer itself does, and at /system every node.
func (b *Balancer) admin() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", b.lb.Admin())
	mux.HandleFunc("GET /system", func(w http.ResponseWriter, r *http.Request) { answerJSON(w, b.system(r.Context())) })
	return mux
}

// system is the balancer, the servers as it finds them, and what one of these tells of
// the cluster.
func (b *Balancer) system(ctx context.Context) system.System {
	st := b.lb.Status()
	nodes := balancerNodes(st)
	nodes[0].Name, nodes[0].ID = hostName(), b.id
	if at := b.at.Load(); at != nil {
		nodes[0].Address = *at
	}
	if b.certs != nil {
		for _, c := range b.certs.Status() {
			if c.Problem != "" {
				nodes[0].Health = system.Worst(nodes[0].Health, system.Warn)
				nodes[0].Words += "; no good certificate for " + c.Domain + ": " + c.Problem
			}
		}
	}
	return system.Of(append(nodes, b.told(ctx, st.Upstreams)...)...)
}

// told is what the first server tells that does; all are asked at once.
func (b *Balancer) told(ctx context.Context, servers []lb.UpstreamStatus) []system.Node {
	if b.cluster == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*nodeBound)
	defer cancel()
	answers := make(chan []system.Node, len(servers))
	for _, u := range servers {
		go func() {
			var s system.System
			body, err := b.cluster.front.Ask(ctx, u.Address, u.ID, http.MethodGet, systemPath, nil)
			if err != nil || json.Unmarshal(body, &s) != nil {
				answers <- nil // what the balancer finds of it is told in any case
				return
			}
			answers <- s.Nodes
		}()
	}
	for range servers {
		if nodes := <-answers; nodes != nil {
			return nodes
		}
	}
	return nil
}

// randomID tells one process from another.
func randomID() string {
	var random [8]byte
	rand.Read(random[:]) // it cannot fail
	return hex.EncodeToString(random[:])
}
