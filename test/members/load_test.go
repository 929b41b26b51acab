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

	"github.com/pandobase/pando/test/judge"
	"github.com/pandobase/pando/test/target"
)

// book is what is known of some notes, each of which at most one client writes.
type book struct {
	ids   []string
	notes map[string]*known
	taken atomic.Int64 // how many have somebody who writes them
}

// known is what anybody was answered of a note.
type known struct {
	judge.Register
	unsure atomic.Bool // the answer to a write did not come: it may yet be done
}

// book makes so many notes.
func (s *stage) book(t *testing.T, n int) *book {
	t.Helper()
	b := &book{notes: map[string]*known{}}
	for range n {
		id := s.note(t)
		b.ids = append(b.ids, id)
		b.notes[id] = new(known)
	}
	return b
}

// bounds are what a request that begins now must be shown of notes.
func (b *book) bounds(ids []string) map[string]judge.Bound {
	all := map[string]judge.Bound{}
	for _, id := range ids {
		all[id] = b.notes[id].Bound()
	}
	return all
}

// load is clients that read and write through a load balancer without a pause. Nothing that
// they are shown is older than what anybody was answered before they asked.
type load struct {
	s      *stage
	t      *testing.T
	book   *book
	to     *target.Server
	client *http.Client
	stop   context.CancelFunc
	done   sync.WaitGroup

	reads, writes atomic.Int64
	marked        atomic.Int64 // reads that say that they may be old
	slowest       atomic.Int64 // ns

	mu     sync.Mutex
	failed map[string]int // by what went wrong
}

// startLoad begins. Several may have one book.
func (s *stage) startLoad(t *testing.T, to *target.Server, clients int, b *book) *load {
	ctx, stop := context.WithCancel(context.Background())
	l := &load{s: s, t: t, book: b, to: to, stop: stop, failed: map[string]int{}, client: &http.Client{
		Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: clients},
	}}
	t.Cleanup(l.end)
	for range clients {
		own := b.ids[b.taken.Add(1)-1]
		l.done.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				switch {
				case n%10 == 3:
					l.ask(ctx, "POST", notes, fmt.Sprintf(`{"n":%d}`, -n)) // at the end of the list
				case n%10 == 7:
					l.write(ctx, own)
				case n%10 == 8:
					l.read(ctx, path(own), own)
				case n%2 == 0:
					id := b.ids[rand.N(len(b.ids))]
					l.read(ctx, path(id), id)
				default:
					l.read(ctx, notes+"?perPage=5&sort=-n", b.ids...)
				}
			}
		})
	}
	return l
}

// write counts a note up.
func (l *load) write(ctx context.Context, id string) {
	k := l.book.notes[id]
	v := k.Send()
	if _, _, ok := l.ask(ctx, "PATCH", path(id), fmt.Sprintf(`{"n":%d}`, v)); ok {
		k.Answered(v)
	} else {
		k.unsure.Store(true)
	}
}

// read looks at what an answer shows of notes.
func (l *load) read(ctx context.Context, path string, ids ...string) {
	least := l.book.bounds(ids)
	answer, marked, ok := l.ask(ctx, "GET", path, "")
	if !ok {
		return
	}
	type note struct {
		ID string
		N  int64
	}
	var got struct {
		note
		Items []note
	}
	if err := json.Unmarshal(answer, &got); err != nil {
		l.fail(err.Error())
	}
	by := judge.Answer{Server: -1, Marked: marked}
	for _, n := range append(got.Items, got.note) {
		k := l.book.notes[n.ID]
		if k == nil || k.unsure.Load() || k.Saw(by, least[n.ID], n.N) {
			continue
		}
		l.t.Errorf("GET %s shows %d of %s, of which %d was sent, and %s", path, n.N, n.ID, k.Sent(), k.Text(by, least[n.ID]))
	}
}

// end stops it and waits.
func (l *load) end() {
	l.stop()
	l.done.Wait()
	l.client.CloseIdleConnections()
}

// ask is an answer, and whether it says that it may be old.
func (l *load) ask(ctx context.Context, method, path, body string) (answer []byte, marked, ok bool) {
	// A request that is under way when the load ends is finished: it counts.
	req, err := http.NewRequestWithContext(context.WithoutCancel(ctx), method, l.to.URL+path, strings.NewReader(body))
	if err != nil {
		l.fail(err.Error())
		return nil, false, false
	}
	if body == "" {
		req.Body = nil
	}
	req.Header.Set("Content-Type", "application/json")
	began := time.Now()
	res, err := l.client.Do(req)
	if err != nil {
		l.fail(method + ": " + err.Error())
		return nil, false, false
	}
	answer, err = io.ReadAll(res.Body)
	_ = res.Body.Close()
	if took := int64(time.Since(began)); took > l.slowest.Load() {
		l.slowest.Store(took) // between two who do so at once, either will do
	}
	if err != nil || res.StatusCode != http.StatusOK {
		l.fail(fmt.Sprintf("%s: %d %.150s %v", method, res.StatusCode, answer, err))
		return nil, false, false
	}
	marked = res.Header.Get("Age") != ""
	switch {
	case method != "GET":
		l.writes.Add(1)
	case marked:
		l.marked.Add(1)
		fallthrough
	default:
		l.reads.Add(1)
	}
	return answer, marked, true
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
