package lb

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"
)

// errLost ends the slower of two attempts.
var errLost = errors.New("another upstream has answered first")

// Bounds of when a request is sent to a second upstream as well: when it takes twice as
// long as nearly all of late. Sooner, one in a hundred would be sent twice for nothing,
// and cost the connection of whichever loses.
const (
	hedgeQuantile = 0.99
	hedgeSamples  = 100
	hedgeSoonest  = 10 * time.Millisecond
	hedgeLatest   = time.Second
)

// learnHedge finds after what time to hedge; 0 while too little is known.
func (b *Balancer) learnHedge(list []*member) {
	var all []*histogram
	for _, m := range list {
		all = append(all, &m.times)
	}
	by, n := merged(all...)
	if n < hedgeSamples {
		b.hedgeAfter.Store(0)
		return
	}
	after := 2 * quantile(&by, n, hedgeQuantile)
	b.hedgeAfter.Store(int64(min(max(after, hedgeSoonest), hedgeLatest)))
}

// hedged sends a message that may be sent twice.
func (cl *call) hedged() (*http.Response, error) {
	after := time.Duration(cl.b.hedgeAfter.Load())
	if after == 0 || len(cl.b.roster.Load().usable) < 2 || strings.Contains(cl.msg.r.Header.Get("Accept"), eventStream) {
		resp, f := cl.attempts(nil)
		return resp, asError(f)
	}
	r := &race{cl: cl}
	if bg := cl.begun; bg != nil && bg.failure == nil {
		r.first(bg.c) // before the other one is begun, which may be at once
		after -= time.Since(bg.at)
	}
	timer := time.AfterFunc(max(after, 0), r.second)
	resp, f := cl.attempts(r.first)
	timer.Stop()
	return r.finish(resp, f)
}

// race is two attempts at one request, of which the first answer counts.
type race struct {
	cl *call

	mu      sync.Mutex // guards what follows
	over    bool       // an answer counts
	tried   []*member  // by the first attempt
	own     lease      // the first attempt's connection
	other   lease      // the second's
	running chan struct{}
	answer  *http.Response // the second's
}

// first is told which connection the first attempt uses.
func (r *race) first(c *upconn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.own = c.lease()
	r.tried = append(r.tried, c.m)
	return !r.over
}

// second makes the other attempt, if the budget allows and there is an upstream that is
// not busy.
func (r *race) second() {
	b := r.cl.b
	r.mu.Lock()
	if r.over || r.own.c == nil || b.queue.Length() > 0 {
		r.mu.Unlock()
		return
	}
	tried := r.tried
	r.running = make(chan struct{})
	r.mu.Unlock()
	defer close(r.running)

	m, _ := b.pick(tried, r.cl.class, time.Now())
	if m == nil {
		return
	}
	if m.limit.Waiting()*2 > m.limit.Limit() || !b.budget.spare() {
		m.limit.Release()
		return
	}
	b.hedges.Add(1)
	m.retried.Add(1)
	cl := &call{b: b, msg: r.cl.msg, class: r.cl.class, idempotent: true}
	resp, _ := cl.attempt(m, func(c *upconn) bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.other = c.lease()
		return !r.over
	})
	if resp == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		resp.Body.Close()
		return
	}
	r.over, r.answer = true, resp
	r.own.abort(errLost)
}

// finish takes what the first attempt has come to.
func (r *race) finish(resp *http.Response, f *failure) (*http.Response, error) {
	r.mu.Lock()
	if f != nil && !r.over && r.running != nil {
		running := r.running
		r.mu.Unlock()
		<-running
		r.mu.Lock()
	}
	defer r.mu.Unlock()
	if r.answer != nil {
		if resp != nil {
			resp.Body.Close() // both at the same moment
		}
		return r.answer, nil
	}
	r.over = true
	r.other.abort(errLost)
	return resp, asError(f)
}
