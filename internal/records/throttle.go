package records

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	throttleWindow = 3 * time.Second
	throttleFree   = 4 // empty answers of a window that are not slowed down
	throttleDelay  = 500 * time.Millisecond
	throttleKeep   = 10_000 // windows; beyond that, those that ended are forgotten
)

// throttle counts empty answers to filters of guarded lists, by collection and
// address: whoever guesses at hidden records by filters, one after the other,
// gets many of them.
type throttle struct {
	mu      sync.Mutex
	windows map[[2]string]*window
}

type window struct {
	ends  time.Time
	count int
}

// hit counts one, and tells whether that was one too many.
func (t *throttle) hit(now time.Time, collection, ip string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.windows == nil {
		t.windows = map[[2]string]*window{}
	}
	key := [2]string{collection, ip}
	w := t.windows[key]
	if w == nil || now.After(w.ends) {
		if w == nil && len(t.windows) >= throttleKeep {
			for k, old := range t.windows {
				if now.After(old.ends) || len(t.windows) >= 2*throttleKeep {
					delete(t.windows, k)
				}
			}
		}
		w = &window{ends: now.Add(throttleWindow)}
		t.windows[key] = w
	}
	w.count++
	return w.count > throttleFree
}

// slowDown makes the caller wait a random moment if it got too many empty
// answers.
func (s *Records) slowDown(ctx context.Context, collection, ip string) error {
	if !s.throttle.hit(s.now(), collection, ip) {
		return nil
	}
	return s.sleep(ctx, rand.N(throttleDelay))
}
