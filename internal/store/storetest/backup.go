package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/pandobase/pando/internal/store"
)

var backupTests = []test{
	{"a backup is the store at one moment, taken while it serves", func(f *fixture) {
		c := f.save(notes())
		f.insert(note(c, "a", "0"), note(c, "b", "0"))
		for i := range 200 { // some volume
			f.insert(note(c, fmt.Sprint(i), string(bytes.Repeat([]byte("x"), 3000))))
		}
		var copy bytes.Buffer
		round := 0
		// Writes go on between the pieces of the backup.
		w := writerFunc(func(p []byte) (int, error) {
			if round++; round%20 == 0 {
				wait(func() {
					f.write(func(tx store.Tx) error {
						for _, id := range []string{"a", "b"} {
							old, err := tx.Record(f.ctx, c, id)
							if err != nil {
								return err
							}
							next := old.Clone()
							next.Set("title", fmt.Sprint(round))
							if err := tx.Update(f.ctx, old, next); err != nil {
								return err
							}
						}
						return tx.Insert(f.ctx, note(c, fmt.Sprint("during", round), ""))
					})
				})
			}
			return copy.Write(p)
		})
		if err := f.store.Backup(f.ctx, w); err != nil {
			f.Fatal(err)
		}
		if round < 20 {
			f.Fatalf("the backup came in %d pieces: nothing was written meanwhile", round)
		}
		f.store = f.backend.Restore(f.T, copy.Bytes())
		c = f.collection("notes")
		if a, b := f.get(c, "a").String("title"), f.get(c, "b").String("title"); a != "0" || b != "0" {
			f.Errorf("a is %s, b is %s", a, b)
		}
		page := f.page(store.Query{Collection: c, Total: true})
		if page.Total != 202 || len(page.Records) != 202 {
			f.Errorf("%d records, total %d", len(page.Records), page.Total)
		}
		f.insert(note(c, "after", "")) // it can be written to
	}},
	{"a writer that fails", func(f *fixture) {
		f.save(notes())
		mine := errors.New("mine")
		err := f.store.Backup(f.ctx, writerFunc(func([]byte) (int, error) { return 0, mine }))
		if !errors.Is(err, mine) {
			f.Errorf("error is %v", err)
		}
		f.save(base("other")) // nothing is left locked
	}},
	{"a context that is done", func(f *fixture) {
		ctx, cancel := context.WithCancel(f.ctx)
		cancel()
		if err := f.store.Backup(ctx, io.Discard); !errors.Is(err, context.Canceled) {
			f.Errorf("error is %v", err)
		}
	}},
}

type writerFunc func([]byte) (int, error)

func (w writerFunc) Write(p []byte) (int, error) { return w(p) }
