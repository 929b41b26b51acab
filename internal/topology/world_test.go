package topology_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/topology"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is hosts that answer probes as a test says, in the time of a bubble.
type world struct {
	*topology.Watcher
	t *testing.T

	known atomic.Uint64 // of timeline 1, by others than the probes

	mu      sync.Mutex
	nodes   map[string]*node
	changed chan struct{} // closed when they are
	changes []string
}

// node is one host.
type node struct {
	topology.Report
	err    error
	frozen bool
	slow   time.Duration
	asked  func() // what happens when it has answered
}

const system = 7300000000000000001

func primary(timeline uint32, flush position.N) *node {
	return &node{Report: topology.Report{System: system, Instance: 1, Timeline: timeline, Flush: flush,
		History: position.History{Timeline: timeline}}}
}

func replica(timeline uint32, replay position.N) *node {
	return &node{Report: topology.Report{System: system, Instance: 1, InRecovery: true, Timeline: timeline, Receive: replay, Replay: replay}}
}

// promoted is a primary whose timeline began where the one before was left.
func promoted(timeline uint32, at, flush position.N) *node {
	n := primary(timeline, flush)
	n.History.Forks = []position.Fork{{Timeline: timeline - 1, At: at}}
	return n
}

// in runs a test in a bubble, on hosts that are watched from then on. Their
// order is that of the names in order.
func in(t *testing.T, order string, nodes map[string]*node, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, order, nodes)
		defer w.Close()
		test(t, w)
	})
}

// watch begins to watch nodes, in a bubble.
func watch(t *testing.T, order string, nodes map[string]*node) *world {
	w := &world{t: t, nodes: nodes, changed: make(chan struct{})}
	w.Watcher = topology.New(topology.Config{
		Hosts: strings.Fields(order), Probe: w.probe,
		Known: func() (uint32, position.N) { return 1, position.N(w.known.Load()) },
		OnChange: func(c topology.Change) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.changes = append(w.changes, c.Text)
		},
	})
	synctest.Wait()
	return w
}

func (w *world) probe(ctx context.Context, host string) (topology.Report, error) {
	w.mu.Lock()
	n, ok := w.nodes[host]
	if !ok {
		w.mu.Unlock()
		return topology.Report{}, errors.New("no such host")
	}
	now, thawed := *n, w.changed
	if n.asked != nil {
		n.asked()
	}
	w.mu.Unlock()
	for now.frozen {
		select {
		case <-thawed:
		case <-ctx.Done():
			return topology.Report{}, ctx.Err()
		}
		w.mu.Lock()
		now, thawed = *w.nodes[host], w.changed
		w.mu.Unlock()
	}
	if now.slow > 0 {
		select {
		case <-time.After(now.slow):
		case <-ctx.Done():
			return topology.Report{}, ctx.Err()
		}
	}
	return now.Report, now.err
}

// set changes hosts, all at once.
func (w *world) set(change func(nodes map[string]*node)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(w.nodes)
	close(w.changed)
	w.changed = make(chan struct{})
}

// pass lets time pass, and everything that is due then happen.
func (w *world) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// round is more than an interval.
const round = 110 * time.Millisecond

func (w *world) primary() string {
	if m := w.State().Primary(); m != nil {
		return m.Host()
	}
	return ""
}

// replicas are the hosts that may be read and answer, in order.
func (w *world) replicas() string {
	var list []string
	for _, m := range w.State().Replicas() {
		if !m.Silent() {
			list = append(list, m.Host())
		}
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

func (w *world) want(primary, replicas string) {
	w.t.Helper()
	if got := w.primary(); got != primary {
		w.t.Errorf("primary %q, want %q: %s", got, primary, w.Status().Problem)
	}
	if got := w.replicas(); got != replicas {
		w.t.Errorf("replicas %q, want %q: %+v", got, replicas, w.Status().Members)
	}
}

// told takes what was told since the last call.
func (w *world) told() []string {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.changes
	w.changes = nil
	return list
}

// wantTold: in any order, as all hosts are asked at one moment.
func (w *world) wantTold(want ...string) {
	w.t.Helper()
	got := w.told()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		w.t.Errorf("told:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func (w *world) member(host string) topology.MemberStatus {
	w.t.Helper()
	for _, m := range w.Status().Members {
		if m.Host == host {
			return m
		}
	}
	w.t.Fatalf("%s is not in the status", host)
	return topology.MemberStatus{}
}

// over tells whether a channel is closed.
func over(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
