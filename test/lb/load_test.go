package lb

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// result is one request and what became of it.
type result struct {
	at, took time.Duration // since the load began
	write    bool
	low      bool // it said that it matters less
	status   int  // 0: no answer
	name     string
	err      error
}

// load is clients that ask without end.
type load struct {
	began   time.Time
	cancel  func()
	wg      sync.WaitGroup
	mu      sync.Mutex
	results []result
}

type mix struct {
	clients int
	writes  int           // one in so many is a POST; 0: none
	think   time.Duration // between two requests of one client
	rate    int           // requests a second, whether answered or not, instead of clients
	fresh   bool          // each over a connection of its own
	other   string        // the address of another load balancer, for when one does not answer
	path    func() string // of reads; nil: all ask for /
	token   string
	low     bool // every second read says that it matters less
}

// ask has a request answered: at the one address or, if it may be asked again and there
// was no answer, at the other. Who has changed to the other stays there.
func (m mix) ask(client *http.Client, first string, at *atomic.Pointer[string], r *result) {
	for try := range 2 {
		now := at.Load()
		m.send(client, *now, r)
		var dial *net.OpError
		unsent := errors.As(r.err, &dial) && dial.Op == "dial"
		if r.err == nil || m.other == "" || try > 0 || r.write && !unsent {
			return
		}
		next := &m.other
		if *now == m.other {
			next = &first
		}
		at.CompareAndSwap(now, next)
	}
}

func (m mix) send(client *http.Client, addr string, r *result) {
	method, path, body := "GET", "/", io.Reader(nil)
	switch {
	case r.write:
		method, body = "POST", strings.NewReader("hello")
	case m.path != nil:
		path = m.path()
	}
	var req *http.Request
	if req, r.err = http.NewRequest(method, "http://"+addr+path, body); r.err != nil {
		return
	}
	if m.token != "" {
		req.Header.Set("Authorization", m.token)
	}
	if r.low {
		req.Header.Set("Priority", "u=6")
	}
	var resp *http.Response
	if resp, r.err = client.Do(req); r.err != nil {
		return
	}
	defer resp.Body.Close()
	r.status, r.name = resp.StatusCode, resp.Header.Get("X-Name")
	_, r.err = io.Copy(io.Discard, resp.Body)
}

func begin(t *testing.T, addr string, m mix) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{began: time.Now(), cancel: cancel}
	tr := &http.Transport{MaxIdleConnsPerHost: 1000, DisableCompression: true, DisableKeepAlives: m.fresh,
		DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext}
	client := &http.Client{Transport: tr, Timeout: 20 * time.Second}
	var n atomic.Int64
	var at atomic.Pointer[string]
	at.Store(&addr)
	one := func(due time.Time) {
		i := n.Add(1)
		r := result{write: m.writes > 0 && i%int64(m.writes) == 0, low: m.low && i%2 == 0}
		m.ask(client, addr, &at, &r)
		r.at, r.took = due.Sub(l.began), time.Since(due)
		l.mu.Lock()
		l.results = append(l.results, r)
		l.mu.Unlock()
	}
	for range m.clients {
		l.wg.Go(func() {
			for ctx.Err() == nil {
				one(time.Now())
				if m.think > 0 {
					during(m.think)
				}
			}
		})
	}
	if m.rate > 0 {
		l.wg.Go(func() {
			tick := time.NewTicker(5 * time.Millisecond)
			defer tick.Stop()
			sent := 0
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				for due := int(time.Since(l.began).Seconds() * float64(m.rate)); sent < due; sent++ {
					at := l.began.Add(time.Duration(float64(sent) / float64(m.rate) * float64(time.Second)))
					l.wg.Go(func() { one(at) })
				}
			}
		})
	}
	t.Cleanup(func() { l.end(); tr.CloseIdleConnections() })
	return l
}

// now is the time since the load began.
func (l *load) now() time.Duration { return time.Since(l.began) }

// end ends the load, waits for the last answers and gives all of them.
func (l *load) end() []result {
	l.cancel()
	l.wg.Wait()
	return l.results
}

// so is those of results that ok says.
func so(results []result, ok func(r result) bool) (out []result) {
	for _, r := range results {
		if ok(r) {
			out = append(out, r)
		}
	}
	return out
}

func between(results []result, from, to time.Duration) []result {
	return so(results, func(r result) bool { return r.at >= from && r.at < to })
}

func failed(results []result) []result {
	return so(results, func(r result) bool { return r.status != http.StatusOK || r.err != nil })
}

func reads(results []result) []result  { return so(results, func(r result) bool { return !r.write }) }
func writes(results []result) []result { return so(results, func(r result) bool { return r.write }) }

// p is a quantile of the times.
func p(results []result, q float64) time.Duration {
	if len(results) == 0 {
		return 0
	}
	times := make([]time.Duration, len(results))
	for i, r := range results {
		times[i] = r.took
	}
	slices.Sort(times)
	return times[min(int(q*float64(len(times))), len(times)-1)]
}

// none fails the test if there are any, and shows the first.
func none(t *testing.T, what string, results []result) {
	t.Helper()
	if len(results) > 0 {
		r := results[0]
		t.Errorf("%d %s, the first after %s in %s: %d %v", len(results), what, r.at, r.took, r.status, r.err)
	}
}
