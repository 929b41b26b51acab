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
	"time"
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
	last := map[string]int64{}
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

// event checks one event of a client that has last got these values.
func (w *world) event(last map[string]int64, got item) {
	w.report.events.Add(1)
	before, found := last[got.ID]
	last[got.ID] = got.N
	// Whoever was cut off from the log is not told of what was in between.
	if found && got.N != before+1 && !(w.faulty && got.N > before) {
		w.report.violation("realtime: %s counted from %d to %d", got.ID, before, got.N)
	}
	for i := range counters {
		if counterID(i) == got.ID && !w.records[i].saw(0, got.N) {
			w.report.violation("realtime: %s has %d, which nobody wrote", got.ID, got.N)
		}
	}
}
