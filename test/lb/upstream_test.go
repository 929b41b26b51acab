package lb

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// serveUpstream is the small web server: what the test's own program becomes with
// UPSTREAM set. It answers with its name after delay, to slots requests at once; told to
// stop it is unready first.
func serveUpstream() {
	delay, _ := time.ParseDuration(os.Getenv("DELAY"))
	slots, _ := strconv.Atoi(os.Getenv("SLOTS"))
	if slots == 0 {
		slots = 10_000
	}
	free := make(chan struct{}, slots)
	for range slots {
		free <- struct{}{}
	}
	var unready atomic.Bool
	var seen atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, r *http.Request) {
		if unready.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("/seen", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, seen.Load()) })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		seen.Add(1)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if delay > 0 {
			select {
			case <-free:
			case <-r.Context().Done():
				return
			}
			t := time.NewTimer(delay)
			select {
			case <-t.C:
			case <-r.Context().Done():
				t.Stop()
			}
			free <- struct{}{}
		}
		w.Header().Set("X-Name", os.Getenv("UPSTREAM"))
		w.Write(append([]byte("0123456789"), body...))
	})
	mux.HandleFunc("/stream", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for i := 0; r.Context().Err() == nil; i++ {
			fmt.Fprintf(w, "data: %d\n\n", i)
			http.NewResponseController(w).Flush()
			<-tick.C
		}
	})
	l, err := net.Listen("tcp", os.Getenv("LISTEN"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(l.Addr())
	s := &http.Server{Handler: mux}
	go s.Serve(l)
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	<-term
	unready.Store(true)
	<-time.After(1500 * time.Millisecond)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	s.Shutdown(ctx)
}

// status is what the balancer tells of itself.
type status struct {
	Retries, Hedges, Shed uint64
	Connections           int
	Upstreams             []struct {
		Address, State, Reason string
		Requests, Failed       uint64
		Dials                  uint64
	}
}

func (s status) of(address string) (u struct {
	Address, State, Reason string
	Requests, Failed       uint64
	Dials                  uint64
}) {
	for _, u := range s.Upstreams {
		if u.Address == address {
			return u
		}
	}
	return u
}

func (s status) attempts() (n uint64) {
	for _, u := range s.Upstreams {
		n += u.Requests
	}
	return n
}

func readStatus(admin string) (s status, err error) {
	resp, err := http.Get("http://" + admin + "/status")
	if err != nil {
		return s, err
	}
	defer resp.Body.Close()
	return s, json.NewDecoder(resp.Body).Decode(&s)
}

func join(list []string) string { return strings.Join(list, ",") }
