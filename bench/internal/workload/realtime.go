package workload

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/pandobase/pando/bench/internal/dataset"
	"github.com/pandobase/pando/bench/internal/load"
	"github.com/pandobase/pando/bench/internal/report"
)

// The size of the fan-out.
const (
	subscribers  = 100
	realtimeRate = 20 // records created per second
)

// fanOut creates records at a fixed rate while subscribers listen to the
// collection. A latency counts from when the create was due to when a
// subscriber has the event; every subscriber must get every event.
func fanOut(ctx context.Context, r *Runner, _ *Workload, s *session, round int) (report.Sample, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	f := &fan{
		marker:    fmt.Sprintf(`"title":"event-%d-`, round),
		interval:  time.Second / realtimeRate,
		latencies: load.NewHistogram(),
	}
	f.total = max(int(r.Duration/f.interval), 1)
	for i := range subscribers {
		if err := f.subscribe(ctx, s, i); err != nil {
			return report.Sample{}, fmt.Errorf("subscriber %d: %w", i, err)
		}
	}
	sample, err := s.measured(func() (load.Result, error) { return f.publish(ctx, s, round) })
	cancel()
	f.wg.Wait()
	return sample, err
}

// fan is one round of the fan-out.
type fan struct {
	marker   string // precedes the number of an event in its text
	interval time.Duration
	total    int
	start    atomic.Int64 // Unix nanoseconds of event 0
	got      atomic.Int64
	last     atomic.Int64 // Unix nanoseconds of the last event received
	wg       sync.WaitGroup

	mu        sync.Mutex
	latencies *hdrhistogram.Histogram
}

// subscribe opens an event stream, subscribes it to the collection and leaves
// a goroutine reading it until ctx is done.
func (f *fan) subscribe(ctx context.Context, s *session, i int) error {
	base := "http://" + s.proc.Addr
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/api/realtime", nil)
	if err != nil {
		return err
	}
	// A transport of its own keeps the connection apart from the others.
	client := &http.Client{Transport: &http.Transport{}}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		res.Body.Close()
		return fmt.Errorf("GET /api/realtime: status %d", res.StatusCode)
	}
	stream := bufio.NewReaderSize(res.Body, 16<<10)
	hello, err := event(stream, nil)
	var first struct {
		ClientID string `json:"clientId"`
	}
	if err = errors.Join(err, json.Unmarshal(hello, &first)); err != nil {
		res.Body.Close()
		return fmt.Errorf("first event: %w", err)
	}
	body := mustJSON(map[string]any{"clientId": first.ClientID, "subscriptions": []string{dataset.Collection + "/*"}})
	if err := s.post(ctx, "/api/realtime", s.tokens[i%len(s.tokens)], body, http.StatusNoContent); err != nil {
		res.Body.Close()
		return err
	}
	f.wg.Go(func() {
		defer res.Body.Close()
		f.listen(stream)
	})
	return nil
}

// listen counts events until the stream ends.
func (f *fan) listen(stream *bufio.Reader) {
	var data []byte
	var err error
	for {
		if data, err = event(stream, data[:0]); err != nil {
			return // the round is over, or events will be missing
		}
		now := time.Now()
		_, rest, found := bytes.Cut(data, []byte(f.marker))
		if !found {
			continue
		}
		digits, _, _ := bytes.Cut(rest, []byte(`"`))
		n, err := strconv.Atoi(string(digits))
		if err != nil {
			continue
		}
		due := time.Unix(0, f.start.Load()).Add(time.Duration(n) * f.interval)
		f.mu.Lock()
		load.RecordLatency(f.latencies, now.Sub(due))
		f.mu.Unlock()
		f.last.Store(now.UnixNano())
		f.got.Add(1)
	}
}

// event reads one event of a stream and returns its data, appended to buf.
func event(stream *bufio.Reader, buf []byte) ([]byte, error) {
	for {
		line, err := stream.ReadSlice('\n')
		if err != nil { // a line longer than the buffer is no event of ours
			return nil, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if data, ok := bytes.CutPrefix(line, []byte("data:")); ok {
			buf = append(buf, data...)
		} else if len(line) == 0 && len(buf) > 0 {
			return buf, nil
		}
	}
}

// publish creates the records and waits until every subscriber has every
// event, or nothing has come for three seconds.
func (f *fan) publish(ctx context.Context, s *session, round int) (load.Result, error) {
	start := time.Now()
	f.start.Store(start.UnixNano())
	f.last.Store(start.UnixNano())
	record := s.spec.Record(0)
	record.ID = ""
	for n := range f.total {
		if err := wait(ctx, time.Until(start.Add(time.Duration(n)*f.interval))); err != nil {
			return load.Result{}, err
		}
		record.Title = fmt.Sprintf("event-%d-%d", round, n)
		if err := s.post(ctx, recordsPath, s.tokens[0], mustJSON(record), http.StatusOK); err != nil {
			return load.Result{}, fmt.Errorf("create: %w", err)
		}
	}
	want := f.total * subscribers
	for f.got.Load() < int64(want) && time.Since(time.Unix(0, f.last.Load())) < 3*time.Second {
		if err := wait(ctx, 5*time.Millisecond); err != nil {
			return load.Result{}, err
		}
	}
	got := int(f.got.Load())
	f.mu.Lock()
	defer f.mu.Unlock()
	res := load.Result{
		Completed: min(got, want), Errors: max(want-got, got-want),
		Elapsed: time.Unix(0, f.last.Load()).Sub(start),
		ByKind:  []*hdrhistogram.Histogram{hdrhistogram.Import(f.latencies.Export())},
	}
	if res.Errors > 0 {
		res.FirstError = fmt.Sprintf("%d events delivered, want %d", got, want)
	}
	return res, nil
}

// wait waits for d or until ctx is done, whose error it returns.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// post sends a request outside the load generator and wants a status.
func (s *session) post(ctx context.Context, path, token string, body []byte, status int) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.proc.Addr+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var text strings.Builder
	if _, err := bufio.NewReader(res.Body).WriteTo(&text); err != nil {
		return err
	}
	if res.StatusCode != status {
		return fmt.Errorf("POST %s: status %d: %.300s", path, res.StatusCode, text.String())
	}
	return nil
}
