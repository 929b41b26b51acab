package sqlite

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

// posts is a collection of records of about 600 bytes.
func posts(id string) *pando.Collection {
	c := &pando.Collection{ID: id, Name: id, Type: pando.TypeBase}
	add := func(name string, t pando.FieldType, o pando.FieldOptions) {
		c.Fields = append(c.Fields, &pando.Field{ID: "f_" + name, Name: name, Type: t, Options: o})
	}
	add("id", pando.FieldText, &pando.TextOptions{PrimaryKey: true})
	add("title", pando.FieldText, &pando.TextOptions{})
	add("body", pando.FieldText, &pando.TextOptions{})
	add("views", pando.FieldNumber, &pando.NumberOptions{})
	add("public", pando.FieldBool, &pando.BoolOptions{})
	add("tags", pando.FieldSelect, &pando.SelectOptions{MaxSelect: 3})
	add("owner", pando.FieldRelation, &pando.RelationOptions{MaxSelect: 1})
	add("created", pando.FieldAutodate, &pando.AutodateOptions{OnCreate: true})
	add("updated", pando.FieldAutodate, &pando.AutodateOptions{OnCreate: true, OnUpdate: true})
	return c
}

var body = strings.Repeat("The quick brown fox. ", 20)

func post(c *pando.Collection, id string) *pando.Record {
	r := pando.NewRecord(c)
	now := pando.FormatTime(time.Now())
	for name, v := range map[string]any{
		"id": id, "title": "A title of some length", "body": body, "views": 17.0, "public": true,
		"tags": []string{"a", "b"}, "owner": "u23456789012345", "created": now, "updated": now,
	} {
		r.Set(name, v)
	}
	return r
}

func number15(i int) string { return fmt.Sprintf("r%014d", i) }

// benchStore is a store with n posts.
func benchStore(b *testing.B, n int) (*Store, *pando.Collection) {
	s, err := Open(Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	ctx := b.Context()
	if _, err := s.Write(ctx, func(tx store.Tx) error { return tx.SaveCollection(ctx, nil, posts("posts")) }); err != nil {
		b.Fatal(err)
	}
	c := s.Catalog().Collection("posts")
	_, err = s.Write(ctx, func(tx store.Tx) error {
		for i := range n {
			if err := tx.Insert(ctx, post(c, number15(i))); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return s, c
}

func BenchmarkView(b *testing.B) {
	s, c := benchStore(b, 10000)
	ctx := b.Context()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		err := s.Read(ctx, func(r store.Reader) error {
			_, err := r.Record(ctx, c, number15(i%10000))
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkList30(b *testing.B) {
	s, c := benchStore(b, 10000)
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		err := s.Read(ctx, func(r store.Reader) error {
			_, err := r.Find(ctx, store.Query{Collection: c, Limit: 30, Total: true})
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCreate(b *testing.B) {
	for _, callers := range []int{1, 32, 128} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			s, c := benchStore(b, 10000)
			ctx := b.Context()
			var mu sync.Mutex
			var took []time.Duration
			next := make(chan int)
			var wg sync.WaitGroup
			for range callers {
				wg.Go(func() {
					var own []time.Duration
					for i := range next {
						r := post(c, pando.NewID())
						start := time.Now()
						_, err := s.Write(ctx, func(tx store.Tx) error { return tx.Insert(ctx, r) })
						if err != nil {
							b.Error(i, err)
							return
						}
						own = append(own, time.Since(start))
					}
					mu.Lock()
					took = append(took, own...)
					mu.Unlock()
				})
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				next <- i
			}
			close(next)
			wg.Wait()
			slices.Sort(took)
			b.ReportMetric(float64(len(took))/b.Elapsed().Seconds(), "creates/s")
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
		})
	}
}
