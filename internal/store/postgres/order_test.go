package postgres

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
)

// sink keeps what it is given.
type sink struct {
	mu   sync.Mutex
	list []changes.Batch
}

func (s *sink) Publish(b changes.Batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, b)
}

// take is a copy of what was published so far.
func (s *sink) take() []changes.Batch {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.list)
}

func (s *sink) creates(id string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.list {
		for _, ch := range b.Changes {
			if ch.Action == changes.Create && ch.Record.ID() == id {
				n++
			}
		}
	}
	return n
}

// Writers chase each other over a few records: each must be told of after those
// whose effects it has seen.
func TestSinksAreToldInOrder(t *testing.T) {
	told := new(sink)
	s, c := fresh(t, Options{Sinks: []changes.Sink{told}})
	write(t, s, func(tx store.Tx) error {
		return errors.Join(tx.Insert(t.Context(), thing(c, "0", "", 0)), tx.Insert(t.Context(), thing(c, "1", "", 0)))
	})
	var wg sync.WaitGroup
	for k := range 12 {
		wg.Go(func() {
			for i := range 15 {
				if _, err := s.Write(t.Context(), func(tx store.Tx) error {
					old, err := tx.Record(t.Context(), c, fmt.Sprint((k+i)%2))
					if err != nil {
						return err
					}
					next := old.Clone()
					next.Set("n", old.Get("n").(float64)+1)
					return tx.Update(t.Context(), old, next)
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	seen := map[string]float64{}
	last := position.N(0)
	for _, b := range told.take() {
		if b.Position <= last {
			t.Errorf("position %d after %d", b.Position, last)
		}
		last = b.Position
		for _, ch := range b.Changes {
			if ch.Action != changes.Update {
				continue
			}
			if n := ch.Record.Get("n").(float64); n != seen[ch.Record.ID()]+1 {
				t.Errorf("record %s: told of %v after %v", ch.Record.ID(), n, seen[ch.Record.ID()])
			}
			seen[ch.Record.ID()]++
		}
	}
	if seen["0"]+seen["1"] != 180 {
		t.Errorf("told of %v updates", seen)
	}
	t.Logf("%d transactions were run again", s.Stats().Retries)
}

// Two transactions that each read what the other writes cannot both be kept as
// they were run.
func TestWriteSkew(t *testing.T) {
	s, c := fresh(t, Options{})
	ctx := t.Context()
	for round := range 20 {
		a, b := fmt.Sprint("a", round), fmt.Sprint("b", round)
		write(t, s, func(tx store.Tx) error {
			return errors.Join(tx.Insert(ctx, thing(c, a, "on call", 0)), tx.Insert(ctx, thing(c, b, "on call", 0)))
		})
		var wg sync.WaitGroup
		var left atomic.Int32
		start := make(chan struct{})
		for _, mine := range []string{a, b} {
			wg.Go(func() {
				<-start
				var leaves bool
				_, err := s.Write(ctx, func(tx store.Tx) error {
					leaves = false
					recs, err := tx.Records(ctx, c, []string{a, b})
					if err != nil {
						return err
					}
					var own *pando.Record
					duty := 0
					for _, r := range recs {
						if r.String("title") == "on call" {
							duty++
						}
						if r.ID() == mine {
							own = r
						}
					}
					if duty < 2 { // somebody must stay
						return nil
					}
					leaves = true
					return tx.Update(ctx, own, thing(c, mine, "off", 0))
				})
				if err != nil {
					t.Error(err)
				}
				if leaves {
					left.Add(1)
				}
			})
		}
		close(start)
		wg.Wait()
		if left.Load() != 1 {
			t.Fatalf("round %d: %d have left", round, left.Load())
		}
	}
}
