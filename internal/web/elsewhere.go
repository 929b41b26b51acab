package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/pandobase/pando"
)

// A client's event stream is with one server of a cluster, and what it says of its
// subscriptions may come to another, which hands it on.

type relayedKey struct{}

// Relayed serves what other servers of the cluster hand on: they are believed like
// load balancers, and nothing is handed on twice.
func (h *Handler) Relayed() http.Handler {
	behind := h.Behind()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		behind.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), relayedKey{}, true)))
	})
}

// notHandedOn are headers of the connection, and those that are made anew.
var notHandedOn = []string{
	"Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Expect",
	"Content-Length", "Content-Encoding", "Content-Type", "Accept-Encoding", "X-Forwarded-For",
}

// maxRelayed is the longest answer that is handed back.
const maxRelayed = 1 << 20

// elsewhere hands subscriptions on to the server that has the client. handled is false
// if there is none.
func (c *call) elsewhere(clientID string, subscriptions []string) (handled bool, err error) {
	ctx := c.r.Context()
	if c.h.cfg.Elsewhere == nil || ctx.Value(relayedKey{}) != nil {
		return false, nil
	}
	body, err := json.Marshal(map[string]any{"clientId": clientID, "subscriptions": subscriptions})
	if err != nil {
		return false, fmt.Errorf("hand subscriptions on: %w", err)
	}
	out, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://pando/api/realtime", bytes.NewReader(body))
	if err != nil {
		return false, fmt.Errorf("hand subscriptions on: %w", err)
	}
	out.URL.RawQuery, out.Host = c.r.URL.RawQuery, c.r.Host
	for name, values := range c.r.Header {
		if !slices.Contains(notHandedOn, name) {
			out.Header[name] = values
		}
	}
	out.Header["Content-Type"] = headerJSON
	out.Header["X-Forwarded-For"] = []string{c.req.RealIP}
	res, err := c.h.cfg.Elsewhere(out, clientID)
	if err != nil {
		return false, &pando.Error{Kind: pando.KindUnavailable, Message: "The server that has the connection cannot be reached now, please try again.", Err: err}
	}
	if res == nil {
		return false, nil
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxRelayed))
	if err != nil {
		return false, &pando.Error{Kind: pando.KindUnavailable, Message: "The server that has the connection was lost, please try again.", Err: err}
	}
	header := c.w.Header()
	for _, name := range []string{"Retry-After", "Cache-Control"} {
		if v := res.Header[name]; v != nil {
			header[name] = v
		}
	}
	if len(answer) > 0 {
		c.json(res.StatusCode, answer)
		return true, nil
	}
	c.markAge()
	c.status, c.wrote = res.StatusCode, true
	c.w.WriteHeader(res.StatusCode)
	return true, nil
}
