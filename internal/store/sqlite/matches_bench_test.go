package sqlite

import (
	"testing"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/rule"
	"github.com/pandobase/pando/internal/store"
)

// BenchmarkListAfterWrite is a page and a total of some 100 matches among 10,000
// records, each time after a write of one of them.
func BenchmarkListAfterWrite(b *testing.B) {
	s, c := benchStore(b, 10000)
	ctx := b.Context()
	_, err := s.Write(ctx, func(tx store.Tx) error {
		for i := range 100 {
			r, err := tx.Record(ctx, c, number15(i*97))
			if err != nil {
				return err
			}
			next := r.Clone()
			next.Set("title", "one of few")
			if err := tx.Update(ctx, r, next); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	scope := rule.Scope{Schema: s.Catalog(), Collection: c}
	filter, err := rule.Compile(`title = "one of few" && public = true`, scope)
	if err != nil {
		b.Fatal(err)
	}
	sort, err := rule.CompileSort("-created", scope)
	if err != nil {
		b.Fatal(err)
	}
	q := store.Query{Collection: c, Where: []store.Condition{{Rule: filter, Request: new(pando.Request)}}, Sort: sort, Limit: 30, Total: true}
	write := func(b *testing.B, id string, n int) {
		b.StopTimer()
		_, err := s.Write(ctx, func(tx store.Tx) error {
			r, err := tx.Record(ctx, c, id)
			if err != nil {
				return err
			}
			next := r.Clone()
			next.Set("views", float64(n))
			return tx.Update(ctx, r, next)
		})
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	read := func(b *testing.B, fn func(r store.Reader) error) {
		if err := s.Read(ctx, fn); err != nil {
			b.Fatal(err)
		}
	}
	list := func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			write(b, number15(i%100*97), i)
			read(b, func(r store.Reader) error {
				page, err := r.Find(ctx, q)
				if err == nil && (page.Total != 100 || len(page.Records) != 30) {
					b.Errorf("%d of %d", len(page.Records), page.Total)
				}
				return err
			})
		}
	}
	b.Run("remembered", list)
	b.Run("untouched", func(b *testing.B) {
		since := s.index.Frontier()
		for i := 0; b.Loop(); i++ {
			write(b, number15(1), i)
			read(b, func(r store.Reader) error {
				same, err := r.(store.Rememberer).Unchanged(ctx, q, since)
				if err == nil && !same {
					b.Error("not unchanged")
				}
				return err
			})
		}
	})
	s.opts.RememberFrom = -1
	b.Run("searched", list)
}
