package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

const (
	connectWait = 500 * time.Millisecond // for a connection, or for an answer to puts
	minPause    = 50 * time.Millisecond  // between two probes
	maxPause    = 2 * time.Second
	probePings  = 3
	maxAlarms   = 20 // false ones, each within a second of the one before

	// maxAsking is how many requests may wait for one server: half of what the
	// client queues before it blocks.
	maxAsking = 512
)

// server is one of the servers: its connection, its state, and the puts that wait
// for it. One goroutine of its own (run) connects, probes and puts.
type server struct {
	at      Address
	config  Config
	breaker *breaker
	log     *slog.Logger
	puts    chan put
	asking  atomic.Int64           // requests
	queued  atomic.Int64           // bytes in puts
	client  atomic.Pointer[client] // nil while it is out

	cancel context.CancelFunc
	ended  sync.WaitGroup

	counts counts
}

type client struct{ rueidis.Client }

// counts are of one server since it was added.
type counts struct {
	hits, misses, late, failed, leftOut, puts, dropped, refused, outs atomic.Uint64
}

func newServer(at Address, c Config, b *breaker, pack packFunc, log *slog.Logger) *server {
	ctx, cancel := context.WithCancel(context.Background())
	s := &server{
		at: at, config: c, breaker: b, log: log.With("cache_server", at.Name),
		puts: make(chan put, maxQueued), cancel: cancel,
	}
	s.ended.Go(func() { s.run(ctx, pack) })
	return s
}

// close ends the server; what waits in its queue is dropped.
func (s *server) close() {
	s.cancel()
	s.ended.Wait()
}

// run is the server's life.
func (s *server) run(ctx context.Context, pack packFunc) {
	for pause := minPause; ctx.Err() == nil; {
		c, took, err := s.connect()
		if err != nil {
			s.breaker.explain(err.Error())
			// Several web servers do not knock at once.
			if !wait(ctx, pause/2+rand.N(pause)) {
				return
			}
			pause = min(2*pause, maxPause)
			continue
		}
		s.client.Store(c)
		s.breaker.letIn(took)
		began := time.Now()
		s.work(ctx, c, pack)
		for alarms := 0; ctx.Err() == nil && alarms < maxAlarms && s.falseAlarm(c); alarms++ {
			again := time.Now()
			if s.work(ctx, c, pack); time.Since(again) > time.Second {
				alarms = 0
			}
		}
		s.client.Store(nil)
		s.ended.Go(c.Close) // which waits for what is under way
		if ctx.Err() != nil {
			return
		}
		s.counts.outs.Add(1)
		_, why, _ := s.breaker.now()
		s.log.Warn("A cache server is left out; its share of the keys is read from the database until it is back.", "why", why)
		if time.Since(began) > 10*maxPause {
			pause = minPause // it was good for a while
		}
		if !wait(ctx, pause) {
			return
		}
		pause = min(2*pause, maxPause)
	}
}

// falseAlarm tries out a server that seemed late or slow at once, on the same
// connection. Meanwhile nobody waits for it.
func (s *server) falseAlarm(c *client) bool {
	if !s.breaker.alarmed() {
		return false
	}
	best, err := ping(c, 5*minWait)
	if err != nil || best > s.breaker.slow() {
		return false
	}
	s.breaker.letBack(best)
	return true
}

// connect makes a connection and tries it out.
func (s *server) connect() (*client, time.Duration, error) {
	inner, err := rueidis.NewClient(s.config.option(s.at))
	if err != nil {
		return nil, 0, fmt.Errorf("it cannot be connected to: %w", err)
	}
	c := &client{inner}
	best, err := ping(c, connectWait)
	if limit := s.breaker.slow(); err == nil && best > limit {
		err = fmt.Errorf("a PING takes %v, and the database less", best.Round(time.Microsecond))
	}
	if err != nil {
		s.ended.Go(c.Close)
		return nil, 0, err
	}
	return c, best, nil
}

// ping is the best of a few: what a server can do, whatever goes on here.
func ping(c *client, limit time.Duration) (best time.Duration, err error) {
	for range probePings {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		began := time.Now()
		err := c.Do(ctx, c.B().Ping().Build()).Error()
		took := time.Since(began)
		cancel()
		if err != nil {
			return 0, fmt.Errorf("it does not answer a PING: %w", err)
		}
		if best == 0 || took < best {
			best = took
		}
	}
	return best, nil
}

// ask sends commands in one round trip, and waits for their answers no longer
// than the server deserves. nil: there is none.
func (s *server) ask(ctx context.Context, commands func(b rueidis.Builder) []rueidis.Completed) []rueidis.RedisResult {
	if s.asking.Add(1) > maxAsking || !s.breaker.enter() {
		s.asking.Add(-1)
		s.counts.leftOut.Add(1)
		return nil
	}
	defer s.asking.Add(-1)
	c := s.client.Load()
	if c == nil { // it goes out at this moment
		s.breaker.leave(given, 0)
		s.counts.leftOut.Add(1)
		return nil
	}
	began := time.Now()
	bounded, cancel := context.WithTimeout(ctx, s.breaker.patience())
	defer cancel()
	list := commands(c.B())
	var results []rueidis.RedisResult
	if len(list) == 1 {
		results = []rueidis.RedisResult{c.Do(bounded, list[0])}
	} else {
		results = c.DoMulti(bounded, list...)
	}
	o := s.judge(ctx, results)
	s.breaker.leave(o, time.Since(began))
	if o != answered {
		return nil
	}
	return results
}

// judge says what became of a request.
func (s *server) judge(ctx context.Context, results []rueidis.RedisResult) outcome {
	for _, r := range results {
		err := r.NonRedisError()
		switch {
		case err == nil || rueidis.IsRedisNil(err):
		case ctx.Err() != nil:
			return given
		case isLate(err):
			s.counts.late.Add(1)
			return late
		default:
			s.counts.failed.Add(1)
			return broken
		}
	}
	return answered
}

func isLate(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
}

// refuse notes an answer that is an error, such as that the user may not do it.
// A server that answers so is left out: it would go on.
func (s *server) refuse(err error) {
	s.counts.failed.Add(1)
	s.breaker.fail("it answers " + err.Error())
}

// wait is false if ctx ends first.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
