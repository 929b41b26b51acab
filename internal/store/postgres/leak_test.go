package postgres

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/internal/store"
)

// Nothing runs on after Close, whatever was cut off before.
func TestNothingIsLeft(t *testing.T) {
	_, url := localclustertest.Database(t)
	before := goleak.IgnoreCurrent()
	w := new(cable)
	s := open(t, Options{URL: url, dial: w.dial})
	c := create(t, s, things())
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_ = s.Read(ctx, func(r store.Reader) error {
		for {
			if _, err := r.Find(ctx, store.Query{Collection: c}); err != nil {
				return err
			}
		}
	})
	w.arm(3, 0)
	_, _ = s.Write(t.Context(), func(tx store.Tx) error { return tx.Insert(t.Context(), thing(c, "a", "", 0)) })
	w.disarm()
	w.arm(0, 5)
	_, _ = s.Write(t.Context(), func(tx store.Tx) error { return tx.Insert(t.Context(), thing(c, "b", "", 0)) })
	w.disarm()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	goleak.VerifyNone(t, before)
}
