package consistency

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pandobase/pando/test/judge"
)

// gate is something that is opened and closed by a write, and tried by readers.
// Its register is even while it is open. Once a change has been answered, or a
// reader has found it, nobody may pass by what was before.
type gate struct {
	judge.Register
	name   string
	turn   func(ctx context.Context, c *client, open bool) error
	past   past // of its turns
	open   int  // the status of who finds it open
	closed int  // ... closed
	burst  bool
	method string
	path   string
	body   any
	token  string
}

// openGates makes every kind of gate, open.
func (w *world) openGates(ctx context.Context) error {
	for i := range gates {
		id, err := w.newPerson(ctx, fmt.Sprint("role", i), "in")
		if err != nil {
			return err
		}
		token, err := w.newToken(ctx, "people", id)
		if err != nil {
			return err
		}
		voided, err := w.newPerson(ctx, fmt.Sprint("token", i), "")
		if err != nil {
			return err
		}
		door, present := fmt.Sprint("door", i), fmt.Sprintf("present%08d", i)
		for collection, id := range map[string]string{
			"ruled": counterID(i), door: counterID(0), "present": present, "tokened": counterID(i),
		} {
			if err := w.insert(ctx, collection, object{"id": id}); err != nil {
				return err
			}
		}
		if err := w.root.must(ctx, "PATCH", "/api/collections/"+door, object{"viewRule": ""}, nil); err != nil {
			return err
		}
		w.gates = append(w.gates,
			&gate{name: "role", method: "GET", open: 200, path: "/api/collections/ruled/records/" + counterID(i), token: token, closed: 404,
				turn: func(ctx context.Context, c *client, open bool) error {
					role := map[bool]string{true: "in", false: "out"}[open]
					return c.must(ctx, "PATCH", "/api/collections/people/records/"+id, object{"role": role}, nil)
				}},
			&gate{name: "rule", burst: true, method: "GET", open: 200, path: "/api/collections/" + door + "/records/" + counterID(0), closed: 403,
				turn: func(ctx context.Context, c *client, open bool) error {
					rule := map[bool]any{true: "", false: nil}[open]
					return c.must(ctx, "PATCH", "/api/collections/"+door, object{"viewRule": rule}, nil)
				}},
			&gate{name: "record", method: "GET", open: 200, path: "/api/collections/present/records/" + present, closed: 404,
				turn: func(ctx context.Context, c *client, open bool) error {
					if open {
						return c.must(ctx, "POST", "/api/collections/present/records", object{"id": present}, nil)
					}
					return c.must(ctx, "DELETE", "/api/collections/present/records/"+present, nil, nil)
				}})
		w.tokens = append(w.tokens, &tokens{
			collection: "people", person: voided, path: "/api/collections/tokened/records/" + counterID(i),
		})
	}
	// What only a superuser may, and a setting, which is data like all the rest.
	second := "superuser000002"
	if err := w.insert(ctx, "_superusers", object{
		"id": second, "email": "second@example.com", "password": "12345678", "passwordConfirm": "12345678",
	}); err != nil {
		return err
	}
	w.tokens = append(w.tokens, &tokens{collection: "_superusers", person: second, path: "/api/settings"})
	setting := func(ctx context.Context, c *client, open bool) error {
		return c.must(ctx, "PATCH", "/api/settings", object{"batch": object{"enabled": open}}, nil)
	}
	if err := setting(ctx, w.root, true); err != nil {
		return err
	}
	w.gates = append(w.gates, &gate{name: "setting", burst: true, method: "POST", path: "/api/batch", body: object{"requests": []any{}},
		open: 400, closed: 403, turn: setting}) // an empty batch is refused, or all are
	return nil
}

// keep opens and closes the gate until ctx ends.
func (g *gate) keep(ctx context.Context, w *world) {
	c := w.client(w.root.token)
	defer c.close()
	for ctx.Err() == nil {
		v := g.Send()
		w.quiet.RLock()
		c.trace = func(began time.Time, status int, err error) {
			g.past.add("%d: sent at %v to %v, answered at %v with %d, %v", v, began.Sub(w.report.begun), c.asked.Load(), time.Since(w.report.begun), status, err)
		}
		err := g.turn(ctx, c, v%2 == 0)
		w.quiet.RUnlock()
		if err != nil {
			w.report.failure(ctx, err)
			return
		}
		g.Answered(v) // perhaps by a refusal, since it had been done: that binds nobody in particular
		w.report.revocations.Add(1)
		pause(ctx, time.Duration(rand.IntN(40))*time.Millisecond)
		if g.burst && v%20 == 0 {
			// Every change of a rule voids all that the cache holds; between
			// bursts it has to prove itself.
			pause(ctx, cmp.Or(w.rest, 1500*time.Millisecond))
		}
	}
}

// try is one reader at the gate.
func (g *gate) try(ctx context.Context, c *client, w *world) error {
	path := g.path
	if rand.IntN(4) == 0 {
		path += fmt.Sprintf("?fields=id,x%d", rand.Uint64()) // no answer to this is kept yet
	}
	least, began := g.Bound(), time.Now()
	status, err := c.ask(ctx, g.token, g.method, path, g.body, nil)
	if err != nil {
		return err
	}
	if status != g.open && status != g.closed {
		return fmt.Errorf("%s: status %d", path, status)
	}
	if open := status == g.open; !g.SawParity(c.by, least, !open) {
		w.report.violation("the gate of a %s was found open: %v, asked of %v at %v until %v, after %s:\n%v",
			g.name, open, c.asked.Load(), began.Sub(w.report.begun), time.Since(w.report.begun), g.Text(c.by, least), &g.past)
	}
	return nil
}

// past is what was done to a gate lately.
type past struct {
	mu    sync.Mutex
	lines []string
}

func (p *past) add(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines = append(p.lines[max(0, len(p.lines)-7):], fmt.Sprintf(format, args...))
}

func (p *past) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, "\n")
}

// tokens are the tokens of one person, voided one after the other. Its register
// counts those that are void.
type tokens struct {
	judge.Register
	collection, person string
	path               string
	now                atomic.Pointer[issued]
}

// issued is a token that is valid while n tokens are void.
type issued struct {
	n     int64
	token string
}

func (t *tokens) keep(ctx context.Context, w *world) {
	for ctx.Err() == nil {
		token, err := w.newToken(ctx, t.collection, t.person)
		if err != nil {
			w.report.failure(ctx, err)
			return
		}
		t.now.Store(&issued{t.Reached(), token})
		pause(ctx, time.Duration(rand.IntN(60))*time.Millisecond)
		v := t.Send()
		key := fmt.Sprintf("%050d", rand.Uint64())
		w.quiet.RLock()
		err = w.root.must(ctx, "PATCH", "/api/collections/"+t.collection+"/records/"+t.person, object{"tokenKey": key}, nil)
		w.quiet.RUnlock()
		if err != nil {
			w.report.failure(ctx, err)
			return
		}
		t.Answered(v)
		w.report.revocations.Add(1)
	}
}

func (t *tokens) try(ctx context.Context, c *client, w *world) error {
	have := t.now.Load()
	if have == nil {
		return nil
	}
	if rand.IntN(2) == 0 {
		pause(ctx, time.Duration(rand.IntN(8))*time.Millisecond) // so that it may be void by now
	}
	least := t.Bound()
	status, err := c.ask(ctx, have.token, "GET", t.path, nil, nil)
	if err != nil {
		return err
	}
	switch valid, low := status == 200, t.Of(c.by, least); {
	case valid && low > have.n:
		w.report.violation("a token of %s was accepted, after %s", t.collection, t.Text(c.by, least))
	case valid:
		t.Noted(c.by, have.n)
	case low < have.n: // an answer as of before there was this token
	case t.Sent() == have.n:
		w.report.violation("a token of %s was refused (%d) before anybody voided it", t.collection, status)
	default:
		t.Noted(c.by, have.n+1)
	}
	return nil
}

// pause waits, for at most as long as ctx lives.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
