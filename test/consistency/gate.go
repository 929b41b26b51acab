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
)

// gate is something that is opened and closed by a write, and tried by readers.
// Its register is even while it is open. Once a change has been answered, or a
// reader has found it, nobody may pass by what was before.
type gate struct {
	register
	name   string
	turn   func(ctx context.Context, c *client, open bool) error
	past   past // of its turns
	closed int  // the status of who finds it closed
	burst  bool
	path   string
	token  string
}

// openGates makes every kind of gate, open.
func (w *world) openGates(ctx context.Context) error {
	for i := range gates {
		id, err := w.newPerson(ctx, fmt.Sprint("role", i), "in")
		if err != nil {
			return err
		}
		token, err := w.newToken(ctx, id)
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
			&gate{name: "role", path: "/api/collections/ruled/records/" + counterID(i), token: token, closed: 404,
				turn: func(ctx context.Context, c *client, open bool) error {
					role := map[bool]string{true: "in", false: "out"}[open]
					return c.must(ctx, "PATCH", "/api/collections/people/records/"+id, object{"role": role}, nil)
				}},
			&gate{name: "rule", burst: true, path: "/api/collections/" + door + "/records/" + counterID(0), closed: 403,
				turn: func(ctx context.Context, c *client, open bool) error {
					rule := map[bool]any{true: "", false: nil}[open]
					return c.must(ctx, "PATCH", "/api/collections/"+door, object{"viewRule": rule}, nil)
				}},
			&gate{name: "record", path: "/api/collections/present/records/" + present, closed: 404,
				turn: func(ctx context.Context, c *client, open bool) error {
					if open {
						return c.must(ctx, "POST", "/api/collections/present/records", object{"id": present}, nil)
					}
					return c.must(ctx, "DELETE", "/api/collections/present/records/"+present, nil, nil)
				}})
		w.tokens = append(w.tokens, &tokens{
			person: voided, path: "/api/collections/tokened/records/" + counterID(i),
		})
	}
	return nil
}

// keep opens and closes the gate until ctx ends.
func (g *gate) keep(ctx context.Context, w *world) {
	c := w.client(w.root.token)
	defer c.close()
	for ctx.Err() == nil {
		v := g.sent.Add(1)
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
		g.answered(v)
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
	least, began := g.floor.Load(), time.Now()
	status, err := c.as(ctx, g.token, "GET", path, nil, nil)
	if err != nil {
		return err
	}
	if status != 200 && status != g.closed {
		return fmt.Errorf("%s: status %d", path, status)
	}
	if open := status == 200; !g.sawParity(least, !open) {
		w.report.violation("the gate of a %s was found open: %v, asked of %v at %v until %v, after change %d was answered:\n%v",
			g.name, open, c.asked.Load(), began.Sub(w.report.begun), time.Since(w.report.begun), least, &g.past)
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
	register
	person, path string
	now          atomic.Pointer[issued]
}

// issued is a token that is valid while n tokens are void.
type issued struct {
	n     int64
	token string
}

func (t *tokens) keep(ctx context.Context, w *world) {
	for ctx.Err() == nil {
		token, err := w.newToken(ctx, t.person)
		if err != nil {
			w.report.failure(ctx, err)
			return
		}
		t.now.Store(&issued{t.floor.Load(), token})
		pause(ctx, time.Duration(rand.IntN(60))*time.Millisecond)
		v := t.sent.Add(1)
		key := fmt.Sprintf("%050d", rand.Uint64())
		w.quiet.RLock()
		err = w.root.must(ctx, "PATCH", "/api/collections/people/records/"+t.person, object{"tokenKey": key}, nil)
		w.quiet.RUnlock()
		if err != nil {
			w.report.failure(ctx, err)
			return
		}
		t.answered(v)
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
	least := t.floor.Load()
	status, err := c.as(ctx, have.token, "GET", t.path, nil, nil)
	if err != nil {
		return err
	}
	switch valid := status == 200; {
	case valid && least > have.n:
		w.report.violation("a token was accepted after its revocation %d was answered", least)
	case !valid && t.sent.Load() == have.n:
		w.report.violation("a token was refused (%d) before anybody voided it", status)
	case !valid:
		t.answered(have.n + 1)
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
