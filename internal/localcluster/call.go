package localcluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// web asks servers of this machine, and keeps no connections for a next question.
var web = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// call sends a JSON body, and decodes a JSON answer unless into is nil. A frozen
// server takes the connection and never answers, so each call has an end of its own;
// a switchover is answered when it is done.
func call(ctx context.Context, method, url string, body []byte, into any) error {
	limit := 2 * time.Second
	if into == nil {
		limit = longest
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("localcluster: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := web.Do(req)
	if err != nil {
		return fmt.Errorf("localcluster: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("localcluster: %w", err)
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("localcluster: %s %s: %s: %s", method, url, resp.Status, firstLine(string(text)))
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("localcluster: %s: %w", url, err)
	}
	return nil
}
