package consistency

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// client is one connection of one caller.
type client struct {
	base, token string
	http        *http.Client

	// keeps is nil for an ordinary client. Others send the position that they have
	// reached (X-Pos) and keep the greatest; keeps is told if one goes back.
	keeps func(format string, args ...any)
	pos   string
}

func newClient(base, token string) *client {
	return &client{base: base, token: token, pos: "0", http: &http.Client{
		Timeout:   20 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: 1, DisableCompression: true},
	}}
}

// client is a new one; every other keeps positions.
func (w *world) client(token string) *client {
	c := newClient(w.server.URL, token)
	if w.made.Add(1)%2 == 0 {
		c.keeps = w.report.violation
	}
	return c
}

// keep takes the position that an answer came with.
func (c *client) keep(res *http.Response) {
	got := res.Header.Get("X-Pos")
	switch {
	case res.Header.Get("X-Pos-Reset") != "":
		c.keeps("X-Pos-Reset for %s, and nothing was lost", c.pos)
	case got < c.pos:
		c.keeps("X-Pos went back from %s to %q", c.pos, got)
	default:
		c.pos = got
	}
}

func (c *client) close() { c.http.CloseIdleConnections() }

// do sends a request and decodes the body of an answer of 200 into out.
func (c *client) do(ctx context.Context, method, path string, body, out any) (int, error) {
	return c.as(ctx, c.token, method, path, body, out)
}

func (c *client) as(ctx context.Context, token, method, path string, body, out any) (int, error) {
	var in io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return 0, err
		}
		in = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, in)
	if err != nil {
		return 0, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", token)
	}
	if c.keeps != nil {
		req.Header.Set("X-Pos", c.pos)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	if c.keeps != nil {
		c.keep(res)
	}
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err
	}
	if res.StatusCode == http.StatusOK && out != nil {
		if err := json.Unmarshal(data, out); err != nil {
			return 0, fmt.Errorf("%s %s: %w in %s", method, path, err, data)
		}
	}
	if res.StatusCode >= 500 {
		return res.StatusCode, fmt.Errorf("%s %s: %d %s", method, path, res.StatusCode, data)
	}
	return res.StatusCode, nil
}

// must is do for requests that have to succeed.
func (c *client) must(ctx context.Context, method, path string, body, out any) error {
	status, err := c.do(ctx, method, path, body, out)
	if err == nil && status/100 != 2 {
		err = fmt.Errorf("%s %s: status %d", method, path, status)
	}
	return err
}
