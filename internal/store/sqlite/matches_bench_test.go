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
	for _, how := range []struct {
		name string
		from int
	}{{"remembered", 0}, {"searched", -1}} {
		b.Run(how.name, func(b *testing.B) {
			s.opts.RememberFrom = max(how.from, -1)
			for i := 0; b.Loop(); i++ {
				b.StopTimer()
				_, err := s.Write(ctx, func(tx store.Tx) error {
					r, err := tx.Record(ctx, c, number15(i%100*97))
					if err != nil {
						return err
					}
					next := r.Clone()
					next.Set("views", float64(i))
					return tx.Update(ctx, r, next)
				})
				if err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				err = s.Read(ctx, func(r store.Reader) error {
					page, err := r.Find(ctx, q)
					if err == nil && (page.Total != 100 || len(page.Records) != 30) {
						b.Errorf("%d of %d", len(page.Records), page.Total)
					}
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
