package scenarios

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// patience is how long an answer or an event may take.
const patience = 10 * time.Second

// Runner talks to one server and keeps values between steps.
type Runner struct {
	base    string
	vars    map[string]string
	client  http.Client
	streams map[string]*stream
}

// NewRunner starts with the given values. Close ends its streams.
func NewRunner(base string, vars map[string]string) *Runner {
	return &Runner{base: base, vars: vars, streams: map[string]*stream{}}
}

// Close ends all streams.
func (r *Runner) Close() {
	for _, s := range r.streams {
		s.cancel()
	}
}

// Do takes a step. The error joins everything that was not as expected.
func (r *Runner) Do(ctx context.Context, s Step) error {
	var status int
	var body []byte
	var err error
	switch s.Method {
	case "CONNECT":
		status, body, err = r.connect(ctx, s)
	case "HEAR":
		status = http.StatusOK
		body, err = r.hear(ctx, s.Stream)
	default:
		status, body, err = r.send(ctx, s)
	}
	if err != nil {
		return err
	}
	if status != s.Status {
		return fmt.Errorf("status %d, want %d: %s", status, s.Status, body)
	}
	if len(s.Expects) == 0 {
		return nil
	}
	var doc any
	if json.Unmarshal(body, &doc) != nil {
		doc = string(body) // a file, for instance
	}
	var wrong []error
	for _, e := range s.Expects {
		if err := r.check(doc, e); err != nil {
			wrong = append(wrong, fmt.Errorf("line %d: %w", e.Line, err))
		}
	}
	if len(wrong) > 0 {
		wrong = append(wrong, fmt.Errorf("answer: %s", body))
	}
	return errors.Join(wrong...)
}

func (r *Runner) send(ctx context.Context, s Step) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := r.request(ctx, s.Method, s)
	if err != nil {
		return 0, nil, err
	}
	res, err := r.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	plain := io.Reader(res.Body)
	if res.Header.Get("Content-Encoding") == "gzip" { // asked for by the steps themselves, as clients do
		if plain, err = gzip.NewReader(res.Body); err != nil {
			return 0, nil, fmt.Errorf("answer is not gzip: %w", err)
		}
	}
	body, err := io.ReadAll(plain)
	return res.StatusCode, body, err
}

func (r *Runner) request(ctx context.Context, method string, s Step) (*http.Request, error) {
	body := r.fill(s.Body)
	for _, h := range s.Header {
		if strings.HasPrefix(h[1], "multipart/") {
			body = strings.ReplaceAll(body, "\n", "\r\n")
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, r.base+r.fill(s.Path), strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	for _, h := range s.Header {
		req.Header[h[0]] = append(req.Header[h[0]], r.fill(h[1])) // as written, not canonical
	}
	return req, nil
}

var variable = regexp.MustCompile(`\{\{([\w.]+)\}\}`)

func (r *Runner) fill(text string) string {
	return variable.ReplaceAllStringFunc(text, func(m string) string {
		if v, ok := r.vars[m[2:len(m)-2]]; ok {
			return v
		}
		return m
	})
}

func (r *Runner) check(doc any, e Expectation) error {
	got, there := find(doc, e.Path)
	if e.Op == "absent" {
		if there {
			return fmt.Errorf("%s is %s, want it absent", e.Path, show(got))
		}
		return nil
	}
	if !there {
		return fmt.Errorf("%s is absent", e.Path)
	}
	want := r.fill(e.Want)
	switch e.Op {
	case "=":
		var v any
		if err := json.Unmarshal([]byte(want), &v); err != nil {
			return fmt.Errorf("%s is not JSON: %w", want, err)
		}
		if !reflect.DeepEqual(got, v) {
			return fmt.Errorf("%s is %s, want %s", e.Path, show(got), want)
		}
	case "~":
		text, ok := got.(string)
		re, err := regexp.Compile(want)
		if err != nil {
			return err
		}
		if !ok || !re.MatchString(text) {
			return fmt.Errorf("%s is %s, want it to match %s", e.Path, show(got), want)
		}
	case "->":
		text, ok := got.(string)
		if !ok || text == "" {
			return fmt.Errorf("%s is %s, want a text to keep", e.Path, show(got))
		}
		r.vars[want] = text
	case "keys":
		object, ok := got.(map[string]any)
		if !ok {
			return fmt.Errorf("%s is %s, want an object", e.Path, show(got))
		}
		keys := make([]string, 0, len(object))
		for key := range object {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		if have := strings.Join(keys, ", "); have != want {
			return fmt.Errorf("%s has the keys %s, want %s", e.Path, have, want)
		}
	}
	return nil
}

func find(doc any, path string) (any, bool) {
	if path == "." {
		return doc, true
	}
	for _, key := range strings.Split(path, ".") {
		switch v := doc.(type) {
		case map[string]any:
			next, ok := v[key]
			if !ok {
				return nil, false
			}
			doc = next
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(v) {
				return nil, false
			}
			doc = v[i]
		default:
			return nil, false
		}
	}
	return doc, true
}

func show(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}

// stream is an open connection with its events in the order they come.
type stream struct {
	cancel context.CancelFunc
	events chan []byte
}

func (r *Runner) connect(ctx context.Context, s Step) (int, []byte, error) {
	// The stream outlives its step, and with it the step's context.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	req, err := r.request(ctx, http.MethodGet, s)
	if err != nil {
		cancel()
		return 0, nil, err
	}
	res, err := r.client.Do(req)
	if err != nil {
		cancel()
		return 0, nil, err
	}
	if ct := res.Header.Get("Content-Type"); !strings.HasPrefix(ct, "text/event-stream") {
		res.Body.Close()
		cancel()
		return 0, nil, fmt.Errorf("content type %q, want text/event-stream", ct)
	}
	open := &stream{cancel: cancel, events: make(chan []byte, 64)}
	r.streams[s.Stream] = open
	go func() {
		defer res.Body.Close()
		defer close(open.events)
		read(ctx, res.Body, open.events)
	}()
	first, err := r.hear(ctx, s.Stream)
	if err != nil {
		return 0, nil, err
	}
	var e struct{ ID string }
	if err := json.Unmarshal(first, &e); err != nil {
		return 0, nil, err
	}
	r.vars[s.Stream] = e.ID
	return res.StatusCode, first, nil
}

// read parses events as the Dart SDK does: an empty line ends one, and it
// counts only with an id.
func read(ctx context.Context, body io.Reader, events chan<- []byte) {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<20)
	e := map[string]any{}
	for lines.Scan() {
		if lines.Text() == "" {
			if e["id"] != nil {
				text, _ := json.Marshal(e) // a map of texts and JSON always encodes
				select {
				case events <- text:
				case <-ctx.Done():
					return
				}
			}
			e = map[string]any{}
			continue
		}
		name, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		e[name] = value
		if name == "data" && json.Valid([]byte(value)) {
			e[name] = json.RawMessage(value)
		}
	}
}

func (r *Runner) hear(ctx context.Context, name string) ([]byte, error) {
	s := r.streams[name]
	if s == nil {
		return nil, fmt.Errorf("no stream %q", name)
	}
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case e, ok := <-s.events:
		if !ok {
			return nil, errors.New("the stream ended")
		}
		return e, nil
	case <-timeout.C:
		return nil, fmt.Errorf("no event on %q within %s", name, patience)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
