package storetest

import (
	"fmt"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

var catalogTests = []test{
	{"a new store", func(f *fixture) {
		cat := f.store.Catalog()
		if len(cat.Collections) != 0 {
			f.Errorf("there are collections: %v", cat.Collections)
		}
		if diff := cmp.Diff(pando.DefaultSettings(), cat.Settings); diff != "" {
			f.Errorf("settings (-want +got):\n%s", diff)
		}
	}},
	{"a change is published before its answer, and the version grows", func(f *fixture) {
		version := f.store.Catalog().Version
		step := func(what string, fn func(tx store.Tx) error) {
			f.write(fn)
			cat := f.store.Catalog()
			if cat.Version <= version {
				f.Errorf("%s: version %d after %d", what, cat.Version, version)
			}
			version = cat.Version
			f.read(func(r store.Reader) error {
				if r.Catalog() != cat {
					f.Errorf("%s: a later snapshot has another catalog", what)
				}
				return nil
			})
		}
		step("create", func(tx store.Tx) error { return tx.SaveCollection(f.ctx, nil, notes()) })
		step("change", func(tx store.Tx) error {
			old := tx.Catalog().Collection("notes")
			next := old.Clone()
			next.ViewRule = new("id != ''")
			return tx.SaveCollection(f.ctx, old, next)
		})
		if r := f.collection("notes").ViewRule; r == nil || *r != "id != ''" {
			f.Errorf("the rule is %v", r)
		}
		step("settings", func(tx store.Tx) error {
			s := *tx.Catalog().Settings
			s.Meta.AppName, s.SMTP.Password = "Mine", "secret"
			return tx.SaveSettings(f.ctx, &s)
		})
		if s := f.store.Catalog().Settings; s.Meta.AppName != "Mine" || s.SMTP.Password != "secret" {
			f.Errorf("the settings are %+v", s)
		}
		step("delete", func(tx store.Tx) error { return tx.DeleteCollection(f.ctx, tx.Catalog().Collection("notes")) })
		if f.store.Catalog().Collection("notes") != nil {
			f.Error("a deleted collection is there")
		}
		f.insertNothing()
	}},
	{"a Tx's catalog shows a change at once, others' not before the commit", func(f *fixture) {
		f.write(func(tx store.Tx) error {
			if err := tx.SaveCollection(f.ctx, nil, notes()); err != nil {
				return err
			}
			c := tx.Catalog().Collection("notes")
			if c == nil {
				f.Fatal("the transaction does not see its collection")
			}
			if f.store.Catalog().Collection("notes") != nil {
				f.Error("everybody sees it")
			}
			if err := tx.Insert(f.ctx, note(c, "a", "")); err != nil {
				return err
			}
			_, err := tx.Record(f.ctx, c, "a")
			return err
		})
		if f.get(f.collection("notes"), "a") == nil {
			f.Error("the record is not there")
		}
	}},
	{"it is immutable", func(f *fixture) {
		own := notes()
		c := f.save(own)
		own.Name, own.Fields[1].Name = "changed", "changed"
		if c.Name != "notes" || c.Fields[1].Name != "title" {
			f.Error("the caller's collection is the catalog's")
		}
		before := f.store.Catalog()
		f.mustChange(c, func(c *pando.Collection) { c.Name = "papers" })
		if before.Collection("notes") != c || before.Collection("papers") != nil {
			f.Error("an old catalog was changed")
		}
	}},
	{"everything survives, in creation order", func(f *fixture) {
		auth := base("people", text("email"))
		auth.Type = pando.TypeAuth
		auth.Auth = &pando.AuthOptions{AuthRule: new(""), AuthToken: pando.TokenConfig{Secret: "a secret", Duration: 60}}
		f.save(base("zebra"), auth, everything(), base("apple"))
		f.mustChange(f.collection("zebra"), func(c *pando.Collection) { c.Name = "yak" })
		f.write(func(tx store.Tx) error { return tx.DeleteCollection(f.ctx, tx.Catalog().Collection("everything")) })
		f.save(base("zoo"))
		want := f.store.Catalog()
		f.store = f.backend.Reopen(f.T, f.store)
		got := f.store.Catalog()
		if got.Version != want.Version {
			f.Errorf("version %d became %d", want.Version, got.Version)
		}
		if diff := cmp.Diff(want.Settings, got.Settings); diff != "" {
			f.Errorf("settings (-want +got):\n%s", diff)
		}
		names := []string{}
		for i, c := range got.Collections {
			names = append(names, c.Name)
			if diff := cmp.Diff(secret(f, want.Collections[i]), secret(f, c)); diff != "" {
				f.Errorf("%s (-want +got):\n%s", c.Name, diff)
			}
		}
		if fmt.Sprint(names) != "[yak people apple zoo]" {
			f.Errorf("collections are %v", names)
		}
	}},
}

// insertNothing makes sure that a write of records leaves the catalog alone.
func (f *fixture) insertNothing() {
	f.Helper()
	c := f.save(base("again"))
	version := f.store.Catalog().Version
	f.insert(note(c, "a", ""))
	if got := f.store.Catalog().Version; got != version {
		f.Errorf("a record's write made version %d of %d", got, version)
	}
}

// secret is a collection with everything that is stored of it.
func secret(f *fixture, c *pando.Collection) string {
	data, err := c.MarshalSecret()
	if err != nil {
		f.Fatal(err)
	}
	return string(data)
}
