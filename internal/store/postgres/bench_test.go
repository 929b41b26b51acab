package postgres

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/internal/store"
)

// benchClients is how many ask at once.
const benchClients = 32

// BenchmarkStore compares the store with a bare pgx loop that runs the same
// statements: one connection for each client, nothing around.
func BenchmarkStore(b *testing.B) {
	pg := localclustertest.Postgres(b, localcluster.Options{})
	if err := pg.CreateDatabase(b.Context(), "bench"); err != nil {
		b.Fatal(err)
	}
	url := pg.URL("bench", "postgres")
	s := open(b, Options{URL: url})
	c := create(b, s, things())
	ctx := b.Context()
	write(b, s, func(tx store.Tx) error {
		for i := range 10_000 {
			if err := tx.Insert(ctx, thing(c, fmt.Sprintf("seed%011d", i), "some title of some length", float64(i))); err != nil {
				return err
			}
		}
		return nil
	})
	conns := make([]*pgx.Conn, benchClients)
	for i := range conns {
		var err error
		if conns[i], err = pgx.Connect(ctx, url); err != nil {
			b.Fatal(err)
		}
		defer conns[i].Close(context.Background())
	}
	var ids atomic.Int64
	seed := func() string { return fmt.Sprintf("seed%011d", rand.IntN(10_000)) }
	parallel := func(b *testing.B, do func(client int) error) {
		var client atomic.Int64
		b.SetParallelism(benchClients / 2)
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			own := int(client.Add(1)-1) % benchClients
			for pb.Next() {
				if err := do(own); err != nil {
					b.Error(err)
					return
				}
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
	}
	b.Run("view/pgx", func(b *testing.B) {
		parallel(b, func(i int) error {
			var id, title string
			var n float64
			return conns[i].QueryRow(ctx, `SELECT id, title, n FROM things WHERE id = $1`, seed()).Scan(&id, &title, &n)
		})
	})
	b.Run("view/pando", func(b *testing.B) {
		parallel(b, func(int) error {
			return s.Read(store.One(ctx), func(r store.Reader) error { _, err := r.Record(ctx, c, seed()); return err })
		})
	})
	b.Run("create/pgx", func(b *testing.B) {
		parallel(b, func(i int) error {
			_, err := conns[i].Exec(ctx, `INSERT INTO things (id, title, n) VALUES ($1, $2, $3)`, fmt.Sprintf("pgx%012d", ids.Add(1)), "some title", 1.5)
			return err
		})
	})
	b.Run("create/pando", func(b *testing.B) {
		parallel(b, func(int) error {
			r := thing(c, fmt.Sprintf("own%012d", ids.Add(1)), "some title", 1.5)
			_, err := s.Write(ctx, func(tx store.Tx) error { return tx.Insert(ctx, r) })
			return err
		})
	})
	b.Run("update/pgx", func(b *testing.B) {
		parallel(b, func(i int) error {
			id, title, n := seed(), "", 0.0
			if err := conns[i].QueryRow(ctx, `SELECT title, n FROM things WHERE id = $1`, id).Scan(&title, &n); err != nil {
				return err
			}
			_, err := conns[i].Exec(ctx, `UPDATE things SET n = $1 WHERE id = $2`, n+1, id)
			return err
		})
	})
	b.Run("update/pando", func(b *testing.B) {
		parallel(b, func(int) error {
			id := seed()
			_, err := s.Write(ctx, func(tx store.Tx) error {
				old, err := tx.Record(ctx, c, id)
				if err != nil {
					return err
				}
				next := old.Clone()
				next.Set("n", old.Get("n").(float64)+1)
				return tx.Update(ctx, old, next)
			})
			return err
		})
	})
	b.Logf("retries: %d", s.Stats().Retries)
}
