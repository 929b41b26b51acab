package local_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/changes/changestest"
	"github.com/pandobase/pando/internal/changes/local"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	changestest.Run(t, func(t *testing.T) changestest.Bus {
		s := local.New(slog.New(slog.DiscardHandler))
		t.Cleanup(func() { s.Close() })
		return s
	})
}

func TestCloseDeliversWhatIsQueued(t *testing.T) {
	s := local.New(slog.New(slog.DiscardHandler))
	n := 0
	s.Subscribe(func(changes.Batch) { n++ })
	for range 100 {
		s.Publish(changes.Batch{Changes: make([]changes.Change, 2)})
	}
	s.Close()
	if n != 100 {
		t.Errorf("%d batches of 100 were delivered", n)
	}
	s.Publish(changes.Batch{})
	s.Close()
	got := s.Stats()
	if got.Peak == 0 || got.Peak > 100 {
		t.Errorf("peak %d", got.Peak)
	}
	got.Peak = 0
	if want := (local.Stats{Delivered: 100}); got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
}

func TestStatsCountWhatWaits(t *testing.T) {
	s := local.New(slog.New(slog.DiscardHandler))
	defer s.Close()
	running, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	first := true
	s.Subscribe(func(changes.Batch) {
		if first {
			first = false
			close(running)
		}
		<-release
	})
	for range 3 {
		s.Publish(changes.Batch{Changes: make([]changes.Change, 2)})
	}
	<-running
	if got, want := s.Stats(), (local.Stats{Batches: 3, Changes: 6, Peak: 3}); got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
}

func TestPanicOfOneFollowerIsNobodyElses(t *testing.T) {
	var log bytes.Buffer
	s := local.New(slog.New(slog.NewTextHandler(&log, nil)))
	n := 0
	s.Subscribe(func(changes.Batch) { panic("oh no") })
	s.Subscribe(func(changes.Batch) { n++ })
	s.Publish(changes.Batch{})
	s.Publish(changes.Batch{})
	s.Close()
	if n != 2 {
		t.Errorf("the other follower got %d batches, want 2", n)
	}
	if !strings.Contains(log.String(), "oh no") {
		t.Errorf("the log does not tell: %q", log.String())
	}
}
