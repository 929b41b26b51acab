package web

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pandobase/pando"
)

// Answers of a server that cannot know the newest say how old they may be, also if
// it came to that while they were made.
func TestAnswersAreMarkedWithTheirAge(t *testing.T) {
	var age time.Duration
	h := newFake().handler(t, func(c *Config) {
		c.Registry = prometheus.NewRegistry()
		c.Age = func() time.Duration { return age }
		c.Settings = lateSettings{c.Settings, func() { age = 1200 * time.Millisecond }}
	})
	w := request(h, "GET", "/api/health", "")
	if got := w.Header().Get("Age"); got != "2" {
		t.Errorf("Age is %q, want the seconds that have begun, 2", got)
	}
	h.cfg.Settings = fakeSettings{f: newFake()}
	age = 0
	if w = request(h, "GET", "/api/health", ""); w.Header().Get("Age") != "" {
		t.Error("a current answer is marked")
	}
	turns := uint64(0)
	h.cfg.Turns = func() uint64 { return turns }
	h.cfg.Settings = lateSettings{fakeSettings{f: newFake()}, func() { turns++ }} // came and went meanwhile
	if w = request(h, "GET", "/api/health", ""); w.Header().Get("Age") != "1" {
		t.Error("an answer is not marked that was made while others could be old")
	}
	h.cfg.Settings, h.cfg.Turns = fakeSettings{f: newFake()}, nil
	if w = request(h, "GET", "/metrics", "", "Authorization: super"); !strings.Contains(w.Body.String(), "pando_aged_answers_total 2\n") {
		t.Error("the marked answers are not counted once each")
	}
}

// lateSettings are asked for while a request is answered.
type lateSettings struct {
	pando.SettingsService
	asked func()
}

func (s lateSettings) Current() *pando.Settings {
	s.asked()
	return s.SettingsService.Current()
}

func TestSystemIsForSuperusers(t *testing.T) {
	h := newFake().handler(t, func(c *Config) {
		c.System = func(context.Context) (any, error) { return map[string]int{"servers": 3}, nil }
	})
	for token, want := range map[string]int{"": 401, "user": 403, "super": 200} {
		w := request(h, "GET", "/api/system", "", "Authorization: "+token)
		if w.Code != want || want == 200 && w.Body.String() != `{"servers":3}` {
			t.Errorf("%q: %d %s", token, w.Code, w.Body)
		}
	}
}
