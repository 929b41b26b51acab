package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/pandobase/pando/bench/internal/dataset"
	"github.com/pandobase/pando/bench/internal/server"
)

// watched is how what must always be answered was.
type watched struct {
	What    string  `json:"what"`
	Asked   int     `json:"asked"`
	Failed  int     `json:"failed"`
	Late    int     `json:"late"` // answered after more than 50 ms
	P99     float64 `json:"p99ms"`
	Longest float64 `json:"longestMs"`
}

func (w watched) String() string {
	return fmt.Sprintf("%s %d asked, %d failed, %d late, p99 %.1f, longest %.1f ms", w.What, w.Asked, w.Failed, w.Late, w.P99, w.Longest)
}

const (
	watchEvery  = 50 * time.Millisecond
	watchSeldom = 500 * time.Millisecond // of what takes some milliseconds itself
	watchLate   = 50 * time.Millisecond
)

// watch asks again and again, over a connection for each, until end is called.
func watch(ctx context.Context, client *dataset.Client, p *server.Process) (results func() []watched, end func()) {
	ctx, end = context.WithCancel(ctx)
	get := func(url string) func() error {
		c := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}}
		return func() error {
			resp, err := c.Get(url)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			if _, err = io.Copy(io.Discard, resp.Body); err == nil && resp.StatusCode != http.StatusOK {
				err = fmt.Errorf("%s", resp.Status)
			}
			return err
		}
	}
	list := []struct {
		what  string
		every time.Duration
		ask   func() error
	}{
		{"/livez", watchEvery, get("http://" + p.Addr + "/livez")},
		{"/readyz", watchEvery, get("http://" + p.Addr + "/readyz")},
		{"--admin /readyz", watchEvery, get("http://" + p.Admin + "/readyz")},
		{"--admin /metrics", watchSeldom, get("http://" + p.Admin + "/metrics")},
		{"/api/system", watchSeldom, func() error {
			return client.Do(context.WithoutCancel(ctx), http.MethodGet, "/api/system", nil, nil)
		}},
	}
	got := make([]watched, len(list))
	var all sync.WaitGroup
	for i, l := range list {
		all.Go(func() {
			w := watched{What: l.what}
			var times []time.Duration
			tick := time.NewTicker(l.every)
			defer tick.Stop()
			for ctx.Err() == nil {
				began := time.Now()
				err := l.ask()
				took := time.Since(began)
				times = append(times, took)
				if err != nil {
					w.Failed++
				}
				if took > watchLate {
					w.Late++
				}
				<-tick.C
			}
			slices.Sort(times)
			w.Asked = len(times)
			w.P99 = times[w.Asked*99/100].Seconds() * 1000
			w.Longest = times[w.Asked-1].Seconds() * 1000
			got[i] = w
		})
	}
	return func() []watched { all.Wait(); return got }, end
}
