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
}

func newClient(base, token string) *client {
	return &client{base, token, &http.Client{
		Timeout:   20 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: 1, DisableCompression: true},
	}}
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
	res, err := c.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
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
