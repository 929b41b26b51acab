package cluster

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pandobase/pando/test/target"
)

// stage is a cluster with records to play with.
type stage struct {
	*target.Cluster
	http *http.Client
	root string                 // the superuser's token, which writes carry
	all  bool                   // reads do, too
	bare atomic.Pointer[answer] // a 503 that did not say when to come again
}

// long has the schedules whose size matters be held in their full one.
var long = os.Getenv("PANDO_PROVE") != ""

const (
	keys    = 60
	records = "/api/collections/counters/records"
	lease   = 500 * time.Millisecond
	// bound is how long a commit of another program can be unknown to who answers: a
	// lease. The rest is for a machine that is busy.
	bound = lease + 250*time.Millisecond
)

func keyID(i int) string { return fmt.Sprintf("key%012d", i) }

// none is no replica, or no cache server.
const none = -1

// newStage starts what the schedules are about where they say nothing else: three
// servers, a primary with two replicas, three cache servers.
func newStage(t *testing.T, o target.ClusterOptions) *stage {
	t.Helper()
	o.Replicas, o.Caches = max(0, cmp.Or(o.Replicas, 2)), max(0, cmp.Or(o.Caches, 3))
	if bin := os.Getenv(brokenBin); bin != "" {
		o.Bin, o.Env = bin, append(o.Env, "PANDO_MUTANT="+os.Getenv("PANDO_MUTANT"))
	}
	s := &stage{Cluster: target.StartCluster(t, o), http: &http.Client{
		Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 50},
	}}
	t.Cleanup(s.http.CloseIdleConnections)
	t.Cleanup(func() {
		if a := s.bare.Load(); a != nil {
			t.Errorf("who is refused is not told when to come again: %v", *a)
		}
	})
	m := s.Members[0]
	var login struct{ Token string }
	s.must(t, m, "POST", "/api/collections/_superusers/auth-with-password", object{"identity": m.Email, "password": m.Password}, &login)
	s.root = login.Token
	s.must(t, m, "POST", "/api/collections", object{
		"name": "counters", "type": "base", "listRule": "", "viewRule": "", "updateRule": "", "createRule": "",
		"fields": []any{object{"name": "n", "type": "number"}, object{"name": "odd", "type": "bool"}},
	}, nil)
	s.must(t, m, "PATCH", "/api/settings", object{"batch": object{"enabled": true, "maxRequests": keys, "timeout": 30}}, nil)
	var batch []object
	for i := range keys {
		batch = append(batch, object{"method": "POST", "url": records, "body": object{"id": keyID(i), "n": 0}})
	}
	s.must(t, m, "POST", "/api/batch", object{"requests": batch}, nil)
	must(t, s.WaitReplayed(t.Context()))
	return s
}

type object = map[string]any

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// answer is what came back.
type answer struct {
	status     int // 0: nothing, err says why
	body       []byte
	pos        string
	reset, old bool // X-Pos-Reset; an Age
	err        error
}

func (a answer) String() string { return fmt.Sprintf("%d %s %v", a.status, a.body, a.err) }

// ask sends a request to a member; pos is X-Pos, if any.
func (s *stage) ask(ctx context.Context, m *target.Member, method, path, pos string, body any) (a answer) {
	var in io.Reader
	if body != nil {
		data, _ := json.Marshal(body)
		in = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, m.URL+path, in)
	if err != nil {
		return answer{err: err}
	}
	req.Header.Set("Content-Type", "application/json")
	if pos != "" {
		req.Header.Set("X-Pos", pos)
	}
	if s.root != "" && (s.all || method != "GET") {
		req.Header.Set("Authorization", s.root)
	}
	res, err := s.http.Do(req)
	if err != nil {
		return answer{err: err}
	}
	defer res.Body.Close()
	a = answer{status: res.StatusCode, pos: res.Header.Get("X-Pos"), reset: res.Header.Get("X-Pos-Reset") != "", old: res.Header.Get("Age") != ""}
	if a.body, err = io.ReadAll(res.Body); err != nil {
		return answer{err: err}
	}
	if a.status == http.StatusServiceUnavailable && res.Header.Get("Retry-After") == "" && path != "/readyz" { // which is for who asks all the time
		s.bare.Store(&a)
	}
	return a
}

func (s *stage) must(t *testing.T, m *target.Member, method, path string, body, out any) {
	t.Helper()
	a := s.ask(t.Context(), m, method, path, "", body)
	if a.status/100 != 2 {
		t.Fatalf("%s %s at %s: %v", method, path, m.Name, a)
	}
	if out != nil {
		must(t, json.Unmarshal(a.body, out))
	}
}

// set writes a record, by a member.
func (s *stage) set(t *testing.T, m *target.Member, i int, n int64) {
	t.Helper()
	s.must(t, m, "PATCH", records+"/"+keyID(i), value(n), nil)
}

func value(n int64) object { return object{"n": n, "odd": n%2 == 1} }

// try reads a record; ok is false if there is no answer, or one that may be old.
func (s *stage) try(ctx context.Context, m *target.Member, i int, pos string) (n int64, a answer, ok bool) {
	return s.tryAt(ctx, m, records+"/"+keyID(i), pos)
}

// tryAt reads a record, or a list of one, wherever that is shown.
func (s *stage) tryAt(ctx context.Context, m *target.Member, path, pos string) (n int64, a answer, ok bool) {
	a = s.ask(ctx, m, "GET", path, pos, nil)
	if a.status != http.StatusOK || a.old {
		return 0, a, false
	}
	var got struct {
		N     int64
		Items []struct{ N int64 }
	}
	if err := json.Unmarshal(a.body, &got); err != nil {
		return 0, answer{err: err}, false
	}
	if len(got.Items) > 0 {
		return got.Items[0].N, a, true
	}
	return got.N, a, true
}

// get reads a record, which must be answered.
func (s *stage) get(t *testing.T, m *target.Member, i int, pos string) (int64, answer) {
	t.Helper()
	n, a, ok := s.try(t.Context(), m, i, pos)
	if !ok {
		t.Errorf("%s at %s: %v", keyID(i), m.Name, a)
	}
	return n, a
}

// everywhere reads a record several times at every member, alone and in a list.
func (s *stage) everywhere(t *testing.T, i int, want int64) {
	t.Helper()
	for range 8 {
		for _, m := range s.Members {
			if n, _ := s.get(t, m, i, ""); n != want {
				t.Fatalf("%s: %s shows %d, and %d was answered", keyID(i), m.Name, n, want)
			}
		}
	}
	for _, m := range s.Members {
		if n := s.listed(t, m)[keyID(i)]; n != want {
			t.Fatalf("%s: the list of %s shows %d, and %d was answered", keyID(i), m.Name, n, want)
		}
	}
}

// listed is the list of all records.
func (s *stage) listed(t *testing.T, m *target.Member) map[string]int64 {
	t.Helper()
	return s.list(t, m, records+"?perPage=500")
}

// list is what a list of records shows, by their ids.
func (s *stage) list(t *testing.T, m *target.Member, path string) map[string]int64 {
	t.Helper()
	var got struct {
		Items []struct {
			ID string
			N  int64
		}
	}
	s.must(t, m, "GET", path, nil, &got)
	all := map[string]int64{}
	for _, it := range got.Items {
		all[it.ID] = it.N
	}
	return all
}

// queries is how many reads of the database members have made so far.
func (s *stage) queries(t *testing.T, members ...*target.Member) float64 {
	t.Helper()
	return s.counted(t, "pando_db_reads_total", members...)
}

// counted is what members have counted so far.
func (s *stage) counted(t *testing.T, metric string, members ...*target.Member) (sum float64) {
	t.Helper()
	for _, m := range members {
		all, err := m.Metrics(t.Context(), metric)
		must(t, err)
		for _, n := range all {
			sum += n
		}
	}
	return sum
}

// ready waits until every member answers, without an Age.
func (s *stage) ready(t *testing.T) {
	t.Helper()
	for _, m := range s.Members {
		soon(t, m.Name+" answers", func() bool {
			_, _, ok := s.try(t.Context(), m, keys-1, "")
			return ok
		})
	}
}

// written waits until every member can write.
func (s *stage) written(t *testing.T) {
	t.Helper()
	for _, m := range s.Members {
		soon(t, m.Name+" writes", func() bool {
			return s.ask(t.Context(), m, "PATCH", records+"/"+keyID(keys-1), "", value(1)).status == http.StatusOK
		})
	}
}

// tailer is who reads the log for all, and the two others.
func (s *stage) tailer(t *testing.T) (tailer *target.Member, others []*target.Member) {
	t.Helper()
	tailer, err := s.Tailer(t.Context())
	must(t, err)
	for _, m := range s.Members {
		if m != tailer {
			others = append(others, m)
		}
	}
	return tailer, others
}

func soon(t *testing.T, what string, look func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for ; !look(); still(t, 5*time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not within 30 s: ", what)
		}
	}
}

// still lets time pass, when that is what a schedule is about.
func still(t *testing.T, d time.Duration) {
	t.Helper()
	rest(t.Context(), d)
}

func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// watch reads some records of some members without end, and checks that none goes back:
// what anybody was answered, or had written, before a question was asked.
type watch struct {
	s       *stage
	excused func(*target.Member) bool // it may answer nothing now, or 503, or with an Age
	floors  [keys]atomic.Int64
	stop    context.CancelFunc
	all     sync.WaitGroup
	answers atomic.Int64
	refused atomic.Int64
	unheard atomic.Int64 // of these, those that had no answer at all
}

// watching begins to read records 0 to upTo of members that may refuse to answer.
func (s *stage) watching(t *testing.T, upTo int, members ...*target.Member) *watch {
	return s.watchingBut(t, upTo, func(*target.Member) bool { return true }, members...)
}

// watchingBut is watching where only those may refuse to answer who are excused, when they
// are asked or when they should have answered.
func (s *stage) watchingBut(t *testing.T, upTo int, excused func(*target.Member) bool, members ...*target.Member) *watch {
	w := &watch{s: s, excused: excused}
	ctx, stop := context.WithCancel(t.Context())
	w.stop = stop
	for _, m := range members {
		for range 3 {
			w.all.Go(func() {
				for k := 0; ctx.Err() == nil; k++ {
					w.look(ctx, t, m, k%upTo)
					rest(ctx, time.Millisecond)
				}
			})
		}
	}
	t.Cleanup(w.end)
	return w
}

func (w *watch) look(ctx context.Context, t *testing.T, m *target.Member, i int) {
	w.lookAt(ctx, t, m, i, records+"/"+keyID(i))
}

// lookAt looks at a record where else it is shown.
func (w *watch) lookAt(ctx context.Context, t *testing.T, m *target.Member, i int, path string) {
	least, excused := w.floors[i].Load(), w.excused(m)
	n, a, ok := w.s.tryAt(ctx, m, path, "")
	switch {
	case !ok && ctx.Err() != nil:
		return
	case !ok:
		w.refuse(t, m, a, excused)
		return
	}
	w.answers.Add(1)
	if n < least {
		t.Errorf("%s: %s shows %d, after somebody was answered %d", path, m.Name, n, least)
	}
	w.answered(i, n)
}

// refuse notes that m did not answer, and whether it may.
func (w *watch) refuse(t *testing.T, m *target.Member, a answer, excused bool) {
	w.refused.Add(1)
	if a.status == 0 {
		w.unheard.Add(1)
	}
	if a.status != 0 && a.status != http.StatusServiceUnavailable && !a.old || !excused && !w.excused(m) {
		t.Errorf("%s answers %v, old: %v", m.Name, a, a.old)
	}
}

// answered notes that somebody was answered n.
func (w *watch) answered(i int, n int64) {
	f := &w.floors[i]
	for old := f.Load(); old < n && !f.CompareAndSwap(old, n); old = f.Load() {
	}
}

// end stops reading.
func (w *watch) end() {
	w.stop()
	w.all.Wait()
}
