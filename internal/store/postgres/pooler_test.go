package postgres

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/internal/store"
)

// PgBouncer in transaction mode gives each transaction another session: nothing
// may be left in one, or expected of one.
func TestPgBouncer(t *testing.T) {
	pg := localclustertest.Postgres(t, localcluster.Options{NoSync: true})
	ctx := t.Context()
	if err := pg.CreateDatabase(ctx, "app"); err != nil {
		t.Fatal(err)
	}
	pooler, err := localcluster.StartPgBouncer(ctx, pg.Addr(), localcluster.PgBouncerOptions{PoolSize: 5})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pooler.Destroy() })
	s := open(t, Options{URL: pooler.URL("app", "postgres")})
	c := create(t, s, things())
	write(t, s, func(tx store.Tx) error { return tx.Insert(ctx, thing(c, "x", "", 0)) })
	var wg sync.WaitGroup
	for k := range 12 {
		wg.Go(func() {
			for i := range 10 {
				_, err := s.Write(ctx, func(tx store.Tx) error {
					old, err := tx.Record(ctx, c, "x")
					if err != nil {
						return err
					}
					next := old.Clone()
					next.Set("n", old.Get("n").(float64)+1)
					return errors.Join(tx.Update(ctx, old, next), tx.Insert(ctx, thing(c, fmt.Sprint(k, "-", i), "", 0)))
				})
				if err != nil {
					t.Error(err)
				}
				if get(t, s, c, fmt.Sprint(k, "-", i)) == nil {
					t.Error("an answered record is not there")
				}
			}
		})
	}
	wg.Wait()
	if n := get(t, s, c, "x").Get("n"); n != 120.0 {
		t.Errorf("120 increments made %v", n)
	}
	_, err = s.Write(ctx, func(tx store.Tx) error { return tx.Insert(ctx, thing(c, "x", "", 0)) })
	if _, ok := errors.AsType[*store.UniqueError](err); !ok {
		t.Errorf("a second x: %v", err)
	}
	next := c.Clone()
	next.Field("title").Name = "name"
	write(t, s, func(tx store.Tx) error { return tx.SaveCollection(ctx, tx.Catalog().Collection("things"), next) })
	page := store.Page{}
	err = s.Read(store.One(ctx), func(r store.Reader) (err error) {
		page, err = r.Find(ctx, store.Query{Collection: s.Catalog().Collection("things"), Total: true, Limit: 5})
		return err
	})
	if err != nil || page.Total != 121 {
		t.Errorf("%d records, %v", page.Total, err)
	}
}
