package dataset

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// UserAgent is sent with every request, so that a server which notices logins
// from new devices sees the same one all the time.
const UserAgent = "pandobench"

// Client talks to a server's web API as its superuser. It prepares and
// inspects; the measured requests are made by package load.
type Client struct {
	base  string
	token string
	http  *http.Client
}

// Login returns a client of the server at addr that is logged in as superuser.
func Login(ctx context.Context, addr, email, password string) (*Client, error) {
	c := &Client{base: "http://" + addr, http: &http.Client{Timeout: 5 * time.Minute}}
	var auth struct {
		Token string `json:"token"`
	}
	err := c.Do(ctx, http.MethodPost, "/api/collections/_superusers/auth-with-password",
		map[string]string{"identity": email, "password": password}, &auth)
	if err != nil {
		return nil, fmt.Errorf("log in as superuser: %w", err)
	}
	c.token = auth.Token
	return c, nil
}

// Do sends in as JSON, unless it is nil, and decodes the answer into out,
// unless that is nil. An answer that is not a success is an error with its
// body.
func (c *Client) Do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", UserAgent)
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", c.token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if res.StatusCode >= 300 {
		return fmt.Errorf("%s %s: status %d: %.500s", method, path, res.StatusCode, b)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

// Count is the number of records in a collection.
func (c *Client) Count(ctx context.Context, collection string) (int, error) {
	var page struct {
		TotalItems int `json:"totalItems"`
	}
	err := c.Do(ctx, http.MethodGet, "/api/collections/"+url.PathEscape(collection)+"/records?perPage=1&fields=id", nil, &page)
	return page.TotalItems, err
}

// Tokens returns auth tokens of the first n users. They are made by
// impersonation, which checks no password and so takes no time.
func (c *Client) Tokens(ctx context.Context, n int) ([]string, error) {
	return c.tokens(ctx, n, func(i int) (path string, body any) {
		return "/api/collections/users/impersonate/" + UserID(i), map[string]int{"duration": 0}
	})
}

// LoginTokens is Tokens by password, for work that needs refreshable tokens.
func (c *Client) LoginTokens(ctx context.Context, n int) ([]string, error) {
	return c.tokens(ctx, n, func(i int) (path string, body any) {
		return "/api/collections/users/auth-with-password", map[string]string{"identity": UserEmail(i), "password": UserPassword}
	})
}

func (c *Client) tokens(ctx context.Context, n int, request func(i int) (string, any)) ([]string, error) {
	tokens := make([]string, n)
	for i := range tokens {
		var auth struct {
			Token string `json:"token"`
		}
		path, body := request(i)
		if err := c.Do(ctx, http.MethodPost, path, body, &auth); err != nil {
			return nil, fmt.Errorf("token of user %d: %w", i, err)
		}
		tokens[i] = auth.Token
	}
	return tokens, nil
}
