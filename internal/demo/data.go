package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// notes is how many records there are to begin with.
const notes = 200

type object = map[string]any

// fill makes a collection that everybody may read and change, with some records.
func (d *demo) fill(ctx context.Context) error {
	c := &client{http: &http.Client{Timeout: 30 * time.Second}, base: d.url(0)}
	var login struct{ Token string }
	err := c.must(ctx, "POST", "/api/collections/_superusers/auth-with-password", object{"identity": Email, "password": Password}, &login)
	if err != nil {
		return err
	}
	c.token = login.Token
	err = c.must(ctx, "POST", "/api/collections", object{
		"name": "notes", "type": "base", "listRule": "", "viewRule": "", "createRule": "", "updateRule": "",
		"fields": []object{{"name": "title", "type": "text"}, {"name": "likes", "type": "number"}},
	}, nil)
	if err == nil {
		err = c.must(ctx, "PATCH", "/api/settings", object{"batch": object{"enabled": true, "maxRequests": notes, "timeout": 30}}, nil)
	}
	if err != nil {
		return err
	}
	var list []object
	for i := range notes {
		list = append(list, object{"method": "POST", "url": "/api/collections/notes/records", "body": object{
			"id": noteID(i), "title": fmt.Sprint("Note number ", i), "likes": 0,
		}})
	}
	return c.must(ctx, "POST", "/api/batch", object{"requests": list}, nil)
}

func noteID(i int) string { return fmt.Sprintf("note%011d", i) }

// client asks one load balancer.
type client struct {
	http  *http.Client
	base  string
	token string
}

func (c *client) must(ctx context.Context, method, path string, body, out any) error {
	status, answer, err := c.ask(ctx, method, path, body)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	if status/100 != 2 {
		return fmt.Errorf("demo: %s %s: %d %s", method, path, status, answer)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}

func (c *client) ask(ctx context.Context, method, path string, body any) (status int, answer []byte, err error) {
	var in io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		in = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, in)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		req.Header.Set("Authorization", c.token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer, err = io.ReadAll(res.Body)
	return res.StatusCode, answer, err
}
