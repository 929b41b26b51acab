package cached_test

import (
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pandobase/pando/internal/cache/cachetest"
	"github.com/pandobase/pando/internal/store/cached"
)

// lines is a log that can be read.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// TestChangingTooOften: a collection whose facts are mostly out of date when they
// are found is kept out of the tier, and that is said.
func TestChangingTooOften(t *testing.T) {
	shared, log := new(cachetest.Shared), new(lines)
	f := open(t)
	f.insert(t, "a", 0)
	web := f.server(t, cached.Options{Tier: shared, Log: slog.New(slog.NewTextHandler(log, nil))})
	var fills atomic.Int64
	for i := range 1100 {
		if err := f.set(t.Context(), "a", float64(i)); err != nil {
			t.Fatal(err)
		}
		if got, err := web.view(t.Context(), "a", &fills); err != nil || got != float64(i) {
			t.Fatalf("a is %v, %v; want %d", got, err, i)
		}
	}
	l := web.Labels()[0]
	if l.Fills != uint64(fills.Load()) {
		t.Errorf("%d fills are counted of %d", l.Fills, fills.Load())
	}
	if !l.Shut || l.Stale < 1000 || l.Stale > 1050 || !strings.Contains(log.String(), "collection=notes_id") {
		t.Errorf("%+v, and the log says %s", l, log)
	}
	asked := shared.Asked()
	if err := f.set(t.Context(), "a", -5); err != nil {
		t.Fatal(err)
	}
	if got, err := web.view(t.Context(), "a", &fills); err != nil || got != -5 || shared.Asked() != asked {
		t.Errorf("a is %v, %v; the tier was asked %d times more", got, err, shared.Asked()-asked)
	}
}
