package demo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	loadClients = 16
	loadPause   = 10 * time.Millisecond // of each client between requests, most
	reportEvery = 5 * time.Second
)

// tally is what the clients were answered since the last report.
type tally struct {
	mu     sync.Mutex
	took   []time.Duration
	failed map[string]int // by what was wrong
	over   int            // requests that went on with the other load balancer
}

// load is some clients, who read mostly, and a line every few seconds of how they fare.
func (d *demo) load(ctx context.Context) {
	t := &tally{failed: map[string]int{}}
	transport := &http.Transport{MaxIdleConnsPerHost: loadClients}
	defer transport.CloseIdleConnections()
	var all sync.WaitGroup
	for i := range loadClients {
		all.Go(func() {
			d.use(ctx, t, &client{http: &http.Client{Transport: transport, Timeout: 10 * time.Second}, base: d.url(i)}, i)
		})
	}
	for rest(ctx, reportEvery) {
		d.out.say("%s", t.report(reportEvery))
	}
	all.Wait()
}

// use is one client. It knows every load balancer, and goes on with the next one where
// one does not take its connection.
func (d *demo) use(ctx context.Context, t *tally, c *client, at int) {
	for ctx.Err() == nil {
		method, path, body := "GET", "/api/collections/notes/records/"+noteID(rand.IntN(notes)), any(nil)
		switch n := rand.IntN(100); {
		case n < 10:
			path = fmt.Sprint("/api/collections/notes/records?perPage=20&page=", 1+rand.IntN(notes/20))
		case n < 15:
			method, body = "PATCH", object{"likes+": 1}
		}
		began := time.Now()
		status, _, err := c.ask(ctx, method, path, body)
		for range len(d.cfg.Listen) - 1 {
			if err == nil || method != "GET" || ctx.Err() != nil {
				break
			}
			at++
			c.base = d.url(at)
			t.moved()
			status, _, err = c.ask(ctx, method, path, body)
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil && method != "GET" {
			at++
			c.base = d.url(at) // whether it was done nobody knows: it is not sent again
		}
		t.note(method, time.Since(began), status, err)
		rest(ctx, rand.N(loadPause))
	}
}

func (t *tally) moved() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over++
}

// note notes an answer. What was wrong is told with the method: a write that was under
// way at a server that dies is not sent again, since nobody knows whether it was done.
func (t *tally) note(method string, took time.Duration, status int, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.took = append(t.took, took)
	switch {
	case err != nil:
		t.failed[method+" without an answer"]++
	case status >= 300:
		t.failed[fmt.Sprint(method, " ", status)]++
	}
}

// report is a line, and begins anew.
func (t *tally) report(every time.Duration) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	slices.Sort(t.took)
	at := func(share float64) time.Duration {
		if len(t.took) == 0 {
			return 0
		}
		return t.took[int(share*float64(len(t.took)-1))].Round(100 * time.Microsecond)
	}
	line := fmt.Sprintf("%6.0f requests/s   p50 %v   p99 %v   slowest %v", float64(len(t.took))/every.Seconds(), at(0.5), at(0.99), at(1))
	if len(t.failed) == 0 {
		line += "   no errors"
	}
	for _, what := range sorted(t.failed) {
		line += fmt.Sprintf("   %d × %s", t.failed[what], what)
	}
	if t.over > 0 {
		line += fmt.Sprintf("   (%d went on with the other load balancer)", t.over)
	}
	t.took, t.failed, t.over = t.took[:0], map[string]int{}, 0
	return line
}
