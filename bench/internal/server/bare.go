package server

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
)

// Answer is what the bare handler answers to every request: status, header
// and body that another server gave for the same request.
type Answer struct {
	Status int         `json:"status"`
	Header http.Header `json:"header"`
	Body   []byte      `json:"body"`
}

// Capture sends one request, given as the bytes on the wire, to the server at
// addr and returns its answer. Date and Content-Length are left out, because
// net/http adds them itself.
func Capture(addr string, request []byte) (Answer, error) {
	c, err := net.Dial("tcp4", addr)
	if err != nil {
		return Answer{}, fmt.Errorf("capture an answer: %w", err)
	}
	defer c.Close()
	if _, err := c.Write(request); err != nil {
		return Answer{}, fmt.Errorf("capture an answer: %w", err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return Answer{}, fmt.Errorf("capture an answer: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return Answer{}, fmt.Errorf("capture an answer: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return Answer{}, fmt.Errorf("capture an answer: status %d: %.300s", res.StatusCode, body)
	}
	res.Header.Del("Date")
	res.Header.Del("Content-Length")
	return Answer{Status: res.StatusCode, Header: res.Header, Body: body}, nil
}

// Write saves the answer for a bare server to be started with.
func (a Answer) Write(path string) error {
	b, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o600)
}

// ServeBare is the whole of the bare server: it serves the answer saved at
// path on addr until the process is ended.
func ServeBare(path, addr string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var a Answer
	if err := json.Unmarshal(b, &a); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	length := []string{strconv.Itoa(len(a.Body))}
	return http.ListenAndServe(addr, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		for name, values := range a.Header {
			h[name] = values
		}
		h["Content-Length"] = length
		w.WriteHeader(a.Status)
		w.Write(a.Body)
	}))
}
