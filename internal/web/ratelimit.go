package web

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/pandobase/pando"
)

// limiter counts requests in fixed windows, by rule, route, collection and
// address. It lives in this process's memory and starts anew when the settings
// change.
type limiter struct {
	mu       sync.Mutex
	settings *pando.Settings // the settings that the windows belong to
	windows  map[windowKey]*window
	sweep    time.Time // when to throw out windows that are over
}

type windowKey struct {
	rule       int
	route      string
	collection string // id; "" if the rule is not about a collection
	ip         string
}

type window struct {
	ends  time.Time
	count int
}

// maxWindows bounds the memory that strangers can make the limiter use.
const maxWindows = 200_000

// check counts a request and fails if it is one too many. tags are the names of
// what the route does to a collection.
func (l *limiter) check(s *pando.Settings, c *call, route, ref string, tags []string) error {
	if c.req.IsSuperuser() || s.RateLimits.Excludes(c.req.RealIP) {
		return nil
	}
	collection := ""
	if len(tags) > 0 {
		if def := c.h.cfg.Collection(ref); def != nil {
			collection = def.Name
		}
	}
	rule, ofCollection := findRule(s.RateLimits.Rules, c, collection, tags)
	if rule < 0 {
		return nil
	}
	key := windowKey{rule: rule, route: route, ip: c.req.RealIP}
	if ofCollection {
		key.collection = collection
	}
	if !l.allow(s, key, time.Now()) {
		return &pando.Error{Kind: pando.KindTooMany}
	}
	return nil
}

// LimitLogin counts a login with a password that came another way than by the
// API's route, and fails if it is one too many (KindTooMany).
func (h *Handler) LimitLogin(r *http.Request, collection string) error {
	if !h.cfg.Settings.Current().RateLimits.Enabled {
		return nil
	}
	c := &call{h: h, r: r}
	settings, err := c.identify()
	if err != nil {
		return err
	}
	return h.limits.check(settings, c, loginPattern, collection, loginTags)
}

// findRule is the one rule that counts for a request, -1 if none does: the most
// specific label first, among equal labels the first whose audience fits.
func findRule(rules []pando.RateLimitRule, c *call, collection string, tags []string) (rule int, ofCollection bool) {
	audience := "@guest"
	if c.req.Auth != nil {
		audience = "@auth"
	}
	find := func(match func(label string) bool) int {
		for i := range rules {
			if a := rules[i].Audience; (a == "" || a == audience) && match(rules[i].Label) {
				return i
			}
		}
		return -1
	}
	if collection != "" {
		for _, owner := range []string{collection, "*"} {
			for _, tag := range tags {
				label := owner + ":" + tag
				if i := find(func(l string) bool { return strings.EqualFold(l, label) }); i >= 0 {
					return i, true
				}
			}
		}
	}
	path := c.r.URL.Path
	for _, label := range []string{c.r.Method + " " + path, path} {
		if i := find(func(l string) bool { return l == label }); i >= 0 {
			return i, false
		}
		prefix := func(l string) bool { return strings.HasSuffix(l, "/") && strings.HasPrefix(label, l) }
		if i := find(prefix); i >= 0 {
			return i, false
		}
	}
	return -1, false
}

func (l *limiter) allow(s *pando.Settings, key windowKey, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.settings != s {
		l.settings, l.windows = s, map[windowKey]*window{}
	}
	if now.After(l.sweep) {
		for k, w := range l.windows {
			if now.After(w.ends) {
				delete(l.windows, k)
			}
		}
		l.sweep = now.Add(10 * time.Second)
	}
	rule := s.RateLimits.Rules[key.rule]
	w := l.windows[key]
	if w == nil || now.After(w.ends) {
		if w == nil && len(l.windows) >= maxWindows {
			return false // a flood from more addresses than can be counted
		}
		l.windows[key] = &window{ends: now.Add(time.Duration(rule.Duration) * time.Second), count: 1}
		return rule.MaxRequests > 0
	}
	w.count++
	return w.count <= rule.MaxRequests
}
