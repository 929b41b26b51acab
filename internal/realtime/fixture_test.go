package realtime_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/realtime"
	"github.com/pandobase/pando/internal/servicetest"
	"github.com/pandobase/pando/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is a Realtime on a real store. It counts what is encoded.
type fixture struct {
	*servicetest.Env
	rt      *realtime.Realtime
	encoded atomic.Int64
}

func newFixture(t testing.TB, edit ...func(*realtime.Config)) *fixture {
	t.Helper()
	f := &fixture{Env: servicetest.New(t)}
	c := realtime.Config{Store: f.Store, Stream: f.Stream, Encode: f.encode, Clock: position.NewClock(f.Index, 0)}
	for _, e := range edit {
		e(&c)
	}
	f.rt = realtime.New(c)
	t.Cleanup(func() { f.rt.Close() })
	f.Save(t, servicetest.BaseJSON("posts",
		`{"id":"text2","name":"title","type":"text"}`, `{"id":"number3","name":"n","type":"number"}`,
		`{"id":"text4","name":"owner","type":"text"}`, `{"id":"text5","name":"secret","type":"text","hidden":true}`))
	return f
}

// encode also knows expand, in a way of its own: it says what it was asked for.
func (f *fixture) encode(ctx context.Context, r store.Reader, req *pando.Request, rec *pando.Record, expand string) ([]byte, error) {
	f.encoded.Add(1)
	b, err := servicetest.Encode(ctx, r, req, rec, "")
	if err == nil && expand != "" {
		b = fmt.Appendf(b[:len(b)-1], `,"expand":%q}`, expand)
	}
	return b, err
}

// listener is one connection.
type listener struct {
	pando.RealtimeClient
	f *fixture
	t testing.TB
}

func (f *fixture) connect(t testing.TB) *listener {
	t.Helper()
	c, err := f.rt.Connect(t.Context(), &pando.Request{RealIP: "1.2.3.4"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return &listener{c, f, t}
}

func (l *listener) subscribe(who *pando.Record, names ...string) error {
	return l.f.rt.Subscribe(l.t.Context(), &pando.Request{RealIP: "1.2.3.4", Auth: who}, l.ID(), names)
}

func (f *fixture) listen(t testing.TB, who *pando.Record, names ...string) *listener {
	t.Helper()
	l := f.connect(t)
	if err := l.subscribe(who, names...); err != nil {
		t.Fatal(err)
	}
	return l
}

// got is what has come to l by now, each event as "name action id", sorted among
// the events of one change.
func (l *listener) got() []pando.RealtimeEvent {
	l.t.Helper()
	l.f.Flush(l.t)
	const end = "end of what has come"
	var out []pando.RealtimeEvent
	for asked := false; ; {
		asked = asked || realtime.Push(l.RealtimeClient, pando.RealtimeEvent{Name: end}) // else the queue is full
		e, open := <-l.Events()
		if !open || e.Name == end {
			return out
		}
		out = append(out, e)
	}
}

type event struct {
	Action string
	Record map[string]any
}

func (l *listener) events() []event {
	l.t.Helper()
	var out []event
	for _, e := range l.got() {
		var v event
		if err := json.Unmarshal(e.Data, &v); err != nil {
			l.t.Fatalf("%v in %s", err, e.Data)
		}
		out = append(out, v)
	}
	return out
}

// want compares the titles of the events, with the action where it is no create.
func (l *listener) want(titles ...string) {
	l.t.Helper()
	var got []string
	for _, e := range l.events() {
		s := fmt.Sprint(e.Record["title"])
		if e.Action != "create" {
			s = e.Action + " " + s
		}
		got = append(got, s)
	}
	if diff := cmp.Diff(titles, got); diff != "" && len(titles)+len(got) > 0 {
		l.t.Errorf("events (-want +got):\n%s", diff)
	}
}

func (f *fixture) post(t testing.TB, title string, more ...any) *pando.Record {
	t.Helper()
	values := map[string]any{"title": title}
	for i := 0; i < len(more); i += 2 {
		values[more[i].(string)] = more[i+1]
	}
	return f.Insert(t, "posts", values)
}

// remove deletes a record as the records service does. It fails if one of then does,
// which are called before the record goes.
func (f *fixture) remove(t testing.TB, rec *pando.Record, then ...func(store.Tx) error) error {
	_, err := f.Store.Write(t.Context(), func(tx store.Tx) error {
		old, err := tx.Record(t.Context(), tx.Catalog().Collection(rec.Collection.ID), rec.ID())
		if err != nil {
			return err
		}
		ctx, err := f.rt.BeforeDelete(t.Context(), tx, old)
		if err != nil {
			return err
		}
		for _, fn := range then {
			if err := fn(tx); err != nil {
				return err
			}
		}
		return tx.Delete(ctx, old)
	})
	return err
}

func (f *fixture) mustRemove(t testing.TB, rec *pando.Record, then ...func(store.Tx) error) {
	t.Helper()
	if err := f.remove(t, rec, then...); err != nil {
		t.Fatal(err)
	}
}

// held is a stream that brings nothing while its lock is held.
type held struct {
	changes.Stream
	sync.Mutex
}

func (h *held) Subscribe(f func(changes.Batch)) (stop func()) {
	return h.Stream.Subscribe(func(b changes.Batch) {
		h.Lock()
		defer h.Unlock()
		f(b)
	})
}

// heldFixture is a fixture with such a stream.
func heldFixture(t *testing.T) (*fixture, *held) {
	h := new(held)
	return newFixture(t, func(c *realtime.Config) { h.Stream, c.Stream = c.Stream, h }), h
}

func options(topic string, query map[string]any, headers ...string) string {
	o := map[string]any{"query": query}
	if len(headers) > 0 {
		h := map[string]string{}
		for i := 0; i < len(headers); i += 2 {
			h[headers[i]] = headers[i+1]
		}
		o["headers"] = h
	}
	b, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	return topic + "?options=" + url.QueryEscape(string(b))
}

// deafTo is a stream that does not tell of a collection's changes.
type deafTo struct {
	changes.Stream
	collection string
}

func (d deafTo) Subscribe(f func(changes.Batch)) (stop func()) {
	return d.Stream.Subscribe(func(b changes.Batch) {
		b.Changes = slices.DeleteFunc(slices.Clone(b.Changes), func(ch changes.Change) bool { return ch.Record.Collection.Name == d.collection })
		f(b)
	})
}
