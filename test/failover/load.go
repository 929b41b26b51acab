package failover

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pandobase/pando/test/target"
)

// How much is asked: open loop, so that what stands still is seen as such.
const (
	keys       = 400
	writeEvery = 25 * time.Millisecond
	readEvery  = 8 * time.Millisecond
	patience   = 30 * time.Second // of a client
)

// load is a steady load on records that each count up by one.
type load struct {
	server *target.Server
	http   *http.Client
	began  time.Time
	stop   context.CancelFunc
	all    sync.WaitGroup
	keys   [keys]counter

	// aged has answers with Age judged apart: they may show what is taken back.
	aged  bool
	older atomic.Int64 // how many did, or were older than one before

	mu         sync.Mutex
	log        []answer
	violations []string
}

// counter is a record and what is known of it.
type counter struct {
	busy  atomic.Bool  // a write is under way: one at a time
	sent  atomic.Int64 // the highest value that a write was begun for
	floor atomic.Int64 // the highest value that anybody was answered
	wrote atomic.Int64 // the highest value whose write was answered
	old   atomic.Int64 // the highest value that anybody was answered with Age
	seen  atomic.Value // when floor was read first, and how old that could be
}

// answer is one line of the log.
type answer struct {
	begun, ended time.Duration // since load.began
	write        bool
	key          int
	value        int64
	status       int  // 0: no answer, err says why
	doubt        bool // of a read: nobody knew whether the last write was made
	outcome      string
	retryAfter   string
	age          string // of an answer that may be old, for there is no primary
	err          error
}

func keyID(i int) string { return fmt.Sprintf("key%012d", i) }

const records = "/api/collections/counters/records"

// newLoad makes the records.
func newLoad(ctx context.Context, s *target.Server) (*load, error) {
	l := &load{server: s, http: &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 500}}}
	var login struct{ Token string }
	if err := l.must(ctx, "POST", "/api/collections/_superusers/auth-with-password", "",
		map[string]any{"identity": s.Email, "password": s.Password}, &login); err != nil {
		return nil, err
	}
	open := map[string]any{
		"name": "counters", "type": "base", "listRule": "", "viewRule": "", "updateRule": "", "createRule": "",
		"fields": []any{map[string]any{"name": "n", "type": "number"}},
	}
	if err := l.must(ctx, "POST", "/api/collections", login.Token, open, nil); err != nil {
		return nil, err
	}
	const makers = 16
	errs := make([]error, makers)
	var all sync.WaitGroup
	for m := range makers {
		all.Go(func() {
			for i := m; i < keys && errs[m] == nil; i += makers {
				errs[m] = l.must(ctx, "POST", records, "", map[string]any{"id": keyID(i), "n": 0}, nil)
			}
		})
	}
	all.Wait()
	return l, errors.Join(errs...)
}

// start begins to ask, until end.
func (l *load) start(ctx context.Context) {
	ctx, l.stop = context.WithCancel(ctx)
	l.began = time.Now()
	l.every(ctx, writeEvery, l.write)
	l.every(ctx, readEvery, l.read)
}

// end waits for the last answers.
func (l *load) end() {
	l.stop()
	l.all.Wait()
	l.http.CloseIdleConnections()
}

// now is the time of the log.
func (l *load) now() time.Duration { return time.Since(l.began) }

func (l *load) every(ctx context.Context, d time.Duration, do func()) {
	l.all.Go(func() {
		tick := time.NewTicker(d)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				l.all.Go(do)
			}
		}
	})
}

// write counts a record up that nobody else is writing.
func (l *load) write() {
	i := rand.IntN(keys)
	for tries := 1; !l.keys[i].busy.CompareAndSwap(false, true); tries++ {
		if tries == keys {
			return // all are waiting
		}
		i = (i + 1) % keys
	}
	k := &l.keys[i]
	defer k.busy.Store(false)
	v := k.sent.Add(1)
	a := answer{write: true, key: i, value: v, begun: l.now()}
	var got struct{ N int64 }
	l.ask("PATCH", records+"/"+keyID(i), map[string]any{"n": v}, &got, &a)
	if a.status == http.StatusOK {
		raise(&k.wrote, v)
		raise(&k.floor, v)
	}
	l.note(a)
}

// read views a record, which must not be older than what anybody was answered
// before.
func (l *load) read() {
	i := rand.IntN(keys)
	k := &l.keys[i]
	least := k.floor.Load()
	a := answer{key: i, begun: l.now(), doubt: k.sent.Load() > k.wrote.Load()}
	var got struct{ N int64 }
	l.ask("GET", records+"/"+keyID(i), nil, &got, &a)
	if a.value = got.N; a.status == http.StatusOK && a.age != "" && l.aged {
		if got.N < least {
			l.older.Add(1)
		}
		raise(&k.old, got.N)
	} else if a.status == http.StatusOK {
		if got.N < k.old.Swap(0) {
			l.older.Add(1)
		}
		if got.N < least || got.N > k.sent.Load() {
			l.violation("%v: %s was read as %d, with Age %q, after somebody was answered %d (%v)", a.ended, keyID(i), got.N, a.age, least, k.seen.Load())
		}
		if got.N > k.floor.Load() {
			k.seen.Store(fmt.Sprintf("a read, at %v, with Age %q", a.ended, a.age))
		}
		raise(&k.floor, got.N)
	}
	l.note(a)
}

func raise(v *atomic.Int64, n int64) {
	for old := v.Load(); old < n && !v.CompareAndSwap(old, n); old = v.Load() {
	}
}

func (l *load) note(a answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.log = append(l.log, a)
}

func (l *load) violation(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.violations = append(l.violations, fmt.Sprintf(format, args...))
}

// ask sends a request and fills in how it was answered.
func (l *load) ask(method, path string, body, out any, a *answer) {
	res, data, err := l.send(context.Background(), method, path, "", body)
	if a.ended = l.now(); err != nil {
		a.err = err
		return
	}
	a.status, a.retryAfter, a.age = res.StatusCode, res.Header.Get("Retry-After"), res.Header.Get("Age")
	if a.status == http.StatusOK {
		err = json.Unmarshal(data, out)
	} else {
		var failure struct {
			Data struct{ Outcome string }
		}
		err = json.Unmarshal(data, &failure)
		a.outcome = failure.Data.Outcome
	}
	if err != nil {
		l.violation("%s %s was answered with %q: %v", method, path, data, err)
	}
}

func (l *load) send(ctx context.Context, method, path, token string, body any) (*http.Response, []byte, error) {
	var in io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return nil, nil, err
		}
		in = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, l.server.URL+path, in)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", token)
	}
	res, err := l.http.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	return res, data, err
}

// must is for requests that have to succeed.
func (l *load) must(ctx context.Context, method, path, token string, body, out any) error {
	res, data, err := l.send(ctx, method, path, token, body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %s", method, path, res.Status, data)
	}
	if err == nil && out != nil {
		err = json.Unmarshal(data, out)
	}
	return err
}
