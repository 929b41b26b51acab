package cluster

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
)

// TestAsk: a load balancer and a member ask a server something of their own; it knows
// who asks, and what it refuses is told apart from one that is not there.
func TestAsk(t *testing.T) {
	const text = "0123456789abcdef"
	d := openDoor(t, text)
	server := &http.Server{ConnContext: WithCaller, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Path != "/there" {
			http.Error(w, "not here", http.StatusNotFound)
			return
		}
		fmt.Fprintf(w, "%s %s for %s", r.Method, body, Caller(r.Context()).Role)
	})}
	serving := make(chan struct{})
	go func() { defer close(serving); _ = server.Serve(d.Control()) }()
	defer func() { _ = server.Close(); <-serving }()
	lb, err := secret(t, text).Front("lb1")
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := secret(t, "fedcba9876543210").Front("lb1")
	if err != nil {
		t.Fatal(err)
	}
	address := d.listener.Addr().String()
	for role, front := range map[Role]*Front{RoleLB: lb, RoleWeb: d.Front()} {
		got, err := front.Ask(t.Context(), address, "s1", http.MethodPost, "/there", []byte("x"))
		if want := "POST x for " + string(role); err != nil || string(got) != want {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
	}
	_, err = lb.Ask(t.Context(), address, "", http.MethodGet, "/elsewhere", nil)
	if refused, ok := errors.AsType[*Refused](err); !ok || refused.Status != http.StatusNotFound || refused.Error() != "the server says 404: not here" {
		t.Errorf("what it does not know: %v", err)
	}
	for name, ask := range map[string]func() ([]byte, error){
		"another server": func() ([]byte, error) { return lb.Ask(t.Context(), address, "s2", http.MethodGet, "/there", nil) },
		"a stranger":     func() ([]byte, error) { return stranger.Ask(t.Context(), address, "s1", http.MethodGet, "/there", nil) },
		"nobody there":   func() ([]byte, error) { return lb.Ask(t.Context(), "127.0.0.1:1", "s1", http.MethodGet, "/there", nil) },
	} {
		_, err := ask()
		if _, ok := errors.AsType[*Refused](err); ok || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
