package web

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/position"
)

// judged is a service that reads at a position, on a database with a history.
type judged struct {
	*fake
	key     position.Key
	history position.History
	latest  position.N
	reads   []position.Token // what each view observes
	require []position.Token // what it was required not to be older than
	during  func()           // comes in between
}

func (j *judged) View(ctx context.Context, _ *pando.Request, _, _ string, _ pando.Projection) (pando.Answer, error) {
	s := position.SessionOf(ctx)
	t, _ := s.Require()
	j.require = append(j.require, t)
	for _, r := range j.reads {
		s.Observe(r)
	}
	if j.during != nil {
		j.during()
	}
	return j.answer, j.err
}

func newJudged(t *testing.T) (*judged, *Handler) {
	j := &judged{fake: newFake(), key: position.NewKey([]byte("secret")),
		history: position.History{Timeline: 2, Forks: []position.Fork{{Timeline: 1, At: 100}}}, latest: 500}
	return j, j.handler(t, func(cfg *Config) {
		cfg.Records = j
		cfg.Positions = &Positions{Key: j.key,
			Judge: func(_ context.Context, t position.Token) position.Verdict { return j.history.Judge(t, j.latest) },
			Void:  func(_ context.Context, t position.Token) bool { return j.history.Void(t) }}
		cfg.Extra = []Route{
			{Pattern: "GET /early", Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				position.SessionOf(r.Context()).Observe(position.Token{Timeline: 2, N: 300})
				w.WriteHeader(http.StatusEarlyHints)
				w.WriteHeader(http.StatusTeapot)
			})},
			{Pattern: "GET /flush", Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if err := http.NewResponseController(w).Flush(); err != nil {
					t.Errorf("flush: %v", err)
				}
			})},
			{Pattern: "GET /nothing", Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})},
		}
	})
}

const viewURL = "/api/collections/open/records/x"

func TestPosition(t *testing.T) {
	tok := func(timeline uint32, n position.N) position.Token { return position.Token{Timeline: timeline, N: n} }
	foreign := tok(2, 50).Format(position.NewKey([]byte("another")))
	tests := []struct {
		name    string
		sent    position.Token
		text    string // instead of sent
		reads   []position.Token
		require position.Token
		want    position.Token
		reset   bool
		verdict string
	}{
		{name: "the first", reads: []position.Token{tok(2, 150)}, want: tok(2, 150), verdict: posStart},
		{name: "the first, of nothing", verdict: posStart},
		{name: "the greatest of what was read", sent: tok(2, 140), reads: []position.Token{tok(2, 150), tok(2, 149)},
			require: tok(2, 140), want: tok(2, 150), verdict: posHolds},
		{name: "its own is greater", sent: tok(2, 160), reads: []position.Token{tok(2, 150)}, require: tok(2, 160), want: tok(2, 160), verdict: posHolds},
		{name: "of before the failover, not lost", sent: tok(1, 100), reads: []position.Token{tok(2, 150)},
			require: tok(1, 100), want: tok(2, 150), verdict: posHolds},
		{name: "lost", sent: tok(1, 101), reads: []position.Token{tok(2, 99)}, want: tok(2, 99), reset: true, verdict: posVoid},
		{name: "foreign", text: foreign, reads: []position.Token{tok(2, 7)}, want: tok(2, 7), verdict: posForged},
		{name: "nonsense", text: "x", reads: []position.Token{tok(2, 7)}, want: tok(2, 7), verdict: posForged},
		{name: "empty", text: " ", reads: []position.Token{tok(2, 7)}, want: tok(2, 7), verdict: posForged},
		{name: "future", sent: tok(2, 501), reads: []position.Token{tok(2, 7)}, want: tok(2, 7), verdict: posFuture},
		{name: "of a timeline to come", sent: tok(3, 1), reads: []position.Token{tok(2, 7)}, want: tok(2, 7), verdict: posFuture},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			j, h := newJudged(t)
			j.reads = tt.reads
			text := tt.sent.Format(j.key)
			if tt.text != "" {
				text = strings.TrimSpace(tt.text)
			}
			r := httptest.NewRequest("GET", viewURL, nil)
			r.Header["X-Pos"] = []string{text}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != 200 || w.Header().Get("X-Pos") != tt.want.Format(j.key) {
				t.Errorf("%d, X-Pos %q, want %q", w.Code, w.Header().Get("X-Pos"), tt.want.Format(j.key))
			}
			if got := w.Header().Get("X-Pos-Reset"); (got == "1") != tt.reset {
				t.Errorf("X-Pos-Reset %q", got)
			}
			if j.require[0] != tt.require {
				t.Errorf("required %v, want %v", j.require[0], tt.require)
			}
			metrics := request(h.Admin(), "GET", "/metrics", "").Body.String()
			for verdict := range h.metrics.positions {
				once := strings.Contains(metrics, `pando_client_positions_total{verdict="`+verdict+"\"} 1\n")
				if once != (verdict == tt.verdict) {
					t.Errorf("%s counted once: %v", verdict, once)
				}
			}
			if w.Header().Get("Access-Control-Expose-Headers") != "" {
				t.Error("headers are exposed to nobody")
			}
		})
	}
}

// A failover between what the client presents and what it is answered.
func TestPositionLostMeanwhile(t *testing.T) {
	j, h := newJudged(t)
	j.history = position.History{Timeline: 1}
	j.reads = []position.Token{{Timeline: 2, N: 120}}
	j.during = func() { j.history = position.History{Timeline: 2, Forks: []position.Fork{{Timeline: 1, At: 100}}} }
	w := request(h, "GET", viewURL, "", "X-Pos: "+position.Token{Timeline: 1, N: 110}.Format(j.key))
	if got := w.Header().Get("X-Pos-Reset"); got != "1" || w.Header().Get("X-Pos") != (position.Token{Timeline: 2, N: 120}).Format(j.key) {
		t.Errorf("X-Pos-Reset %q, X-Pos %q", got, w.Header().Get("X-Pos"))
	}
}

func TestPositionWithoutHeader(t *testing.T) {
	j, h := newJudged(t)
	j.reads = []position.Token{{Timeline: 2, N: 120}}
	w := request(h, "GET", viewURL, "", "Origin: http://example.com")
	for _, name := range []string{"X-Pos", "X-Pos-Reset", "Access-Control-Expose-Headers"} {
		if v, there := w.Header()[name]; there {
			t.Errorf("%s: %q for a client that keeps no positions", name, v)
		}
	}
	// Nor where there are none to be kept.
	w = request(newFake().handler(t), "GET", viewURL, "", "X-Pos: 0")
	if v, there := w.Header()["X-Pos"]; there {
		t.Errorf("X-Pos %q", v)
	}
}

// Whatever answers, and however, the header is there.
func TestPositionOfEveryAnswer(t *testing.T) {
	j, h := newJudged(t)
	sent := position.Token{Timeline: 2, N: 200}
	want := map[string]position.Token{"/early": {Timeline: 2, N: 300}}
	for _, path := range []string{viewURL, "/early", "/flush", "/nothing", "/api/health", "/api/nothing", "/_/", "/livez", "/api/settings"} {
		w := request(h, "GET", path, "", "X-Pos: "+sent.Format(j.key))
		tok, ok := want[path]
		if !ok {
			tok = sent
		}
		if got := w.Header()["X-Pos"]; len(got) != 1 || got[0] != tok.Format(j.key) {
			t.Errorf("%s: %d, X-Pos %q", path, w.Code, got)
		}
	}
	j.err = &pando.Error{Kind: pando.KindNotFound}
	j.reads = []position.Token{{Timeline: 2, N: 400}}
	w := request(h, "GET", viewURL, "", "X-Pos: 0")
	if w.Code != 404 || w.Header().Get("X-Pos") != j.reads[0].Format(j.key) {
		t.Errorf("that there is nothing was read at a position too: %d, %q", w.Code, w.Header().Get("X-Pos"))
	}
}

func TestPositionCORS(t *testing.T) {
	_, h := newJudged(t)
	w := request(h, "OPTIONS", viewURL, "", "Origin: http://example.com",
		"Access-Control-Request-Method: GET", "Access-Control-Request-Headers: authorization,x-pos")
	if got := w.Header().Get("Access-Control-Allow-Headers"); w.Code != 204 || !strings.Contains(got, "x-pos") {
		t.Errorf("preflight: %d, allowed %q", w.Code, got)
	}
	w = request(h, "GET", viewURL, "", "Origin: http://example.com", "X-Pos: 0")
	if got := w.Header().Get("Access-Control-Expose-Headers"); got != "X-Pos, X-Pos-Reset" {
		t.Errorf("exposed: %q", got)
	}
}
