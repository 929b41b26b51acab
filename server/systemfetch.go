package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/lb"
	"github.com/pandobase/pando/internal/system"
)

// System is how an installation is: every node in words, as GET /api/system has it.
type System = system.System

// SystemNode is one node of a [System].
type SystemNode = system.Node

// systemBound is how long one server or load balancer may take to tell.
const systemBound = 5 * time.Second

// FetchSystem asks servers and load balancers how everything is, and makes one whole
// of what they tell. Each is the address of an admin listener, http://host:port, which
// asks nobody who they are and is reached from its machine or a private network only;
// or, with the token of a superuser, the public address of a server. One server tells
// of its whole cluster. Whoever does not answer is a node that is not well; an error
// is that nobody did.
func FetchSystem(ctx context.Context, token string, addresses ...string) (System, error) {
	told := make([][]system.Node, len(addresses))
	problems := make([]error, len(addresses))
	var all sync.WaitGroup
	for i, address := range addresses {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, systemBound)
			defer cancel()
			told[i], problems[i] = fetchNodes(ctx, strings.TrimSuffix(address, "/"), token)
		})
	}
	all.Wait()
	var nodes []system.Node
	failed := 0
	for i := range addresses {
		nodes = append(nodes, told[i]...)
		if problems[i] != nil {
			failed++
			nodes = append(nodes, system.Node{Role: system.Web, Name: addresses[i], Health: system.Bad, Words: problems[i].Error()})
		}
	}
	if failed == len(addresses) {
		return System{}, errors.Join(problems...)
	}
	return system.Of(nodes...), nil
}

func fetchNodes(ctx context.Context, address, token string) ([]system.Node, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, pando.Invalid("--server: %q is no address: write http://HOST:PORT of an admin listener, for example http://%s.", address, DefaultAdmin)
	}
	if token != "" {
		body, status, err := fetch(ctx, address+"/api/system", token)
		if err != nil {
			return nil, err
		}
		if status != http.StatusOK {
			return nil, refusal(address, status, body)
		}
		return nodesOf(address, body)
	}
	body, status, err := fetch(ctx, address+"/system", "")
	if err != nil {
		return nil, &pando.Error{
			Kind: pando.KindUnavailable, Err: err,
			Message: fmt.Sprintf("Nothing answers at %s: name the admin address of a running server or load balancer with --server (its --admin, and its log says it).", address),
		}
	}
	if status != http.StatusOK {
		return nil, refusal(address, status, body)
	}
	return nodesOf(address, body)
}

func refusal(address string, status int, body []byte) error {
	var said struct{ Message string }
	_ = json.Unmarshal(body, &said) // else there is no message
	hint := "a public address takes PANDO_TOKEN, the token of a superuser; an admin listener takes none"
	return pando.Invalid("%s answers %d %s: %s.", address, status, said.Message, hint)
}

func nodesOf(address string, body []byte) ([]system.Node, error) {
	var s struct{ Nodes []system.Node }
	if err := json.Unmarshal(body, &s); err != nil || len(s.Nodes) == 0 {
		return nil, pando.Invalid("%s does not tell how it is: it may be of an older version.", address)
	}
	return s.Nodes, nil
}

// maxTold is more than any installation has to tell.
const maxTold = 16 << 20

func fetch(ctx context.Context, address, token string) ([]byte, int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, 0, err
	}
	if token != "" {
		req.Header.Set("Authorization", token)
	}
	transport := &http.Transport{DisableKeepAlives: true, Proxy: http.ProxyFromEnvironment}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxTold))
	return body, res.StatusCode, err
}

// balancerNodes are a load balancer, the first, and the servers behind it, as it finds
// them.
func balancerNodes(st lb.Status) []system.Node {
	flying := int64(st.InFlight)
	self := system.Node{
		Role: system.LB, Version: st.Version, Told: true, InFlight: &flying,
		Health: system.OK, Words: fmt.Sprintf("ok, %d connections", st.Connections),
	}
	if !st.Ready {
		self.Health, self.Words = system.Bad, "not ready: "+st.Reason
	}
	nodes := []system.Node{}
	rate, p99, failed := 0.0, 0.0, 0.0
	for _, u := range st.Upstreams {
		n := system.Node{Role: system.Web, Name: u.Name, Address: u.Address, Health: system.OK, Words: "ok, says the load balancer"}
		if u.ID != u.Address {
			n.ID = u.ID
		}
		if u.State != "up" && u.State != "ramping" {
			n.Health, n.Words = system.Warn, "the load balancer finds it "+u.State
			if u.Reason != "" {
				n.Words += ": " + u.Reason
			}
			if u.State == "down" || u.State == "ejected" {
				n.Health = system.Bad
			}
		}
		share, slow, wrong := u.Rate, u.P99*1000, u.Errors
		n.Rate = &share
		if u.Rate > 0 {
			n.P99, n.Errors = &slow, &wrong
		}
		rate, p99, failed = rate+u.Rate, max(p99, slow), failed+u.Rate*u.Errors
		nodes = append(nodes, n)
	}
	self.Rate = &rate
	if rate > 0 {
		failed /= rate
		self.P99, self.Errors = &p99, &failed
	}
	return append([]system.Node{self}, nodes...)
}
