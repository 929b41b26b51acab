package lb

import (
	"context"
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
	status   int // 0: no answer
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
}

func begin(t *testing.T, addr string, m mix) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{began: time.Now(), cancel: cancel}
	tr := &http.Transport{MaxIdleConnsPerHost: 1000, DisableCompression: true, DisableKeepAlives: m.fresh,
		DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext}
	client := &http.Client{Transport: tr, Timeout: 20 * time.Second}
	var n atomic.Int64
	one := func() {
		r := result{write: m.writes > 0 && n.Add(1)%int64(m.writes) == 0}
		begun := time.Now()
		var resp *http.Response
		if r.write {
			resp, r.err = client.Post("http://"+addr+"/", "text/plain", strings.NewReader("hello"))
		} else {
			resp, r.err = client.Get("http://" + addr + "/")
		}
		if r.err == nil {
			r.status, r.name = resp.StatusCode, resp.Header.Get("X-Name")
			_, r.err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		r.at, r.took = begun.Sub(l.began), time.Since(begun)
		l.mu.Lock()
		l.results = append(l.results, r)
		l.mu.Unlock()
	}
	for range m.clients {
		l.wg.Go(func() {
			for ctx.Err() == nil {
				one()
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
					l.wg.Go(one)
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
