package lb

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pandobase/pando/test/target"
)

type object = map[string]any

// TestServerOverload: a web server is asked for three times more than it can do, half of
// it of low priority. It does what it can, refuses those of low priority first, and
// answers health checks and whoever administers it. bench/cmd/overload has the figures.
func TestServerOverload(t *testing.T) {
	s, err := target.StartPandoWith(t.Context(), t.TempDir(), "--overload-latency", "50ms")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	token := fill(t, s, 4000)
	m := mix{path: costly, token: token}
	addr := strings.TrimPrefix(s.URL, "http://")
	good := func(r result) bool { return r.status == http.StatusOK && r.err == nil }

	m.clients = 16
	full := begin(t, addr, m)
	during(2 * time.Second)
	peak := float64(len(so(between(full.end(), 500*time.Millisecond, 2*time.Second), good))) / 1.5

	m.clients, m.rate, m.low = 0, int(3*peak), true
	last := 4 * time.Second
	if long {
		last = 15 * time.Second
	}
	ctx, stop := context.WithCancel(t.Context())
	always := watch(ctx, t, s, token)
	l := begin(t, addr, m)
	during(last)
	results := l.end()
	stop()
	health := always()
	accepted := so(results, good)
	goodput := float64(len(accepted)) / last.Seconds()
	share := func(low bool) float64 {
		all := so(results, func(r result) bool { return r.low == low })
		return 1 - float64(len(so(all, good)))/float64(max(len(all), 1))
	}
	for _, r := range failed(results) {
		if r.status != http.StatusServiceUnavailable {
			t.Errorf("%d %v", r.status, r.err)
			break
		}
	}
	if goodput < 0.9*peak/lenient(1.8) || share(true) < share(false)*1.2 {
		t.Errorf("goodput %.0f of %.0f; refused %.2f of usual ones and %.2f of those of low priority", goodput, peak, share(false), share(true))
	}
	t.Logf("offered %.0f/s, goodput %.0f/s of %.0f (%.0f %%); p50 %s, p99 %s of what is accepted; refused %.0f %% of usual ones, %.0f %% of those of low priority; %d times health and the like, p99 %s, the slowest after %s",
		float64(len(results))/last.Seconds(), goodput, peak, 100*goodput/peak, milliseconds(p(accepted, 0.5)), milliseconds(p(accepted, 0.99)),
		100*share(false), 100*share(true), len(health), milliseconds(health[len(health)*99/100]), milliseconds(health[len(health)-1]))
}

// watch asks for what must always be answered, and fails the test when it is not. It
// tells how long each took, in order.
func watch(ctx context.Context, t *testing.T, s *target.Server, token string) func() []time.Duration {
	var mu sync.Mutex
	var times []time.Duration
	var all sync.WaitGroup
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}}
	for _, at := range []string{s.URL + "/livez", s.URL + "/readyz", s.URL + "/api/health", s.URL + "/api/system", s.Admin + "/metrics"} {
		all.Go(func() {
			for ctx.Err() == nil {
				began := time.Now()
				req, _ := http.NewRequest("GET", at, nil)
				req.Header.Set("Authorization", token)
				resp, err := client.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					t.Errorf("%s: %s", at, resp.Status)
				}
				mu.Lock()
				times = append(times, time.Since(began))
				mu.Unlock()
				during(50 * time.Millisecond)
			}
		})
	}
	return func() []time.Duration {
		all.Wait()
		client.CloseIdleConnections()
		slices.Sort(times)
		return times
	}
}

// costly is a list that has to be looked for among all records, so costly that those who
// ask cost nothing beside it.
func costly() string {
	var words []string
	for range 12 {
		words = append(words, fmt.Sprintf("text ~ 'w%d'", rand.IntN(1e6)))
	}
	return "/api/collections/items/records?perPage=5&sort=-n&filter=" + url.QueryEscape(strings.Join(words, " || "))
}

// fill makes records, and tells the superuser's token.
func fill(t *testing.T, s *target.Server, n int) (token string) {
	t.Helper()
	call := func(method, path string, body, out any) {
		t.Helper()
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if b, err = io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s %s: %s %s %v", method, path, resp.Status, b, err)
		}
		if out != nil {
			if err := json.Unmarshal(b, out); err != nil {
				t.Fatal(err)
			}
		}
	}
	var login struct{ Token string }
	call("POST", "/api/collections/_superusers/auth-with-password", object{"identity": s.Email, "password": s.Password}, &login)
	token = login.Token
	call("POST", "/api/collections", object{
		"name": "items", "type": "base", "listRule": "", "fields": []object{{"name": "text", "type": "text"}, {"name": "n", "type": "number"}},
	}, nil)
	call("PATCH", "/api/settings", object{"batch": object{"enabled": true, "maxRequests": 500, "timeout": 30}}, nil)
	for from := 0; from < n; from += 500 {
		var batch []object
		for i := from; i < from+500; i++ {
			batch = append(batch, object{"method": "POST", "url": "/api/collections/items/records", "body": object{"n": i, "text": strings.Repeat(fmt.Sprint(i, " "), 20)}})
		}
		call("POST", "/api/batch", object{"requests": batch}, nil)
	}
	return token
}
