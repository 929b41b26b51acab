package consistency

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/pandobase/pando/test/judge"
)

// client is one caller, with one connection to each server.
type client struct {
	bases  []string // of each request another one, at random
	token  string
	http   *http.Client
	report *report // nil: every request is answered
	// settled waits until the database has done, or will never do, all that it was sent.
	settled func(context.Context) error
	asked   atomic.Value      // where the last request was sent to: a string
	hidden  bool              // that is a load balancer: nobody knows which server answers
	lives   func(i int) int64 // how often a server was started again; may be nil
	reigns  func() int64      // how often the primary was replaced; may be nil
	by      judge.Answer      // the last one
	vain    int               // how many questions there were since, at most 5

	trace func(began time.Time, status int, err error) // of what has to succeed; may be nil

	// keeps is nil for an ordinary client. Others send the position that they have
	// reached (X-Pos) and keep the greatest; keeps is told if one goes back.
	keeps func(format string, args ...any)
	pos   string
	from  string         // the answer that pos came with
	reign int64          // how many failovers there had been when that was asked for
	last  string         // the last answer, marked or not
	seen  *judge.Session // what it was answered of each record
}

var (
	// errRefused says that a server was away, or said that it cannot answer.
	errRefused = errors.New("not answered")
	// errMarked says that an answer says that it may be old.
	errMarked = errors.New("answered with an Age")
)

func newClient(token string, bases ...string) *client {
	return &client{bases: bases, token: token, pos: "0", seen: judge.NewSession(counters), http: &http.Client{
		Timeout:   20 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: 1, DisableCompression: true},
	}}
}

// client is a new one; every other keeps positions.
func (w *world) client(token string) *client {
	c := newClient(token, w.bases()...)
	c.hidden, c.lives, c.reigns = w.balanced, w.life, w.ground.failovers
	if w.faulty {
		c.report, c.settled = w.report, w.settled
	}
	if w.made.Add(1)%2 == 0 {
		c.keeps = w.report.violation
	}
	return c
}

// keep takes the position that an answer came with, which was asked for after so many failovers.
func (c *client) keep(res *http.Response, reign int64) {
	got := res.Header.Get("X-Pos")
	c.last = fmt.Sprintf("%s %s: %d, X-Pos %s, Age %q, %s", res.Request.Method, res.Request.URL, res.StatusCode, got, res.Header.Get("Age"),
		time.Now().Format(time.StampMilli))
	switch reset := res.Header.Get("X-Pos-Reset") != ""; {
	case reset && c.failovers() > c.reign: // what it has seen it must go on seeing
		c.pos, c.from, c.reign = got, c.last, reign
	case reset:
		c.keeps("X-Pos-Reset with %s, after %s, and nothing was lost", c.last, c.from)
	case got < c.pos:
		c.keeps("X-Pos went back with %s, after %s", c.last, c.from)
	default:
		c.pos, c.from, c.reign = got, c.last, reign
	}
}

func (c *client) failovers() int64 {
	if c.reigns == nil {
		return 0
	}
	return c.reigns()
}

// saw checks an answer about record i, which may say that it is old: who keeps positions
// is shown nothing that is older than what it has seen.
func (c *client) saw(how string, i int, v int64) {
	if c.keeps == nil {
		return
	}
	if before, with, ok := c.seen.Saw(i, v, c.last); !ok {
		c.keeps("%s of %s: %d with %s, after the same client was answered %d with %s", how, counterID(i), v, c.last, before, with)
	}
}

func (c *client) close() { c.http.CloseIdleConnections() }

// do sends a request and decodes the body of an answer of 200 into out.
func (c *client) do(ctx context.Context, method, path string, body, out any) (int, error) {
	return c.as(ctx, c.token, method, path, body, out)
}

// ask is as for questions: an answer with an Age is one.
func (c *client) ask(ctx context.Context, token, method, path string, body, out any) (int, error) {
	status, err := c.as(ctx, token, method, path, body, out)
	if errors.Is(err, errMarked) {
		err = nil
	}
	return status, err
}

func (c *client) as(ctx context.Context, token, method, path string, body, out any) (int, error) {
	var in io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return 0, err
		}
		in = bytes.NewReader(data)
	}
	c.by = judge.Answer{Server: rand.IntN(len(c.bases))}
	base := c.bases[c.by.Server]
	c.asked.Store(base)
	to := c.by.Server
	if c.lives != nil {
		c.by.Life = c.lives(to)
		defer func() {
			if c.lives(to) != c.by.Life { // which of its lives has answered nobody knows
				c.by.Server = -1
			}
		}()
	}
	if c.hidden {
		c.by.Server = -1
	}
	req, err := http.NewRequestWithContext(ctx, method, base+path, in)
	if err != nil {
		return 0, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", token)
	}
	if c.keeps != nil {
		req.Header.Set("X-Pos", c.pos)
	}
	reign := c.failovers()
	res, err := c.http.Do(req)
	if err != nil {
		return 0, c.refused(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return 0, c.refused(err)
	case c.report != nil && unanswered(res.StatusCode):
		return 0, c.refused(fmt.Errorf("%s %s: %d %s", method, path, res.StatusCode, data))
	}
	if c.keeps != nil && !unanswered(res.StatusCode) { // what says nothing has no position
		c.keep(res, reign)
	}
	if res.StatusCode == http.StatusOK && out != nil {
		if err := json.Unmarshal(data, out); err != nil {
			return 0, fmt.Errorf("%s %s: %w in %s", method, path, err, data)
		}
	}
	if c.report != nil && res.Header.Get("Age") != "" && (method == "GET" || res.StatusCode/100 != 2) {
		c.report.marked.Add(1)
		c.by.Marked = true
		return res.StatusCode, errMarked
	}
	if res.StatusCode >= 500 {
		return res.StatusCode, fmt.Errorf("%s %s: %d %s", method, path, res.StatusCode, data)
	}
	return res.StatusCode, nil
}

// backOff waits before the next question: longer each time that there was no answer. Who asks
// again at once keeps servers that share a machine with those who ask from coming back at all.
func (c *client) backOff(ctx context.Context, err error) {
	switch {
	case errors.Is(err, errRefused):
		c.vain = min(c.vain+1, 5)
		pause(ctx, 10*time.Millisecond<<c.vain)
	case c.by.Marked:
		c.vain = 0
		pause(ctx, 30*time.Millisecond)
	default:
		c.vain = 0
	}
}

// unanswered tells whether a status says that nothing is known of the request, or that
// it was not done; load balancers say the former.
func unanswered(status int) bool {
	return status == http.StatusServiceUnavailable || status == http.StatusBadGateway || status == http.StatusGatewayTimeout
}

// refused is an error that says so, where that is to be expected.
func (c *client) refused(err error) error {
	if c.report == nil {
		return err
	}
	c.report.refused.Add(1)
	return fmt.Errorf("%w: %w", errRefused, err)
}

// must is do for requests that have to succeed. One that was not answered is sent
// again: nobody knows whether it was done, so that it may be found to be done already.
func (c *client) must(ctx context.Context, method, path string, body, out any) error {
	_, err := c.send(ctx, method, path, body, out)
	return err
}

// send is must, and tells how often it was sent; each time is noted in trace.
func (c *client) send(ctx context.Context, method, path string, body, out any) (times int64, err error) {
	for times = 1; ; times++ {
		began := time.Now()
		status, err := c.do(ctx, method, path, body, out)
		if c.trace != nil {
			c.trace(began, status, err)
		}
		switch again := times > 1; {
		case (errors.Is(err, errRefused) || errors.Is(err, errMarked)) && ctx.Err() == nil:
		case err == nil && again && (method == "POST" && status == 400 || method == "DELETE" && status == 404):
			return times, nil
		case err == nil && status/100 != 2:
			return times, fmt.Errorf("%s %s: status %d", method, path, status)
		default:
			return times, err
		}
		// What was sent is not carried out any more after this.
		if c.settled == nil {
			pause(ctx, 10*time.Millisecond)
		} else if err := c.settled(ctx); err != nil {
			return times, err
		}
	}
}
