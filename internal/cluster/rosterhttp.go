package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// RosterPath is where members tell load balancers who is a member. since is the
// version that the load balancer has, wait for how many milliseconds it would wait for
// another one.
const RosterPath = "/members"

// rosterWait is the longest that an answer is waited for.
const rosterWait = 10 * time.Second

// rosterBody is the answer.
type rosterBody struct {
	Server  string       `json:"server"` // who answers
	Version string       `json:"version"`
	AgeMS   int64        `json:"ageMs"` // how long ago the database was asked; below 0: never
	Members []rosterLine `json:"members"`
}

type rosterLine struct {
	ID       string  `json:"id"`
	Boot     string  `json:"boot"`
	Address  string  `json:"address"`
	Version  string  `json:"version"`
	Draining bool    `json:"draining"`
	Load     float64 `json:"load"`
	AgeMS    int64   `json:"ageMs"` // since it joined
}

// ServeRoster answers at RosterPath. Only load balancers of the cluster may get here.
func (n *Node) ServeRoster(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	ms, _ := strconv.ParseUint(q.Get("wait"), 10, 31) // nonsense is no wait
	ctx, cancel := context.WithTimeout(r.Context(), min(time.Duration(ms)*time.Millisecond, rosterWait))
	defer cancel()
	now := n.Roster(ctx, q.Get("since"))
	body := rosterBody{Server: n.cfg.Self.ID, Version: now.Version, AgeMS: now.Age.Milliseconds(), Members: []rosterLine{}}
	if now.Age < 0 {
		body.AgeMS = -1
	}
	for _, m := range now.Members {
		body.Members = append(body.Members, rosterLine{m.ID, m.Boot, m.Address, m.Version, m.Draining, m.Load,
			(m.Age + max(0, now.Age)).Milliseconds()})
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if err := json.NewEncoder(w).Encode(body); err != nil {
		n.log.Debug("a load balancer went away", "err", err)
	}
}

// maxRoster is the longest answer that is read: some 20,000 servers.
const maxRoster = 4 << 20

// parseRoster reads an answer. What has no address to go to is no answer.
func parseRoster(b []byte) (body rosterBody, err error) {
	if err := json.Unmarshal(b, &body); err != nil {
		return body, fmt.Errorf("cluster: the list of members cannot be read: %w", err)
	}
	seen := make(map[string]bool, len(body.Members))
	for _, m := range body.Members {
		if m.ID == "" || m.Address == "" || seen[m.ID] {
			return body, fmt.Errorf("cluster: the list of members has a server %q at %q, which cannot be", m.ID, m.Address)
		}
		seen[m.ID] = true
	}
	return body, nil
}
