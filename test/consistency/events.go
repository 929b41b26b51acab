package consistency

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/pandobase/pando/test/judge"
)

// listen subscribes to the counters and checks that each counts up by one: no
// event is lost, repeated or out of order. An event is an answer: nobody may be
// shown something older afterwards.
func (w *world) listen(ctx context.Context) {
	err := w.follow(ctx)
	for w.faulty && ctx.Err() == nil {
		pause(ctx, 100*time.Millisecond)
		err = w.follow(ctx)
	}
	if err != nil {
		w.report.failure(ctx, fmt.Errorf("realtime: %w", err))
	}
}

func (w *world) follow(ctx context.Context) error {
	c := w.client("")
	defer c.close()
	c.bases = []string{c.bases[rand.IntN(len(c.bases))]} // a subscription belongs to one server
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", c.bases[0]+"/api/realtime", nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	last := map[string]told{}
	lines := bufio.NewScanner(res.Body)
	name := ""
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), "event:"); ok {
			name = strings.TrimSpace(rest)
		}
		data, ok := strings.CutPrefix(lines.Text(), "data:")
		if !ok {
			continue
		}
		if name == "PB_CONNECT" {
			var hello struct{ ClientID string }
			if err := json.Unmarshal([]byte(data), &hello); err != nil {
				return err
			}
			body := object{"clientId": hello.ClientID, "subscriptions": []string{"counters/*"}}
			if status, err := c.do(ctx, "POST", "/api/realtime", body, nil); err != nil || status/100 != 2 {
				return fmt.Errorf("subscribe: status %d, %v", status, err)
			}
			continue
		}
		var e struct{ Record item }
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			return fmt.Errorf("%w in %s", err, data)
		}
		w.event(last, e.Record)
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return io.ErrUnexpectedEOF
}

// event checks one event of a client that has last got these values. A server that was
// cut off from the log does not know what was in between: it ends the connection.
func (w *world) event(last map[string]told, got item) {
	w.report.events.Add(1)
	before, found := last[got.ID]
	now := told{got.N, 1}
	switch {
	case found && w.faulty && got.N == before.n:
		now.times = before.times + 1
		w.repeats.add(got.ID, now)
	case found && w.deaf && got.N > before.n:
	case found && got.N != before.n+1:
		w.report.violation("realtime: %s counted from %d to %d", got.ID, before.n, got.N)
	}
	last[got.ID] = now
	for i := range counters {
		if counterID(i) == got.ID && !w.records[i].Saw(judge.Answer{Server: -1}, judge.Bound{}, got.N) {
			w.report.violation("realtime: %s has %d, which nobody wrote", got.ID, got.N)
		}
	}
}

// told is a value that a client was told, and how often.
type told struct{ n, times int64 }

// repeats are the values that a client was told more than once. That is right where
// they were written as often, which is known when the writer was answered.
type repeats struct {
	mu   sync.Mutex
	list map[string]map[int64]int64
}

func (r *repeats) add(id string, v told) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.list == nil {
		r.list = map[string]map[int64]int64{}
	}
	if r.list[id] == nil {
		r.list[id] = map[int64]int64{}
	}
	r.list[id][v.n] = max(r.list[id][v.n], v.times)
}

// check is called when all have ended.
func (r *repeats) check(w *world) {
	for i := range counters {
		for v, times := range r.list[counterID(i)] {
			if sent := w.records[i].Times(v); times > sent {
				w.report.violation("realtime: %s was told as %d %d times, and sent %d times", counterID(i), v, times, sent)
			}
		}
	}
}
