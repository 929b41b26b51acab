package lb

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"
)

// answerError answers a request that no upstream has answered, in the form of Pando's
// own errors.
func (b *Balancer) answerError(w http.ResponseWriter, r *http.Request, err error) {
	if tooSlow(r) {
		w.Header().Set("Connection", "close")
		err = errSlow
	} else if r.Context().Err() != nil {
		b.clientGone.Add(1)
		panic(http.ErrAbortHandler) // nobody listens
	}
	status, message, data := describe(err)
	if status != http.StatusServiceUnavailable {
		b.log.Debug("request failed", "method", r.Method, "status", status, "error", err)
	}
	b.refuse(w, status, message, data)
}

func describe(err error) (status int, message string, data map[string]any) {
	var f *failure
	errors.As(err, &f)
	switch {
	case errors.Is(err, errSlow):
		return http.StatusRequestTimeout, "The body of the request came too slowly.", nil
	case errors.Is(err, errHeaderBytes), f != nil && f.body:
		return http.StatusBadRequest, "The request ended early or is malformed.", nil
	case errors.Is(err, errShed):
		return http.StatusServiceUnavailable, "The servers have as much to do as they can, please try again.", nil
	case errors.Is(err, errUnknown) && (errors.Is(err, errSilent) || errors.Is(err, errLate)):
		return http.StatusGatewayTimeout, "The server did not answer in time. Whether the request was carried out is not known.", map[string]any{"outcome": "unknown"}
	case errors.Is(err, errUnknown):
		return http.StatusBadGateway, "The server was lost before it answered. Whether the request was carried out is not known.", map[string]any{"outcome": "unknown"}
	case errors.Is(err, errSilent), errors.Is(err, errLate), errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout, "The server did not answer in time, please try again.", nil
	case errors.Is(err, errNoUpstream), f != nil && !f.sent:
		return http.StatusServiceUnavailable, "No server can be reached now, please try again.", nil
	}
	return http.StatusBadGateway, "The server did not answer as it should.", nil
}

// refuse answers with an error of the balancer's own.
func (b *Balancer) refuse(w http.ResponseWriter, status int, message string, data map[string]any) {
	if data == nil {
		data = map[string]any{}
	}
	body, err := json.Marshal(struct {
		Data    map[string]any `json:"data"`
		Message string         `json:"message"`
		Status  int            `json:"status"`
	}{data, message, status})
	if err != nil {
		panic(err) // texts and a number
	}
	b.own[ownCode(status)].Add(1)
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)+1))
	if status == http.StatusTooManyRequests || status >= 502 {
		h.Set("Retry-After", "1")
	}
	w.WriteHeader(status)
	w.Write(append(body, '\n'))
}

// answerOptions answers OPTIONS *, which is for no upstream: there is a server.
func (b *Balancer) answerOptions(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 {
		// A body has no meaning here. What comes of it soon is read, so that the answer is not lost.
		w.Header().Set("Connection", "close")
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(settleWithin))
	}
	if !isCounted(r) && !b.clients.request(r.RemoteAddr, time.Now()) {
		b.refuse(w, http.StatusTooManyRequests, tooMany, nil)
		return
	}
	if b.draining.Load() || r.Header["Upgrade"] != nil { // what may follow the latter has not been looked at: see strict
		w.Header().Set("Connection", "close")
	}
	b.own[ownCode(http.StatusOK)].Add(1)
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
}

const tooMany = "Too many requests from this address, please try again."

// ownCodes are the statuses that the balancer answers by itself.
var ownCodes = [...]int{400, 405, 408, 429, 502, 503, 504, 200}

func ownCode(status int) int {
	for i, c := range ownCodes {
		if c == status {
			return i
		}
	}
	return 0
}
