package members

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pandobase/pando/test/target"
)

// load is clients that read and write through a load balancer without a pause.
type load struct {
	s      *stage
	to     *target.Server
	client *http.Client
	stop   context.CancelFunc
	done   sync.WaitGroup

	reads, writes atomic.Int64
	slowest       atomic.Int64 // ns

	mu     sync.Mutex
	failed map[string]int // by what went wrong
}

// startLoad begins; ids are notes that there are.
func (s *stage) startLoad(t *testing.T, to *target.Server, clients int, ids []string) *load {
	ctx, stop := context.WithCancel(context.Background())
	l := &load{s: s, to: to, stop: stop, failed: map[string]int{}, client: &http.Client{
		Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: clients},
	}}
	t.Cleanup(l.end)
	for i := range clients {
		l.done.Go(func() {
			own := ids[i%len(ids)]
			for n := 0; ctx.Err() == nil; n++ {
				switch {
				case n%10 == 3:
					l.ask(ctx, "POST", notes, fmt.Sprintf(`{"n":%d}`, n))
				case n%10 == 7:
					l.ask(ctx, "PATCH", path(own), fmt.Sprintf(`{"n":%d}`, n))
				case n%2 == 0:
					l.ask(ctx, "GET", path(ids[rand.N(len(ids))]), "")
				default:
					l.ask(ctx, "GET", notes+"?perPage=5&sort=-n", "")
				}
			}
		})
	}
	return l
}

// end stops it and waits.
func (l *load) end() {
	l.stop()
	l.done.Wait()
	l.client.CloseIdleConnections()
}

func (l *load) ask(ctx context.Context, method, path, body string) {
	// A request that is under way when the load ends is finished: it counts.
	req, err := http.NewRequestWithContext(context.WithoutCancel(ctx), method, l.to.URL+path, strings.NewReader(body))
	if err != nil {
		l.fail(err.Error())
		return
	}
	if body == "" {
		req.Body = nil
	}
	req.Header.Set("Content-Type", "application/json")
	began := time.Now()
	res, err := l.client.Do(req)
	if err != nil {
		l.fail(method + ": " + err.Error())
		return
	}
	answer, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if took := int64(time.Since(began)); took > l.slowest.Load() {
		l.slowest.Store(took) // between two who do so at once, either will do
	}
	if err != nil || res.StatusCode != http.StatusOK {
		l.fail(fmt.Sprintf("%s: %d %.150s %v", method, res.StatusCode, answer, err))
		return
	}
	if method == "GET" {
		l.reads.Add(1)
	} else {
		l.writes.Add(1)
	}
}

func (l *load) fail(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed[what]++
}

// failures are what went wrong so far.
func (l *load) failures() (list []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, what := range slices.Sorted(maps.Keys(l.failed)) {
		list = append(list, fmt.Sprintf("%d × %s", l.failed[what], what))
	}
	return list
}

// listener is a client with an event stream, which comes back when that ends.
type listener struct {
	to     *target.Server
	client *http.Client

	connects, hinted atomic.Int64
	heard            atomic.Int64 // events
	subscribed       atomic.Bool

	mu     sync.Mutex
	failed []string
	waits  []int // ms that it was told to wait
}

// startListeners connects clients, which follow all notes.
func (s *stage) startListeners(t *testing.T, to *target.Server, n int) (list []*listener) {
	ctx, stop := context.WithCancel(context.Background())
	var done sync.WaitGroup
	t.Cleanup(func() { stop(); done.Wait() })
	for range n {
		l := &listener{to: to, client: &http.Client{Transport: &http.Transport{}}}
		list = append(list, l)
		done.Go(func() {
			defer l.client.CloseIdleConnections()
			for ctx.Err() == nil {
				wait := l.listen(ctx)
				select {
				case <-ctx.Done():
				case <-time.After(wait):
				}
			}
		})
	}
	return list
}

// listen is one life of the stream; it says when to come back.
func (l *listener) listen(ctx context.Context) (wait time.Duration) {
	wait = time.Second // what browsers take when they are told nothing is longer
	defer l.subscribed.Store(false)
	req, err := http.NewRequestWithContext(ctx, "GET", l.to.URL+"/api/realtime", nil)
	if err != nil {
		l.fail(err)
		return wait
	}
	res, err := l.client.Do(req)
	if err != nil {
		if ctx.Err() == nil {
			l.fail(err)
		}
		return wait
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		l.fail(fmt.Errorf("connect: %d", res.StatusCode))
		return wait
	}
	l.connects.Add(1)
	lines := bufio.NewScanner(res.Body)
	event := ""
	var refused error
	told := false // when to come back
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		switch {
		case name == "event":
			event = value
		case name == "data" && event == "PB_CONNECT":
			var c struct{ ClientID string }
			if err := json.Unmarshal([]byte(value), &c); err != nil {
				l.fail(err)
				return wait
			}
			if refused = l.subscribe(ctx, c.ClientID); refused != nil {
				stop := time.AfterFunc(3*time.Second, func() { res.Body.Close() })
				defer stop.Stop()
			}
		case name == "data":
			l.heard.Add(1)
		case name == "retry":
			var ms int
			if _, err := fmt.Sscan(value, &ms); err == nil {
				l.hinted.Add(1)
				l.mu.Lock()
				l.waits = append(l.waits, ms)
				l.mu.Unlock()
				wait, told = time.Duration(ms)*time.Millisecond, true
			}
		}
	}
	// A server that is about to go may have ended the stream before the subscription came:
	// then the stream itself says so, in what was still to be read of it.
	if refused != nil && !told && ctx.Err() == nil {
		l.fail(refused)
	}
	return wait
}

func (l *listener) subscribe(ctx context.Context, id string) error {
	body := fmt.Sprintf(`{"clientId":%q,"subscriptions":["notes/*"]}`, id)
	req, err := http.NewRequestWithContext(ctx, "POST", l.to.URL+"/api/realtime", strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := l.client.Do(req)
	if err != nil {
		return err
	}
	answer, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		return err
	}
	if res.StatusCode != http.StatusNoContent {
		return fmt.Errorf("subscribe: %d %s", res.StatusCode, answer)
	}
	l.subscribed.Store(true)
	return nil
}

func (l *listener) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = append(l.failed, err.Error())
}
