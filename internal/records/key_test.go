package records_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/auth"
	"github.com/pandobase/pando/internal/records"
	"github.com/pandobase/pando/internal/servicetest"
	"github.com/pandobase/pando/internal/store"
)

// TestCachedIsUncached asks the same questions of two services on one store,
// one with a cache and one without, as different people and with different
// requests, while the data changes: whatever an answer hangs on must be in its
// key or among its tags, or somebody is shown what another may see.
func TestCachedIsUncached(t *testing.T) {
	w := newWorld(t)
	blog(t, w)
	members(t, w)
	passwords := auth.NewPasswords(auth.PasswordsConfig{})
	t.Cleanup(func() { passwords.Close() })
	plain := *w
	plain.Records = records.New(records.Config{
		Store: w.env.Store, Facts: store.Direct{Store: w.env.Store}, Blobs: w.env.Blobs, Passwords: passwords,
		Now:   func() time.Time { return w.clock },
		Sleep: func(context.Context, time.Duration) error { return nil },
	})
	rules := []string{
		``, `@request.auth.id != ""`, `owner = @request.auth.id`, `owner.name = @request.auth.name`,
		`@request.query.x = "1"`, `@request.headers.x = "1"`, `@request.query.x:isset = true`, `@request.context = "default"`,
		`@request.auth.name = "boss" || owner = ""`, `@request.auth.collectionName = "users"`,
		`@collection.authors.name ?= title`, `@request.auth.team.name = title`, `@request.auth.items_via_owner.title ?= title`,
		`title = @request.auth.team.name || @request.auth.verified = true`, `owner.items_via_owner.title ?= "b"`,
		`@request.method = "GET" && owner.email ~ "ann"`,
	}
	w.env.Change(t, "users", func(c *pando.Collection) {
		c.Fields = append(c.Fields, &pando.Field{ID: "team9", Name: "team", Type: pando.FieldRelation, Options: &pando.RelationOptions{CollectionID: "pbc_authors"}})
	})
	w.collection(t, "items", nil, `{"id":"f1","name":"title","type":"text"}`,
		`{"id":"f2","name":"owner","type":"relation","collectionId":"pbc_users","maxSelect":1}`)
	w.env.Save(t, servicetest.AuthJSON("staff"))
	w.person(t, "sam", "staff")
	people := []string{"", "ann", "bob", "boss", "root", "sam"}
	for i, title := range []string{"a", "b", "a1", "x", ""} {
		owner := ""
		if i > 0 {
			owner = id(people[min(i, 3)])
		}
		w.env.Insert(t, "items", map[string]any{"id": id(fmt.Sprint("item", i)), "title": title, "owner": owner})
	}
	refresh := func() { // people as they are stored now, as a request would bring them
		for _, name := range []string{"ann", "bob", "boss"} {
			w.as[name] = w.stored(t, "users", id(name))
		}
	}
	refresh()
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	pick := func(list ...string) string { return list[random.IntN(len(list))] }
	for round := range 40 {
		list, view, manage := rules[random.IntN(len(rules))], rules[random.IntN(len(rules))], rules[1+random.IntN(len(rules)-1)]
		usersView := rules[random.IntN(5)]
		w.env.Change(t, "items", func(c *pando.Collection) { c.ListRule, c.ViewRule = &list, &view })
		w.env.Change(t, "users", func(c *pando.Collection) {
			c.ViewRule = new(strings.ReplaceAll(usersView, "owner", "team"))
			c.Auth.ManageRule = new(strings.NewReplacer("owner.name", "name", "owner.items", "items", "owner.email", "email", "owner", "id", "title", "name").Replace(manage))
		})
		refresh()
		for range 60 {
			c := call{as: pick(people...), do: pick("list", "view"), collection: pick("items", "items", "users"), query: map[string]string{}}
			c.id = id(pick("item0", "item1", "item2", "item3", "item4"))
			if c.collection == "users" {
				c.id = id(pick("ann", "bob", "boss"))
			}
			if random.IntN(3) == 0 {
				c.query["x"] = pick("1", "2", "")
			}
			if c.collection == "items" {
				c.query["expand"] = pick("", "", "owner", "owner.team", "owner.items_via_owner")
				if c.do == "list" {
					c.query["filter"] = pick("", "", `title != "x"`, `owner.name != "zz"`, `owner.email ~ "a"`)
				}
			}
			want, got := plain.run(t, c), w.run(t, c)
			if want != got {
				t.Fatalf("seed %d, round %d\nrules: list %q, view %q, manage %q, users %q\ncall: %+v\nuncached: %s\n  cached: %s",
					seed, round, list, view, manage, usersView, c, want, got)
			}
			if random.IntN(20) == 0 {
				who := pick("ann", "bob", "boss")
				w.run(t, call{as: "root", do: "update", collection: "users", id: id(who), body: fmt.Sprintf(
					`{"name":%q,"team":%q,"verified":%v}`, pick("boss", "ann", "zz"), pick("", id("a1"), id("a2")), random.IntN(2) == 0)})
				w.run(t, call{as: "root", do: "update", collection: "items", id: id(pick("item0", "item1")), body: fmt.Sprintf(
					`{"title":%q,"owner":%q}`, pick("a", "b", "a1", "a2"), pick("", id("ann"), id("bob")))})
				refresh()
			}
		}
	}
	if hits := w.env.Facts.Counts().Hits; hits < 100 {
		t.Errorf("only %d answers came from the cache", hits)
	}
}
