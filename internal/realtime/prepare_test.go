package realtime_test

import (
	"errors"
	"testing"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/servicetest"
	"github.com/pandobase/pando/internal/store"
)

// Two records of one id, one after the other, are deleted before anybody is told: each
// deletion is told with its own answers, and one that failed with none.
func TestTwoDeletesOfOneID(t *testing.T) {
	f, stream := heldFixture(t)
	f.Save(t, servicetest.BaseJSON("members", `{"id":"text2","name":"post","type":"text"}`, `{"id":"text3","name":"user","type":"text"}`))
	f.Change(t, "posts", func(c *pando.Collection) {
		c.ListRule = new("@collection.members.post ?= title && @collection.members.user ?= @request.auth.name")
	})
	user := func(name string) *pando.Record {
		f.Insert(t, "members", map[string]any{"post": name + "'s", "user": name})
		return f.Insert(t, "users", map[string]any{"email": pando.NewID() + "@b.co", "name": name})
	}
	ada, eve := user("ada"), user("eve")
	no := errors.New("a required relation refers to it")
	for name, then := range map[string]func(store.Tx) error{
		"both succeed":     func(store.Tx) error { return nil },
		"the second fails": func(store.Tx) error { return no },
	} {
		t.Run(name, func(t *testing.T) {
			first := f.post(t, "eve's")
			f.Flush(t)
			a, e := f.listen(t, ada, "posts/*"), f.listen(t, eve, "posts/*")
			stream.Lock()
			f.mustRemove(t, first)
			second := f.post(t, "ada's", "id", first.ID())
			err := f.remove(t, second, then)
			stream.Unlock()
			e.want("delete eve's")
			if errors.Is(err, no) {
				a.want("ada's")
			} else {
				a.want("delete ada's") // which was gone before the create was told
			}
			a.Close()
			e.Close()
			if err != nil {
				f.Delete(t, second)
			}
		})
	}
}
