package faults

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// views measures how long one view takes, for a while, on a few connections
// that pause between their requests.
func (a *api) views(t *testing.T, path string, until <-chan struct{}) []time.Duration {
	t.Helper()
	var mu sync.Mutex
	var all []time.Duration
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			tick := time.NewTicker(4 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-until:
					return
				case <-tick.C:
				}
				began := time.Now()
				got, err := a.try("GET", path, "", "", nil)
				took := time.Since(began)
				if err != nil || got.status != 200 {
					t.Errorf("view: %d %v", got.status, err)
					return
				}
				mu.Lock()
				all = append(all, took)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.Sort(all)
	return all
}

func p99(sorted []time.Duration) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[len(sorted)*99/100]
}

// TestLoginFlood logs 200 clients in at once, with good, wrong and unknown
// names; in the long form, also many more than can wait. Meanwhile views go on.
func TestLoginFlood(t *testing.T) {
	a := start(t)
	a.collection(t, "items", map[string]any{"name": "text", "type": "text"})
	path := records("items") + "/" + a.create(t, "items", map[string]any{"text": strings.Repeat("x", 500)})
	a.must(t, a.post(t, records("users"), a.token, map[string]any{"email": "u@example.com", "password": "12345678", "passwordConfirm": "12345678"}), 200)

	idle := make(chan struct{})
	time.AfterFunc(2*time.Second, func() { close(idle) })
	before := a.views(t, path, idle)

	flood := func(n int) (statuses map[int]int, took time.Duration) {
		statuses = map[int]int{}
		var mu sync.Mutex
		var wg sync.WaitGroup
		began := time.Now()
		for i := range n {
			wg.Go(func() {
				body := []string{`{"identity":"u@example.com","password":"12345678"}`, `{"identity":"u@example.com","password":"wrong"}`,
					`{"identity":"nobody@example.com","password":"wrong"}`}[i%3]
				got, err := a.try("POST", "/api/collections/users/auth-with-password", "", "application/json", strings.NewReader(body))
				if err != nil {
					t.Errorf("login: %v", err)
					return
				}
				if got.status != http.StatusOK {
					isError(t, got, 400, 429, 503)
				} else if i%3 != 0 {
					t.Errorf("somebody got in with %s", body)
				}
				mu.Lock()
				statuses[got.status]++
				mu.Unlock()
			})
		}
		wg.Wait()
		return statuses, time.Since(began)
	}

	beside := func() time.Duration {
		over := make(chan struct{})
		var during []time.Duration
		var watching sync.WaitGroup
		watching.Go(func() { during = a.views(t, path, over) })
		statuses, took := flood(200)
		close(over)
		watching.Wait()
		t.Logf("200 logins took %s: %v", took.Round(time.Millisecond), statuses)
		if statuses[200] < 66 || statuses[400] < 133 {
			t.Errorf("200 logins should all be waited for: %v", statuses)
		}
		if len(during) < 100 {
			t.Fatalf("only %d views during the logins", len(during))
		}
		t.Logf("view p50 idle %s, during the logins %s", before[len(before)/2], during[len(during)/2])
		t.Logf("view p99 idle %s, during the logins %s (%.1f times)", p99(before), p99(during), float64(p99(during))/float64(p99(before)))
		return p99(during)
	}
	// The goal is 3 times idle; on a machine that others use too, only what
	// could not be chance is a failure: views must not wait for passwords.
	// The least of three floods: noise only adds.
	limit, least := max(10*p99(before), 150*time.Millisecond), time.Hour
	for try := 0; try < 3 && least > limit; try++ {
		least = min(least, beside())
	}
	if least > limit {
		t.Errorf("views took up to %s (p99) during the logins, %s idle", least, p99(before))
	}

	if !long() {
		return
	}
	a.http.Timeout = 3 * time.Minute // the last of those that may wait waits for 400 others
	if statuses, _ := flood(700); statuses[503] == 0 || statuses[200] == 0 {
		t.Errorf("700 at once: %v", statuses)
	} else {
		t.Logf("700 at once: %v", statuses)
	}
	a.healthy(t)
}

// TestUnknownNames checks that the time a login takes does not tell whether
// there is such a user.
func TestUnknownNames(t *testing.T) {
	a := start(t)
	a.must(t, a.post(t, records("users"), a.token, map[string]any{"email": "u@example.com", "password": "12345678", "passwordConfirm": "12345678"}), 200)
	median := func(identity string) time.Duration {
		var all []time.Duration
		for range 9 {
			began := time.Now()
			got := a.post(t, "/api/collections/users/auth-with-password", "", map[string]any{"identity": identity, "password": "wrong"})
			all = append(all, time.Since(began))
			isError(t, got, 400)
			if !strings.Contains(string(got.body), "Failed to authenticate.") {
				t.Errorf("%s: %s", identity, got.body)
			}
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	// The least of three tries each: noise only adds.
	known, unknown := time.Hour, time.Hour
	for i := range 3 {
		known = min(known, median("u@example.com"))
		unknown = min(unknown, median(fmt.Sprintf("nobody%d@example.com", i)))
	}
	t.Logf("wrong password %s, unknown name %s", known, unknown)
	if ratio := float64(unknown) / float64(known); ratio < 0.5 || ratio > 2 {
		t.Errorf("a wrong password takes %s, an unknown name %s", known, unknown)
	}
}
