package realtime_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/realtime"
	"github.com/pandobase/pando/internal/servicetest"
	"github.com/pandobase/pando/internal/store"
)

func TestEventForm(t *testing.T) {
	f := newFixture(t)
	l := f.listen(t, nil, "posts/*")
	if len(l.ID()) != 40 {
		t.Errorf("client id %q", l.ID())
	}
	rec := f.post(t, "<hello>", "n", 7.0, "secret", "s")
	got := l.got()
	want := []pando.RealtimeEvent{{Name: "posts/*", Data: []byte(`{"record":{"collectionId":"pbc_posts","collectionName":"posts","id":"` +
		rec.ID() + `","n":7,"owner":"","title":"\u003chello\u003e"},"action":"create"}`)}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTopics(t *testing.T) {
	f := newFixture(t)
	one := f.post(t, "one")
	f.Flush(t) // its event is over
	names := []string{
		"posts/*", "posts", "pbc_posts/*", "pbc_posts", "posts/" + one.ID(), "pbc_posts/" + one.ID(), "posts/*?x=y",
		"posts/*?options=junk", "POSTS/*", "other/*", "posts/nobody", "custom", "", "@oauth2", "posts/*", // twice
	}
	l := f.listen(t, nil, names...)
	f.Update(t, one, map[string]any{"n": 1.0})
	f.post(t, "two")
	f.Delete(t, one)
	all := []string{"posts/*", "posts", "pbc_posts/*", "pbc_posts", "posts/*?x=y", "posts/*?options=junk"}
	single := []string{"posts/" + one.ID(), "pbc_posts/" + one.ID()}
	want := map[string][]string{"update": append(slices.Clone(all), single...), "create": all, "delete": append(slices.Clone(all), single...)}
	got := map[string][]string{}
	for _, e := range l.got() {
		var v event
		if err := json.Unmarshal(e.Data, &v); err != nil {
			t.Fatal(err)
		}
		got[v.Action] = append(got[v.Action], e.Name)
	}
	for action := range want {
		slices.Sort(want[action])
		slices.Sort(got[action])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSubscriptionsAreReplaced(t *testing.T) {
	f := newFixture(t)
	l := f.listen(t, nil, "posts/*")
	f.post(t, "one")
	l.want("one")
	if err := l.subscribe(nil, "users/*"); err != nil {
		t.Fatal(err)
	}
	f.post(t, "two")
	l.want()
	if err := l.subscribe(nil); err != nil {
		t.Fatal(err)
	}
	f.Insert(t, "users", map[string]any{"email": "a@b.co"})
	l.want()
	if got := f.rt.Stats(); got.Clients != 1 || got.Subscriptions != 0 || got.Sent != 1 {
		t.Errorf("stats %+v", got)
	}
}

func TestSubscribeErrors(t *testing.T) {
	f := newFixture(t)
	ada := f.Insert(t, "users", map[string]any{"email": "ada@b.co"})
	bob := f.Insert(t, "users", map[string]any{"email": "bob@b.co"})
	l := f.connect(t)
	for _, tt := range []struct {
		name    string
		ip, id  string
		who     *pando.Record
		kind    pando.Kind
		message string // "": it succeeds
	}{
		{"unknown", "1.2.3.4", "nope", nil, pando.KindNotFound, "Missing or invalid client id."},
		{"elsewhere", "1.2.3.5", l.ID(), nil, pando.KindInvalid, "Invalid realtime client."},
		{"guest", "1.2.3.4", l.ID(), nil, 0, ""},
		{"guest becomes user", "1.2.3.4", l.ID(), ada, 0, ""},
		{"the same user", "1.2.3.4", l.ID(), ada, 0, ""},
		{"user becomes guest", "1.2.3.4", l.ID(), nil, pando.KindForbidden, "The current and the previous request authorization don't match."},
		{"another user", "1.2.3.4", l.ID(), bob, pando.KindForbidden, "The current and the previous request authorization don't match."},
	} {
		err := f.rt.Subscribe(t.Context(), &pando.Request{RealIP: tt.ip, Auth: tt.who}, tt.id, []string{"posts/*"})
		if tt.message == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		if err == nil || pando.KindOf(err) != tt.kind || err.Error() != tt.message {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.message)
		}
	}
	l.Close()
	l.Close()
	if err := l.subscribe(ada); pando.KindOf(err) != pando.KindNotFound {
		t.Errorf("after Close: %v", err)
	}
}

func TestRules(t *testing.T) {
	f := newFixture(t)
	f.Save(t, servicetest.BaseJSON("members", `{"id":"text2","name":"user","type":"text"}`))
	ada := f.Insert(t, "users", map[string]any{"email": "ada@b.co", "name": "Ada"})
	bob := f.Insert(t, "users", map[string]any{"email": "bob@b.co", "name": "Bob"})
	root := f.Insert(t, pando.SuperusersName, map[string]any{"email": "root@b.co"})
	f.Insert(t, "members", map[string]any{"user": bob.ID()})
	own := func(topic string) string {
		return options(topic, map[string]any{"k": "v", "n": 5}, "X-Key", "1")
	}
	text := func(s string) *string { return &s }
	for _, tt := range []struct {
		rule                   *string
		guest, ada, bob, super bool
		options                bool // whether the one with options gets it
	}{
		{nil, false, false, false, true, false},
		{text(""), true, true, true, true, true},
		{text("owner = @request.auth.id"), false, true, false, true, false},
		{text("@request.auth.name = 'Bob'"), false, false, true, true, false},
		{text("@request.auth.id = ''"), true, false, false, true, true},
		{text("@request.context = 'realtime' && @request.method = 'GET'"), true, true, true, true, true},
		{text("@request.query.k = 'v'"), false, false, false, true, true},
		{text("@request.query.n = '5'"), false, false, false, true, true},
		{text("@request.headers.x_key = '1'"), false, false, false, true, true},
		{text("@request.body.title = 'x'"), false, false, false, true, false},
		{text("@collection.members.user ?= @request.auth.id && @request.auth.id != ''"), false, false, true, true, false},
		{text("title = 'x' && n > 1"), true, true, true, true, true},
		{text("title = 'y'"), false, false, false, true, false},
		{text("nosuchfield = 1"), false, false, false, true, false},
	} {
		name := "null"
		if tt.rule != nil {
			name = *tt.rule
		}
		t.Run(name, func(t *testing.T) {
			for _, single := range []bool{false, true} {
				f.Change(t, "posts", func(c *pando.Collection) {
					c.ListRule, c.ViewRule = tt.rule, nil
					if single {
						c.ListRule, c.ViewRule = nil, tt.rule
					}
				})
				rec := f.post(t, "x", "n", 2.0, "owner", ada.ID())
				topic := "posts/*"
				if single {
					topic = "posts/" + rec.ID()
				}
				f.Flush(t)
				listeners := map[string]*listener{
					"guest": f.listen(t, nil, topic), "ada": f.listen(t, ada, topic), "bob": f.listen(t, bob, topic),
					"super": f.listen(t, root, topic), "options": f.listen(t, nil, own(topic)),
				}
				f.Update(t, rec, map[string]any{"n": 3.0})
				f.Flush(t) // a rule that asks for more than the record can let nobody see one that is gone
				f.mustRemove(t, rec)
				for who, want := range map[string]bool{
					"guest": tt.guest, "ada": tt.ada, "bob": tt.bob, "super": tt.super, "options": tt.options,
				} {
					var got, wanted []string
					for _, e := range listeners[who].events() {
						got = append(got, e.Action)
					}
					if want {
						wanted = []string{"update", "delete"}
					}
					if diff := cmp.Diff(wanted, got); diff != "" {
						t.Errorf("%s at %s (-want +got):\n%s", who, topic, diff)
					}
					listeners[who].Close()
				}
			}
		})
	}
}

func TestOptions(t *testing.T) {
	f := newFixture(t)
	root := f.Insert(t, pando.SuperusersName, map[string]any{"email": "root@b.co"})
	const (
		whole  = `{"collectionId":"pbc_posts","collectionName":"posts","id":"ID","n":7,"owner":"","title":"hello"`
		secret = `{"collectionId":"pbc_posts","collectionName":"posts","id":"ID","n":7,"owner":"","secret":"s","title":"hello"`
	)
	for _, tt := range []struct {
		name  string
		query map[string]any
		want  string // "": no event
		super string
	}{
		{"fields", map[string]any{"fields": "title,n"}, `{"n":7,"title":"hello"}`, `{"n":7,"title":"hello"}`},
		{"excerpt", map[string]any{"fields": "title:excerpt(2,true)"}, `{"title":"he..."}`, `{"title":"he..."}`},
		{"bad fields", map[string]any{"fields": "title:nope(2)"}, whole + "}", secret + "}"},
		{"expand", map[string]any{"expand": "owner"}, whole + `,"expand":"owner"}`, secret + `,"expand":"owner"}`},
		{"filter", map[string]any{"filter": "n > 5"}, whole + "}", secret + "}"},
		{"filter that refuses", map[string]any{"filter": "n > 7"}, "", ""},
		{"filter that is broken", map[string]any{"filter": "n >"}, "", ""},
		{"filter on what is hidden", map[string]any{"filter": "secret = 's'"}, "", secret + "}"},
		{"filter for superusers", map[string]any{"filter": "@request.auth.id != 'x'"}, "", secret + "}"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			guest, super := f.listen(t, nil, options("posts/*", tt.query)), f.listen(t, root, options("posts/*", tt.query))
			defer guest.Close()
			defer super.Close()
			rec := f.post(t, "hello", "n", 7.0, "secret", "s")
			for l, want := range map[*listener]string{guest: tt.want, super: tt.super} {
				var got, wanted []string
				for _, e := range l.got() {
					got = append(got, string(e.Data))
				}
				if want != "" {
					wanted = []string{`{"record":` + strings.ReplaceAll(want, "ID", rec.ID()) + `,"action":"create"}`}
				}
				if diff := cmp.Diff(wanted, got); diff != "" {
					t.Errorf("superuser %v (-want +got):\n%s", l == super, diff)
				}
			}
		})
	}
}

// A thousand clients that may see the same cost one encoding.
func TestFanOutEncodesOnce(t *testing.T) {
	f := newFixture(t)
	f.Change(t, "posts", func(c *pando.Collection) { c.ListRule = new("@request.auth.name = 'x' || @request.auth.name = ''") })
	var ls []*listener
	for i := range 200 {
		var who *pando.Record
		if i%2 == 0 {
			who = f.Insert(t, "users", map[string]any{"email": fmt.Sprint(i, "@b.co"), "name": "x"})
		}
		ls = append(ls, f.listen(t, who, "posts/*"))
	}
	f.Flush(t)
	f.encoded.Store(0)
	f.post(t, "hello")
	f.Flush(t)
	if n := f.encoded.Load(); n != 2 { // the guests and the users named x
		t.Errorf("200 clients of two kinds: encoded %d times", n)
	}
	for _, l := range ls {
		e := <-l.Events()
		if !strings.Contains(string(e.Data), "hello") {
			t.Errorf("%s", e.Data)
		}
	}
}

func TestCommitOrder(t *testing.T) {
	f := newFixture(t)
	l := f.listen(t, nil, "posts/*")
	var want []string
	for i := range 50 {
		f.post(t, fmt.Sprint(i))
		want = append(want, fmt.Sprint(i))
	}
	l.want(want...)
}

func TestRollbackTellsNobody(t *testing.T) {
	f := newFixture(t)
	f.Save(t, servicetest.BaseJSON("members", `{"id":"text2","name":"user","type":"text"}`))
	f.Insert(t, "members", map[string]any{"user": "u"})
	f.Change(t, "posts", func(c *pando.Collection) { c.ListRule = new("@collection.members.user ?= 'u'") })
	rec := f.post(t, "one")
	f.Flush(t)
	l := f.listen(t, nil, "posts/*")
	no := pando.Invalid("No.")
	if err := f.remove(t, rec, func(store.Tx) error { return no }); err != no {
		t.Fatal(err)
	}
	l.want()
	// What it had prepared is not used for the delete that succeeds later, when
	// the rule lets nobody see it.
	f.Write(t, func(tx store.Tx) error { return tx.Truncate(t.Context(), tx.Catalog().Collection("members")) })
	f.mustRemove(t, rec)
	l.want()
}

func TestWatches(t *testing.T) {
	f := newFixture(t)
	c := f.Store.Catalog().Collection("posts")
	for topic, want := range map[string]bool{
		"posts": true, "posts/*": true, "pbc_posts/x?options=y": true, "post": false, "users/posts": false, "": false,
	} {
		l := f.listen(t, nil, topic)
		if got := f.rt.Watches(c); got != want {
			t.Errorf("%q: %v", topic, got)
		}
		l.Close()
		if f.rt.Watches(c) {
			t.Errorf("%q: still, after it was closed", topic)
		}
	}
}

func TestSlowClientIsCutOff(t *testing.T) {
	f := newFixture(t, func(c *realtime.Config) { c.QueueEvents = 20 })
	slow, other := f.listen(t, nil, "posts/*"), f.listen(t, nil, "posts/*")
	for i := range 100 { // 32 in the channel, one in the pump's hands, 20 in the queue
		f.post(t, fmt.Sprint(i))
		if i%10 == 9 {
			if n := len(other.got()); n != 10 {
				t.Fatalf("the quick one got %d events of 10", n)
			}
		}
	}
	n := 0
	for range slow.Events() { // ends only because it was closed
		n++
	}
	if n > 60 {
		t.Errorf("%d events before it was cut off", n)
	}
	if got := f.rt.Stats(); got.Slow != 1 || got.Clients != 1 {
		t.Errorf("stats %+v", got)
	}
}

func TestConnectionsEnd(t *testing.T) {
	f := newFixture(t)
	ctx, cancel := context.WithCancel(t.Context())
	c, err := f.rt.Connect(ctx, &pando.Request{})
	if err != nil {
		t.Fatal(err)
	}
	other := f.connect(t)
	cancel()
	if _, open := <-c.Events(); open {
		t.Error("an event from nowhere")
	}
	f.rt.Close()
	f.rt.Close()
	if _, open := <-other.Events(); open {
		t.Error("an event from nowhere")
	}
	if _, err := f.rt.Connect(t.Context(), &pando.Request{}); pando.KindOf(err) != pando.KindUnavailable {
		t.Errorf("after Close: %v", err)
	}
}

func TestSchemaChangesOnTheWay(t *testing.T) {
	f := newFixture(t)
	l := f.listen(t, nil, "posts/*", "articles/*")
	rec := f.post(t, "one")
	f.Change(t, "posts", func(c *pando.Collection) {
		c.Fields = append(c.Fields[:2:2], c.Fields[3:]...) // n goes
		c.Field("title").Name = "headline"
		c.Name = "articles"
	})
	f.Flush(t)
	l.got() // whichever shape the first event had
	f.Update(t, rec, map[string]any{"headline": "two"})
	events := l.events()
	want := []event{{"update", map[string]any{
		"collectionId": "pbc_posts", "collectionName": "articles", "id": rec.ID(), "headline": "two", "owner": "",
	}}}
	if diff := cmp.Diff(want, events); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func BenchmarkFanOut(b *testing.B) {
	f := newFixture(b)
	for range 1000 {
		c, err := f.rt.Connect(b.Context(), &pando.Request{})
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		go func() {
			for range c.Events() {
			}
		}()
		if err := f.rt.Subscribe(b.Context(), &pando.Request{}, c.ID(), []string{"posts/*"}); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		f.post(b, "hello")
		f.Flush(b)
	}
}

// Two people whose records differ only in what one part of the rule reads are
// not one group, however another part looks at the same field.
func TestGroupsAreTheWholeInput(t *testing.T) {
	f := newFixture(t)
	f.Change(t, "users", func(c *pando.Collection) {
		c.Fields = append(c.Fields, &pando.Field{ID: "json30", Name: "meta", Type: pando.FieldJSON, Options: &pando.JSONOptions{}})
	})
	ada := f.Insert(t, "users", map[string]any{"name": "Ada", "meta": json.RawMessage(`{"team":1,"role":"boss"}`)})
	eve := f.Insert(t, "users", map[string]any{"name": "ada", "meta": json.RawMessage(`{"team":1,"role":"guest"}`)})
	for _, rule := range []string{
		`@request.auth.name:lower = "ada" && @request.auth.name = "Ada"`,
		`@request.auth.meta.team = 1 && @request.auth.meta.role = "boss"`,
	} {
		f.Change(t, "posts", func(c *pando.Collection) { c.ListRule = &rule })
		f.Flush(t)
		a, e := f.listen(t, ada, "posts/*"), f.listen(t, eve, "posts/*")
		f.post(t, rule)
		a.want(rule)
		e.want()
		a.Close()
		e.Close()
	}
}
