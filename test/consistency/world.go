package consistency

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pandobase/pando/test/judge"
	"github.com/pandobase/pando/test/target"
)

// How much there is to read and write. Few records make much contention.
const (
	counters = 8  // records that count up
	perPage  = 4  // of the paged list
	mates    = 2  // people with records of their own
	owned    = 3  // records of each
	gates    = 2  // of each kind
	strays   = 8  // records that another program writes, in turn
	clients  = 3  // that listen to realtime
	readers  = 10 // connections that read, if a ground does not say otherwise
)

// world is a server with its data, and what is known of it.
type world struct {
	ground
	made   atomic.Int64 // clients
	root   *client
	people []person
	report *report

	records [counters]judge.Register
	crowd   [counters]judge.Register
	created judge.Register         // how many records the growing collection has
	outside [strays]judge.Register // written by another program
	many    judge.Register         // so many records at once that the stream does not name them; by the same
	twins   [2]judge.Register      // of two records, the first of which is always written first; by the same
	// quiet is held for reading by whoever writes through the server, so that
	// another program gets its turn: sqlite3 asks for the lock ten times a second
	// and can be unlucky for long beside a server that writes all the time. See another.
	quiet   sync.RWMutex
	lists   judge.Chain
	repeats repeats
	sample  *judge.Sample
	gates   []*gate
	tokens  []*tokens
}

// person is somebody with a token that stays valid.
type person struct{ id, token string }

func counterID(i int) string { return fmt.Sprintf("counter%08d", i) }
func linkID(i int) string    { return fmt.Sprintf("link%011d", i) }

// sinceNow is a clock, in nanoseconds.
func sinceNow() func() int64 {
	start := time.Now()
	return func() int64 { return int64(time.Since(start)) }
}

// newWorld fills an empty server.
func newWorld(ctx context.Context, g ground, r *report) (*world, error) {
	w := &world{ground: g, report: r, sample: judge.NewSample(counters, sinceNow())}
	root, err := login(ctx, g.server)
	if err != nil {
		return nil, err
	}
	root.bases = w.bases()
	if w.faulty {
		root.report, root.settled = r, g.settled
	}
	w.root = root
	for _, build := range []func(context.Context) error{w.collections, w.persons, w.data} {
		if err := build(ctx); err != nil {
			w.root.close()
			return nil, err
		}
	}
	return w, nil
}

// login is a client of the superuser.
func login(ctx context.Context, s *target.Server) (*client, error) {
	guest := newClient("", s.URL)
	defer guest.close()
	var out struct{ Token string }
	err := guest.must(ctx, "POST", "/api/collections/_superusers/auth-with-password",
		map[string]string{"identity": s.Email, "password": s.Password}, &out)
	return newClient(out.Token, s.URL), err
}

type object = map[string]any

func field(name, kind string, more ...any) object {
	f := object{"name": name, "type": kind}
	for i := 0; i < len(more); i += 2 {
		f[more[i].(string)] = more[i+1]
	}
	return f
}

func (w *world) collections(ctx context.Context) error {
	open := func(c object) object {
		c["listRule"], c["viewRule"] = "", ""
		return c
	}
	for _, c := range []object{
		{"name": "people", "type": "auth", "fields": []object{field("role", "text")}},
		open(object{"name": "counters", "type": "base", "fields": []object{
			field("n", "number"), field("odd", "bool"), field("pos", "number")}}),
		open(object{"name": "crowd", "type": "base", "fields": []object{field("n", "number"), field("odd", "bool")}}),
		open(object{"name": "growing", "type": "base", "fields": []object{field("n", "number")}}),
		open(object{"name": "beside", "type": "base", "fields": []object{field("n", "number")}}),
		open(object{"name": "many", "type": "base", "fields": []object{field("n", "number")}}),
		open(object{"name": "twins", "type": "base", "fields": []object{field("n", "number")}}),
		{"name": "owned", "type": "base", "listRule": "owner = @request.auth.id", "viewRule": "owner = @request.auth.id",
			"fields": []object{field("owner", "text"), field("n", "number")}},
		{"name": "ruled", "type": "base", "fields": []object{field("n", "number")}, "viewRule": `@request.auth.role = "in"`},
		{"name": "tokened", "type": "base", "fields": []object{field("n", "number")}, "viewRule": `@request.auth.id != ""`},
		open(object{"name": "mirror", "type": "view", "viewQuery": "SELECT id, n FROM counters WHERE n >= 0"}),
		open(object{"name": "present", "type": "base", "fields": []object{field("n", "number")}}),
	} {
		if err := w.root.must(ctx, "POST", "/api/collections", c, nil); err != nil {
			return err
		}
	}
	for g := range gates {
		c := object{"name": fmt.Sprint("door", g), "type": "base", "fields": []object{field("n", "number")}}
		if err := w.root.must(ctx, "POST", "/api/collections", c, nil); err != nil {
			return err
		}
	}
	var c struct{ ID string }
	if err := w.root.must(ctx, "GET", "/api/collections/counters", nil, &c); err != nil {
		return err
	}
	return w.root.must(ctx, "POST", "/api/collections", open(object{"name": "links", "type": "base", "fields": []object{
		field("to", "relation", "collectionId", c.ID, "maxSelect", 1)}}), nil)
}

func (w *world) insert(ctx context.Context, collection string, record object) error {
	return w.root.must(ctx, "POST", "/api/collections/"+collection+"/records", record, nil)
}

// newPerson makes somebody with a role and gives his id.
func (w *world) newPerson(ctx context.Context, name, role string) (string, error) {
	id := fmt.Sprintf("%-15s", name)[:15]
	b := []byte(id)
	for i := range b {
		if b[i] == ' ' {
			b[i] = '0'
		}
	}
	return string(b), w.insert(ctx, "people", object{
		"id": string(b), "email": name + "@example.com", "password": "12345678", "passwordConfirm": "12345678", "role": role,
	})
}

// newToken is a new token of a person, for longer than any run takes: who has one that
// has expired is a guest.
func (w *world) newToken(ctx context.Context, collection, id string) (string, error) {
	var out struct{ Token string }
	err := w.root.must(ctx, "POST", "/api/collections/"+collection+"/impersonate/"+id, object{"duration": 24 * 3600}, &out)
	return out.Token, err
}

func (w *world) persons(ctx context.Context) error {
	for i := range mates {
		id, err := w.newPerson(ctx, fmt.Sprint("mate", i), "")
		if err != nil {
			return err
		}
		token, err := w.newToken(ctx, "people", id)
		if err != nil {
			return err
		}
		w.people = append(w.people, person{id, token})
	}
	return nil
}

func (w *world) data(ctx context.Context) error {
	for i := range counters {
		if err := w.insert(ctx, "counters", object{"id": counterID(i), "n": 0, "odd": false, "pos": i}); err != nil {
			return err
		}
		if err := w.insert(ctx, "links", object{"id": linkID(i), "to": counterID(i)}); err != nil {
			return err
		}
	}
	for i, p := range w.people {
		for k := range owned {
			if err := w.insert(ctx, "owned", object{"id": fmt.Sprintf("owned%05d%05d", i, k), "owner": p.id}); err != nil {
				return err
			}
		}
	}
	for i := range strays {
		if err := w.insert(ctx, "beside", object{"id": counterID(i), "n": 0}); err != nil {
			return err
		}
	}
	for i := range w.twins {
		if err := w.insert(ctx, "twins", object{"id": counterID(i), "n": 0}); err != nil {
			return err
		}
	}
	if err := w.fillMany(); err != nil {
		return err
	}
	if err := w.fillCrowd(ctx); err != nil {
		return err
	}
	return w.openGates(ctx)
}
