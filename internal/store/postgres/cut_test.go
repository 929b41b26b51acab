package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
)

// A connection that is cut at any point of a write, on the way there or back:
// the write is made whole, once, or not at all, and what is answered is so.
func TestConnectionLost(t *testing.T) {
	for _, shape := range []struct {
		name string
		do   func(ctx context.Context, tx store.Tx, c *pando.Collection, id string) error
	}{
		{"create", func(ctx context.Context, tx store.Tx, c *pando.Collection, id string) error {
			if err := tx.Insert(ctx, thing(c, id+"a", "", 1)); err != nil {
				return err
			}
			return tx.Insert(ctx, thing(c, id+"b", "", 1))
		}},
		{"read, update, create", func(ctx context.Context, tx store.Tx, c *pando.Collection, id string) error {
			if err := increment(ctx, tx, c, "counter"); err != nil {
				return err
			}
			if err := tx.Insert(ctx, thing(c, id+"a", "", 1)); err != nil {
				return err
			}
			if _, err := tx.Find(ctx, store.Query{Collection: c, Limit: 1}); err != nil {
				return err
			}
			return tx.Insert(ctx, thing(c, id+"b", "", 1))
		}},
		{"describe a view, create", func(ctx context.Context, tx store.Tx, c *pando.Collection, id string) error {
			if _, err := tx.DescribeView(ctx, "SELECT id, title FROM things"); err != nil {
				return err
			}
			return errors.Join(tx.Insert(ctx, thing(c, id+"a", "", 1)), tx.Insert(ctx, thing(c, id+"b", "", 1)))
		}},
		{"change a rule, create", func(ctx context.Context, tx store.Tx, c *pando.Collection, id string) error {
			next := c.Clone()
			next.ListRule = &id
			if err := tx.SaveCollection(ctx, c, next); err != nil {
				return err
			}
			return errors.Join(tx.Insert(ctx, thing(next, id+"a", "", 1)), tx.Insert(ctx, thing(next, id+"b", "", 1)))
		}},
	} {
		t.Run(shape.name, func(t *testing.T) {
			w, told := new(cable), new(sink)
			s, c := fresh(t, Options{PoolSize: 2, OneShot: true, dial: w.dial, Sinks: []changes.Sink{told}})
			write(t, s, func(tx store.Tx) error { return tx.Insert(t.Context(), thing(c, "counter", "", 0)) })
			unknown, counted := 0, 0.0
			for _, back := range []bool{false, true} {
				for at := 1; ; at++ {
					id := fmt.Sprintf("%v-%d", back, at)
					if back {
						w.arm(0, at)
					} else {
						w.arm(at, 0)
					}
					c := s.Catalog().Collection("things")
					_, err := s.Write(t.Context(), func(tx store.Tx) error { return shape.do(t.Context(), tx, c, id) })
					cut := w.disarm()
					a, b := get(t, s, c, id+"a"), get(t, s, c, id+"b")
					n := get(t, s, c, "counter").Get("n").(float64) - counted
					counted += n
					there := a != nil
					switch {
					case there != (b != nil):
						t.Errorf("cut at %s: half of it is there", id)
					case err == nil && !there:
						t.Errorf("cut at %s: answered, and not there", id)
					case err != nil && there && !isUnknown(err):
						t.Errorf("cut at %s: refused (%v), and there", id, err)
					case n > 1 || strings.Contains(shape.name, "update") && there != (n == 1):
						t.Errorf("cut at %s: counted %v times, there: %v", id, n, there)
					}
					if isUnknown(err) {
						unknown++
					} else if err != nil {
						t.Errorf("cut at %s: %v", id, err)
					}
					if got := told.creates(id + "a"); err == nil && got != 1 {
						t.Errorf("cut at %s: followers were told %d times", id, got)
					}
					if !cut {
						t.Logf("%d places, back: %v", at-1, back)
						break
					}
				}
			}
			if unknown > 0 {
				t.Errorf("%d outcomes are unknown, though the server could be asked", unknown)
			}
		})
	}
}

// What is read is read over another connection.
func TestReadConnectionLost(t *testing.T) {
	w := new(cable)
	s, c := fresh(t, Options{PoolSize: 2, OneShot: true, dial: w.dial})
	write(t, s, func(tx store.Tx) error { return tx.Insert(t.Context(), thing(c, "a", "", 0)) })
	for _, back := range []bool{false, true} {
		for at := 1; ; at++ {
			if back {
				w.arm(0, at)
			} else {
				w.arm(at, 0)
			}
			var columns []store.ViewColumn
			var rec *pando.Record
			err := s.Read(t.Context(), func(r store.Reader) (err error) {
				if rec, err = r.Record(t.Context(), c, "a"); err == nil {
					columns, err = r.DescribeView(t.Context(), "SELECT id, title FROM things")
				}
				return err
			})
			cut := w.disarm()
			if err != nil || rec == nil || len(columns) != 2 {
				t.Errorf("cut at %v-%d: %v, %v, %v", back, at, rec, columns, err)
			}
			if !cut {
				t.Logf("%d places, back: %v", at-1, back)
				break
			}
		}
	}
}

func isUnknown(err error) bool {
	e, ok := err.(*pando.Error)
	return ok && e.Data["outcome"] == "unknown"
}

// A record that is not there, though it may have been made and deleted since it was sent,
// is not made again.
func TestDeletedIsNotMadeAgain(t *testing.T) {
	s, c := fresh(t, Options{OneShot: true})
	from := position.N(1 << 40) // beyond where the log is
	x := position.NewStreamIndex(position.Epoch{}, from, 1<<10)
	x.Advance(from)
	s.clock = position.NewClock(x, 0)
	defer func() { s.clock = nil }()
	n, conn, err := s.nodes.writer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer n.release(conn)
	tr := s.newTx(t.Context(), mode{})
	another := position.NewStreamIndex(position.Epoch{Timeline: 2}, from, 1<<10)
	lost := &flight{index: x, departed: from, batch: changes.Batch{Changes: []changes.Change{{Action: changes.Create, Record: thing(c, "a", "", 1)}}}}
	for i, step := range []struct {
		name string
		do   func()
		want fate
	}{
		{"nothing has changed", func() {}, fateAborted},
		{"another record has", func() { x.Apply(from+1, 1, []position.Tag{position.RecordTag(c.ID, "b")}, false) }, fateAborted},
		{"it has", func() { x.Apply(from+2, 2, []position.Tag{position.RecordTag(c.ID, "a")}, false) }, fateUnknown},
		{"it had, in the index of then", func() { s.clock.Replace(another) }, fateUnknown},
		{"nothing has, in either", func() { lost.departed = from + 2 }, fateAborted},
		{"it has, in the index of now", func() { another.Apply(from+5, 3, []position.Tag{position.RecordTag(c.ID, "a")}, false) }, fateUnknown},
	} {
		step.do()
		s.clock.Index().Advance(from + position.N(i))
		if got, err := tr.lookForDelete(t.Context(), n, conn, lost); got != step.want || err != nil {
			t.Errorf("%s: %v, %v", step.name, got, err)
		}
	}
}
