package storetest

import (
	"errors"
	"fmt"

	"github.com/pandobase/pando/internal/store"
)

// supposeTests: whatever AllThere says in the run that counts is true.
var supposeTests = []test{
	{"what is there", func(f *fixture) {
		c := f.save(notes())
		f.insert(note(c, "a", ""), note(c, "b", ""))
		n := 0
		for _, tt := range []struct {
			ids  []string
			want bool
		}{
			{[]string{"a"}, true}, {[]string{"b", "a", "b"}, true}, {[]string{"a", "none"}, false}, {[]string{"none"}, false},
			{[]string{"a\x00"}, false}, {[]string{"a", "b", "a", "b", "a", "none", "other", "third", "fourth"}, false},
		} {
			for name, insert := range map[string]bool{"alone": false, "before an insert": true} {
				n++
				var got bool
				f.write(func(tx store.Tx) error {
					var err error
					if got, err = store.AllThere(f.ctx, tx, c, tt.ids); err != nil || !insert {
						return err
					}
					return tx.Insert(f.ctx, note(c, fmt.Sprint("own", n), ""))
				})
				if got != tt.want {
					f.Errorf("%q, %s: %v", tt.ids, name, got)
				}
			}
		}
	}},
	{"a failure that hangs on it", func(f *fixture) {
		c := f.save(notes())
		missing, other := errors.New("missing"), errors.New("other")
		_, err := f.store.Write(f.ctx, func(tx store.Tx) error {
			there, err := store.AllThere(f.ctx, tx, c, []string{"none"})
			switch {
			case err != nil:
				return err
			case !there:
				return missing
			}
			return other
		})
		if !errors.Is(err, missing) {
			f.Errorf("%v", err)
		}
	}},
	{"what the transaction itself did", func(f *fixture) {
		c := f.save(notes())
		f.insert(note(c, "old", ""))
		var made, gone bool
		f.write(func(tx store.Tx) error {
			if err := tx.Insert(f.ctx, note(c, "new", "")); err != nil {
				return err
			}
			var err error
			if made, err = store.AllThere(f.ctx, tx, c, []string{"new", "old"}); err != nil {
				return err
			}
			old, err := tx.Record(f.ctx, c, "old")
			if err != nil {
				return err
			}
			if err := tx.Delete(f.ctx, old); err != nil {
				return err
			}
			if gone, err = store.AllThere(f.ctx, tx, c, []string{"old"}); err != nil {
				return err
			}
			return tx.Insert(f.ctx, note(c, "last", ""))
		})
		if !made || gone {
			f.Errorf("made %v, gone %v", made, gone)
		}
	}},
	{"a record that is deleted at the same time", func(f *fixture) {
		c := f.save(notes())
		for range 50 {
			f.insert(note(c, "owner", ""))
			var there bool
			parallel(2, func(i int) {
				_, err := f.store.Write(f.ctx, func(tx store.Tx) error {
					if i == 0 { // who deletes an owner deletes what it has
						owner, err := tx.Record(f.ctx, c, "owner")
						if err != nil {
							return err
						}
						if own, err := tx.Record(f.ctx, c, "own"); err == nil {
							if err := tx.Delete(f.ctx, own); err != nil {
								return err
							}
						}
						return tx.Delete(f.ctx, owner)
					}
					var err error
					if there, err = store.AllThere(f.ctx, tx, c, []string{"owner"}); err != nil || !there {
						return err
					}
					return tx.Insert(f.ctx, note(c, "own", ""))
				})
				if err != nil {
					f.Error(err)
				}
			})
			f.read(func(r store.Reader) error {
				if _, err := r.Record(f.ctx, c, "own"); err == nil {
					f.Fatal("a record whose owner is gone")
				}
				return nil
			})
		}
	}},
}
