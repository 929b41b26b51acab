package realtime

import (
	"context"
	"sync"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/position"
)

// client is one connection. Events are queued without waiting and handed on by
// a goroutine of its own.
type client struct {
	id, ip string
	parent *Realtime
	out    chan pando.RealtimeEvent
	done   chan struct{}
	once   sync.Once
	unhook func() bool // from the context of the connection

	// Guarded by the lock of Realtime.
	auth   *pando.Record // who is connected; nil is a guest
	secret string        // of the tokens of auth's collection when it was taken on
	tags   [2]position.Tag
	known  known // up to when auth is right
	unsure bool  // auth was not looked up yet: it is a guest until then
	leaves bool  // it is one behind the batch that is being told
	subs   []*subscription
	cost   int // of subs, bytes

	mu    sync.Mutex
	queue []pando.RealtimeEvent
	bytes int
	wake  chan struct{} // holds one signal
}

// outBuffer lets the web edge write a burst at once.
const outBuffer = 32

// idLength is what the SDKs' users see of PocketBase's client ids.
const idLength = 40

const idAlphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// Connect makes a client, which ends with ctx at the latest. It fails with
// KindUnavailable if the server is closing.
func (s *Realtime) Connect(ctx context.Context, req *pando.Request) (pando.RealtimeClient, error) {
	c := &client{
		id: s.tag + pando.RandomString(idLength-len(s.tag), idAlphabet), ip: req.RealIP, parent: s,
		out:  make(chan pando.RealtimeEvent, outBuffer),
		done: make(chan struct{}), wake: make(chan struct{}, 1),
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, &pando.Error{Kind: pando.KindUnavailable, Message: "The server is shutting down."}
	}
	s.clients[c.id] = c
	s.connected.Add(1)
	s.pumps.Go(c.pump)
	s.mu.Unlock()
	c.unhook = context.AfterFunc(ctx, c.end)
	return c, nil
}

func (c *client) ID() string                         { return c.id }
func (c *client) Events() <-chan pando.RealtimeEvent { return c.out }

// Close ends the connection.
func (c *client) Close() {
	if c.unhook != nil {
		c.unhook()
	}
	c.end()
}

func (c *client) end() {
	c.once.Do(func() {
		c.parent.remove(c)
		close(c.done)
	})
}

// remove forgets a client and all it subscribed to.
func (s *Realtime) remove(c *client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.clients, c.id)
	s.connected.Add(-1)
	s.unsubscribe(c)
	s.setIdentity(c, nil)
}

// push queues an event; false if the queue is full.
func (c *client) push(e pando.RealtimeEvent) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) >= c.parent.limits.events || c.bytes+len(e.Data) > c.parent.limits.bytes {
		return false
	}
	c.queue = append(c.queue, e)
	c.bytes += len(e.Data)
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return true
}

func (c *client) take() []pando.RealtimeEvent {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := c.queue
	c.queue, c.bytes = nil, 0
	return q
}

func (c *client) pump() {
	defer close(c.out)
	for {
		select {
		case <-c.done:
			return
		case <-c.wake:
		}
		for _, e := range c.take() {
			select {
			case <-c.done:
				return
			case c.out <- e:
			}
		}
	}
}
