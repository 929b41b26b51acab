package failover

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
)

// receipt is what a writer keeps of an answered write.
type receipt struct{ id, pos string }

// TestLostWritesAreAnnounced: without synchronous replication a failover takes
// answered writes back. Whoever was answered one of them is told so when the
// position of that answer is presented. Nobody else is, but for writes that were
// being answered in the very moment that the fork lies in: the position of a
// write is where the log was on disk behind it, and that can be a neighbour's end.
func TestLostWritesAreAnnounced(t *testing.T) {
	rounds := 1
	if long {
		rounds = 5
	}
	for round := range rounds {
		t.Run(fmt.Sprint(round), announced)
	}
}

func announced(t *testing.T) {
	const writers = 12
	c := localclustertest.Replicated(t, 1, localcluster.ReplicatedOptions{})
	must(t, c.Primary().CreateDatabase(t.Context(), database))
	must(t, c.WaitReplayed(t.Context()))
	l, err := newLoad(t.Context(), serve(t, c.URL(database, "postgres")))
	must(t, err)
	l.http.Timeout = 5 * time.Second
	must(t, c.WaitReplayed(t.Context()))

	ctx, stop := context.WithCancel(t.Context())
	receipts := make([][]receipt, writers)
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() { receipts[w] = l.create(ctx, t, w) })
	}
	still(t, time.Second)
	must(t, c.Primary().FreezeSenders())
	still(t, 500*time.Millisecond)
	must(t, c.Primary().Kill())
	stop()
	must(t, c.Promote(t.Context(), 1))
	all.Wait()
	kept, err := c.Primary().ExecIn(t.Context(), database, "SELECT id FROM counters")
	must(t, err)
	there := map[string]bool{}
	for id := range strings.Lines(kept + "\n") {
		there[strings.TrimSpace(id)] = true
	}
	l.untilWritten(t)

	lost, held, silent, loud := 0, 0, 0, 0
	for _, list := range receipts {
		for _, r := range list {
			reset := l.present(t, r.pos)
			switch {
			case there[r.id] && reset:
				loud++
			case there[r.id]:
				held++
			case reset:
				lost++
			default:
				silent++
			}
		}
	}
	t.Logf("%d answered writes were kept, and %d were lost and announced; %d lost ones were not announced, and %d kept ones were announced as lost",
		held, lost, silent, loud)
	if lost+silent < 10 || held < 10 {
		t.Error("too few were lost or kept: the run means nothing")
	}
	if silent > 0 {
		t.Error("lost writes were not announced")
	}
	if loud > writers { // more than can have been answered in one moment
		t.Error("kept writes were announced as lost")
	}
}

// create makes records until ctx ends, and keeps what was answered.
func (l *load) create(ctx context.Context, t *testing.T, w int) (list []receipt) {
	for n := 0; ctx.Err() == nil; n++ {
		id := fmt.Sprintf("w%02dn%011d", w, n)
		body, _ := json.Marshal(map[string]any{"id": id, "n": n})
		req, err := http.NewRequestWithContext(ctx, "POST", l.server.URL+records, strings.NewReader(string(body)))
		if err != nil {
			t.Error(err)
			return list
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Pos", "0")
		res, err := l.http.Do(req)
		if err != nil {
			return list
		}
		res.Body.Close()
		if res.StatusCode == http.StatusOK {
			list = append(list, receipt{id, res.Header.Get("X-Pos")})
		}
	}
	return list
}

// present sends a position, and says whether it was answered that it is void.
func (l *load) present(t *testing.T, pos string) (void bool) {
	t.Helper()
	_, void = l.view(t, pos)
	return void
}

// view reads a record as a client that has seen pos, and gives what it has seen then.
func (l *load) view(t *testing.T, pos string) (seen string, void bool) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", l.server.URL+records+"/"+keyID(0), nil)
	must(t, err)
	req.Header.Set("X-Pos", pos)
	res, err := l.http.Do(req)
	must(t, err)
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("with X-Pos %s: %s", pos, res.Status)
	}
	return res.Header.Get("X-Pos"), res.Header.Get("X-Pos-Reset") != ""
}

// untilWritten waits until the server writes again.
func (l *load) untilWritten(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	var err error
	for ; time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if err = l.must(t.Context(), "PATCH", records+"/"+keyID(0), "", map[string]any{"n": 1}, nil); err == nil {
			return
		}
	}
	t.Fatal("nothing can be written: ", err)
}
