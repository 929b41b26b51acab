package differential

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/pandobase/pando/test/target"
)

// Answer is what a server gave for one request.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	Err    error // the request got no answer, or could not be made
	At     time.Time
}

// Run is one server's answers, in the order of the requests, with the
// variables captured on the way.
type Run struct {
	Server  string
	Answers []Answer
	Vars    map[string]string
}

// runner sends requests to one server, one after the other.
type runner struct {
	base    string
	client  *http.Client
	vars    map[string]string
	streams map[string]*connection
}

// Send sends all requests to s in order and returns the answers. A request
// that gets no answer is recorded as such; only a cancelled ctx ends early.
func Send(ctx context.Context, s *target.Server, requests []Request) Run {
	return send(ctx, s, requests, map[string]string{"root.email": s.Email, "root.password": s.Password})
}

// send is Send with variables that are known from the start.
func send(ctx context.Context, s *target.Server, requests []Request, vars map[string]string) Run {
	r := &runner{
		base: s.URL,
		client: &http.Client{
			Timeout:       0, // streams stay open; each request has a deadline of its own
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		vars:    vars,
		streams: map[string]*connection{},
	}
	defer r.close()
	run := Run{Server: s.Name, Vars: r.vars}
	for _, q := range requests {
		a := r.step(ctx, q)
		a.At = time.Now()
		r.capture(q, &a)
		run.Answers = append(run.Answers, a)
	}
	return run
}

func (r *runner) close() {
	for _, c := range r.streams {
		c.cancel()
	}
	r.client.CloseIdleConnections()
}

func (r *runner) step(ctx context.Context, q Request) Answer {
	switch {
	case q.Stream.Connect != "":
		c, first, err := connect(ctx, r.client, r.base)
		if err != nil {
			return Answer{Err: err}
		}
		r.streams[q.Stream.Connect] = c
		r.vars[q.Stream.Connect] = first.id
		return Answer{Status: http.StatusOK, Header: c.header, Body: []byte(asJSON([]event{first}, first.id))}
	case q.Stream.Collect != "":
		c := r.streams[q.Stream.Collect]
		if c == nil {
			return Answer{Err: fmt.Errorf("no connection %q", q.Stream.Collect)}
		}
		events, err := c.await(q.Stream.Until)
		if err != nil {
			return Answer{Err: err}
		}
		return Answer{Status: http.StatusOK, Body: []byte(asJSON(events, r.vars[q.Stream.Collect]))}
	}
	return r.send(ctx, q)
}

func (r *runner) send(ctx context.Context, q Request) Answer {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	req, err := r.request(ctx, q)
	if err != nil {
		return Answer{Err: err}
	}
	res, err := r.client.Do(req)
	if err != nil {
		return Answer{Err: err}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return Answer{Err: fmt.Errorf("read the answer: %w", err)}
	}
	return Answer{Status: res.StatusCode, Header: res.Header, Body: body}
}

func (r *runner) request(ctx context.Context, q Request) (*http.Request, error) {
	body, contentType, err := r.body(q)
	if err != nil {
		return nil, err
	}
	method := q.Method
	if method == "" {
		method = http.MethodGet
		if body != nil {
			method = http.MethodPost
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, r.base+r.fill(q.Path), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if len(q.Query) > 0 {
		req.URL.RawQuery = r.fill(q.Query.Encode())
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	// One fixed agent, or else every login would look like a new device.
	req.Header.Set("User-Agent", "differential")
	if q.As != Guest {
		token, ok := r.vars[q.As]
		if !ok {
			return nil, fmt.Errorf("nobody has logged in as %q", q.As)
		}
		req.Header.Set("Authorization", token)
	}
	for name, value := range q.Headers {
		req.Header.Set(name, r.fill(value))
	}
	return req, nil
}

func (r *runner) body(q Request) (body []byte, contentType string, err error) {
	if q.Form == nil {
		contentType = q.Type
		if q.Body == "" {
			return nil, contentType, nil
		}
		if contentType == "" {
			contentType = "application/json"
		}
		return []byte(r.fill(q.Body)), contentType, nil
	}
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	for _, p := range q.Form {
		h := textproto.MIMEHeader{}
		disposition := fmt.Sprintf(`form-data; name=%q`, p.Name)
		if p.Filename != "" {
			disposition += fmt.Sprintf(`; filename=%q`, p.Filename)
		}
		h.Set("Content-Disposition", disposition)
		if p.Type != "" {
			h.Set("Content-Type", p.Type)
		}
		part, err := w.CreatePart(h)
		if err != nil {
			return nil, "", err
		}
		content := p.Content
		if p.Filename == "" {
			content = r.fill(content)
		}
		if _, err := io.WriteString(part, content); err != nil {
			return nil, "", err
		}
	}
	return closeForm(w, &buf)
}

func closeForm(w *multipart.Writer, buf *bytes.Buffer) ([]byte, string, error) {
	if err := w.Close(); err != nil {
		return nil, "", err
	}
	return buf.Bytes(), w.FormDataContentType(), nil
}

var variable = regexp.MustCompile(`(\{\{|%7B%7B)([\w.]+)(\}\}|%7D%7D)`)

// fill puts variables in. An unknown one is left as it is, so that it shows.
func (r *runner) fill(text string) string {
	return variable.ReplaceAllStringFunc(text, func(m string) string {
		name := variable.FindStringSubmatch(m)[2]
		if value, ok := r.vars[name]; ok {
			return value
		}
		return m
	})
}

// capture keeps what q asks for. What is not there turns the answer into an
// error: every later request that needs the variable would differ as well,
// and this is the one to look at.
func (r *runner) capture(q Request, a *Answer) {
	if len(q.Capture) == 0 || a.Err != nil {
		return
	}
	var doc any
	if err := json.Unmarshal(a.Body, &doc); err != nil {
		return
	}
	for name, path := range q.Capture {
		if value, ok := lookup(doc, path); ok && value != "" {
			r.vars[name] = value
		}
	}
}

func lookup(doc any, path string) (string, bool) {
	for _, key := range strings.Split(path, ".") {
		switch v := doc.(type) {
		case map[string]any:
			doc = v[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(v) {
				return "", false
			}
			doc = v[i]
		default:
			return "", false
		}
	}
	s, ok := doc.(string)
	return s, ok
}
