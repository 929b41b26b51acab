package differential

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sort"
	"strings"
	"sync"
	"time"
)

// Stream is a step with a realtime connection.
//
// Connect opens a connection and keeps its client id in the variable of the
// same name. Collect waits on that connection for an event whose data holds
// the text Until, and answers with all events so far, sorted, since the order
// between events is free.
type Stream struct {
	Connect string // name of a new connection
	Collect string // name of the connection to read
	Until   string // text that the last awaited event's data contains
}

const (
	// streamDeadline is how long an awaited event may take.
	streamDeadline = 5 * time.Second
	// streamQuiet is how long nothing more must have come for a collection
	// to be whole: the peer sends each event from a goroutine of its own, so
	// the awaited one may overtake others, by more than a moment where the
	// machine has other work.
	streamQuiet = time.Second
)

type connection struct {
	cancel context.CancelFunc
	mu     sync.Mutex
	events []event
	last   time.Time     // when the last event came
	news   chan struct{} // holds a token when there are new events or an end
	ended  error
	header http.Header
}

type event struct{ id, name, data string }

// connect opens a stream and waits for its first event.
func connect(ctx context.Context, client *http.Client, base string) (*connection, event, error) {
	ctx, cancel := context.WithCancel(ctx)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/api/realtime", nil)
	if err != nil {
		cancel()
		return nil, event{}, err
	}
	res, err := client.Do(req)
	if err != nil {
		cancel()
		return nil, event{}, err
	}
	if res.StatusCode != http.StatusOK {
		res.Body.Close()
		cancel()
		return nil, event{}, fmt.Errorf("GET /api/realtime: status %d", res.StatusCode)
	}
	c := &connection{cancel: cancel, news: make(chan struct{}, 1), header: res.Header}
	go func() {
		defer res.Body.Close()
		c.read(bufio.NewReader(res.Body))
	}()
	first, err := c.await("clientId")
	if err != nil {
		cancel()
		return nil, event{}, err
	}
	return c, first[0], nil
}

func (c *connection) read(r *bufio.Reader) {
	var e event
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			c.add(nil, err)
			return
		}
		line = strings.TrimSuffix(line, "\n")
		field, value, _ := strings.Cut(line, ":")
		switch field {
		case "":
			c.add(&e, nil)
			e = event{}
		case "id":
			e.id = value
		case "event":
			e.name = value
		case "data":
			e.data = value
		}
	}
}

func (c *connection) add(e *event, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e != nil {
		c.events = append(c.events, *e)
		c.last = time.Now()
	}
	if err != nil {
		c.ended = err
	}
	select {
	case c.news <- struct{}{}:
	default:
	}
}

// await takes all events, once one of them holds text and no more come.
func (c *connection) await(text string) ([]event, error) {
	deadline := time.NewTimer(streamDeadline)
	defer deadline.Stop()
	for {
		events, settled, err := c.take(text)
		if events != nil || err != nil {
			return events, err
		}
		var quiet <-chan time.Time
		if settled > 0 {
			quiet = time.After(settled)
		}
		select {
		case <-c.news:
		case <-quiet:
		case <-deadline.C:
			c.mu.Lock()
			defer c.mu.Unlock()
			return nil, fmt.Errorf("no event with %q within %s, only %d others", text, streamDeadline, len(c.events))
		}
	}
}

// take gives the events, or how long it must stay quiet for them to be whole,
// or neither when the awaited one has not come.
func (c *connection) take(text string) (events []event, settled time.Duration, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.events {
		if !strings.Contains(e.data, text) {
			continue
		}
		if left := streamQuiet - time.Since(c.last); left > 0 {
			return nil, left, nil
		}
		events, c.events = c.events, nil
		return events, 0, nil
	}
	if c.ended != nil {
		return nil, 0, fmt.Errorf("the stream ended: %w", c.ended)
	}
	return nil, 0, nil
}

// asJSON shows events as a JSON answer that can be compared.
func asJSON(events []event, clientID string) string {
	type shown struct {
		Event  string          `json:"event"`
		IsMine bool            `json:"idIsClientId"`
		Data   json.RawMessage `json:"record"`
	}
	lines := make([]string, 0, len(events))
	for _, e := range events {
		data := json.RawMessage(e.data)
		if !json.Valid(data) {
			data, _ = json.Marshal(e.data)
		}
		line, err := json.Marshal(shown{Event: e.name, IsMine: e.id == clientID, Data: data})
		if err != nil {
			line = []byte(`"unreadable event"`)
		}
		lines = append(lines, string(line))
	}
	sort.Strings(lines)
	return `{"items":[` + strings.Join(lines, ",") + `]}`
}
