package lb

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// followers are clients with an event stream each, which come back when it ends.
type followers struct {
	addr   string
	client *http.Client
	stop   func()
	all    sync.WaitGroup

	open, ended atomic.Int64

	mu    sync.Mutex
	hints map[string]int // when they were told to come back, in ms
	wrong []string
}

func follow(t *testing.T, addr string, n int) *followers {
	ctx, stop := context.WithCancel(context.Background())
	f := &followers{addr: addr, stop: stop, hints: map[string]int{}, client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	for range n {
		f.all.Go(func() {
			for ctx.Err() == nil {
				f.one(ctx)
			}
		})
	}
	t.Cleanup(f.end)
	return f
}

func (f *followers) end() { f.stop(); f.all.Wait() }

// one is one life of a stream. It must end behind a whole event, and with a hint.
func (f *followers) one(ctx context.Context) {
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+f.addr+"/stream", nil)
	if err != nil {
		f.fail(err.Error())
		return
	}
	resp, err := f.client.Do(req)
	if err != nil {
		if ctx.Err() == nil {
			f.fail(err.Error())
			during(50 * time.Millisecond)
		}
		return
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		f.fail(resp.Status)
		during(50 * time.Millisecond)
		return
	}
	f.open.Add(1)
	hint, blank := "", true
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		blank = lines.Text() == ""
		if after, ok := strings.CutPrefix(lines.Text(), "retry: "); ok {
			hint = after
		}
	}
	f.open.Add(-1)
	if ctx.Err() != nil {
		return
	}
	f.ended.Add(1)
	if lines.Err() != nil || hint == "" || !blank {
		f.fail(fmt.Sprintf("a stream ends with %v, within an event %v, told to come back after %q", lines.Err(), !blank, hint))
		return
	}
	f.mu.Lock()
	f.hints[hint]++
	f.mu.Unlock() // and it is back at once, since nobody wants to wait here
}

func (f *followers) fail(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wrong = append(f.wrong, what)
}
