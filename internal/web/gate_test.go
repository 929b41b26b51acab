package web

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/overload"
)

// slowStore works on so many at once, and takes so long for each.
type slowStore struct {
	*fake
	places  chan struct{}
	service time.Duration
	broken  chan struct{} // nothing is answered until it is closed; nil: it works
}

func newSlowStore(places int, service time.Duration) *slowStore {
	return &slowStore{fake: newFake(), places: make(chan struct{}, places), service: service}
}

func (s *slowStore) work(ctx context.Context) error {
	s.places <- struct{}{}
	defer func() { <-s.places }()
	if s.broken != nil {
		<-s.broken
	}
	time.Sleep(s.service)
	return ctx.Err()
}

func (s *slowStore) List(ctx context.Context, _ *pando.Request, _ string, _ pando.ListQuery) (pando.Answer, error) {
	if err := overload.Admit(ctx); err != nil { // as the database does
		return s.answer, err
	}
	return s.answer, s.work(ctx)
}

func (s *slowStore) Create(ctx context.Context, _ *pando.Request, _ string, _ pando.Input, _ pando.Projection) (pando.Answer, error) {
	return s.answer, s.work(ctx)
}

// outcome is what became of requests.
type outcome struct {
	mu              sync.Mutex
	answered        []time.Duration
	refused, others int
	slowest         time.Duration // of those refused
}

func (o *outcome) add(w *httptest.ResponseRecorder, took time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case w.Code == http.StatusOK:
		o.answered = append(o.answered, took)
	case w.Code == http.StatusServiceUnavailable && w.Header().Get("Retry-After") == "1":
		o.refused++
		o.slowest = max(o.slowest, took)
	default:
		o.others++
	}
}

func (o *outcome) p99() time.Duration {
	slices.Sort(o.answered)
	return o.answered[len(o.answered)*99/100]
}

// arrivals sends requests at a rate, whether they are answered or not.
func arrivals(h http.Handler, rate int, length time.Duration, method, body string, headers ...string) (o *outcome) {
	o = new(outcome)
	var done sync.WaitGroup
	for range int(length.Seconds() * float64(rate)) {
		done.Go(func() {
			began := time.Now()
			o.add(request(h, method, createURL, body, headers...), time.Since(began))
		})
		time.Sleep(time.Second / time.Duration(rate))
	}
	done.Wait()
	return o
}

// TestOverload: with three times more than a store can do, the server answers what the
// store can do, soon, and refuses the rest, soon.
func TestOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlowStore(50, 20*time.Millisecond) // 2,500 a second
		h := s.handler(t, func(c *Config) { c.Records, c.OverloadLatency = s, 20*time.Millisecond })
		arrivals(h, 7500, 3*time.Second, "GET", "")
		o := arrivals(h, 7500, 3*time.Second, "GET", "")
		if got := float64(len(o.answered)) / 7500; got < 0.9 || o.p99() > 100*time.Millisecond || o.slowest > 100*time.Millisecond || o.others > 0 {
			t.Errorf("%.2f of what the store can do, p99 %s, refused after %s at most, %d other answers", got, o.p99(), o.slowest, o.others)
		}
		t.Logf("%d answered of 7500 that the store can do, p99 %s; %d refused, after %s at most; limit %d", len(o.answered), o.p99(), o.refused, o.slowest, h.Overload().Reads.Limit)
		if st := h.Overload(); st.Reads.Now != 0 || st.Waiting != 0 || st.Refused == 0 {
			t.Errorf("it ends with %+v", st)
		}
	})
}

// TestRoomIsUsed: where the store can do more at once than the server lets in at first, nobody
// is refused for long, though there are always some who wait.
func TestRoomIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlowStore(1000, 100*time.Millisecond) // 10,000 a second
		h := s.handler(t, func(c *Config) { c.Records, c.OverloadLatency = s, 20*time.Millisecond })
		arrivals(h, 2000, 2*time.Second, "GET", "")
		o := arrivals(h, 2000, 4*time.Second, "GET", "")
		t.Logf("%d answered, %d refused; limit %d", len(o.answered), o.refused, h.Overload().Reads.Limit)
		if all := len(o.answered) + o.refused; o.refused > all/10 || o.others > 0 {
			t.Errorf("%d of %d are refused by a store that can do five times as many, and %d answered otherwise", o.refused, all, o.others)
		}
	})
}

// TestOverloadAnswersWhatIsKnown: what needs no database is answered, however many wait
// for it, and takes no place of theirs.
func TestOverloadAnswersWhatIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlowStore(50, 20*time.Millisecond)
		h := s.handler(t, func(c *Config) { c.Records, c.OverloadLatency = s, 20*time.Millisecond })
		var heavy *outcome
		var all sync.WaitGroup
		all.Go(func() { heavy = arrivals(h, 7500, 3*time.Second, "GET", "") })
		wrong := 0
		for range 3000 {
			time.Sleep(time.Millisecond)
			began := time.Now()
			if w := request(h, "GET", createURL+"/x", ""); w.Code == http.StatusServiceUnavailable || time.Since(began) > 0 {
				wrong++
			}
		}
		all.Wait()
		// Where nearly all need the database, only some are tried.
		if wrong > 300 || heavy.refused < 5000 || len(heavy.answered) < 6000 {
			t.Errorf("of 3,000 that are known %d wait or are refused; of the others %d are answered and %d refused", wrong, len(heavy.answered), heavy.refused)
		}
		t.Logf("of 3,000 that are known %d wait or are refused; of the others %d are answered and %d refused", wrong, len(heavy.answered), heavy.refused)
		if st := h.Overload(); st.Reads.Now != 0 || st.Waiting != 0 {
			t.Errorf("it ends with %+v", st)
		}
	})
}

// lateStore asks others first, before it needs a place, for all but the first of its reads.
type lateStore struct {
	*fake
	first int64
	come  atomic.Int64
}

func (s *lateStore) List(ctx context.Context, _ *pando.Request, _ string, _ pando.ListQuery) (pando.Answer, error) {
	if s.come.Add(1) > s.first {
		time.Sleep(50 * time.Millisecond)
	}
	if err := overload.Admit(ctx); err != nil {
		return s.answer, err
	}
	time.Sleep(20 * time.Millisecond)
	return s.answer, nil
}

// TestOverloadIsOver: who was let in without a place, and needs one only when all who
// had one have gone, is woken by nobody, and need not be.
func TestOverloadIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &lateStore{fake: newFake()}
		h := s.handler(t, func(c *Config) { c.Records = s })
		s.first = h.Overload().Reads.Limit
		o := new(outcome)
		var all sync.WaitGroup
		for range s.first + 10 {
			all.Go(func() {
				began := time.Now()
				o.add(request(h, "GET", createURL, ""), time.Since(began))
			})
			synctest.Wait()
		}
		all.Wait()
		if len(o.answered) != int(s.first)+10 || o.p99() > 70*time.Millisecond {
			t.Errorf("%d of %d answered, within %v; %d refused, after %v", len(o.answered), s.first+10, o.p99(), o.refused, o.slowest)
		}
		if st := h.Overload(); st.Reads.Now != 0 || st.Waiting != 0 {
			t.Errorf("it ends with %+v", st)
		}
	})
}

// TestOverloadOff: none is refused, as many as there are.
func TestOverloadOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlowStore(50, 20*time.Millisecond)
		h := s.handler(t, func(c *Config) { c.Records, c.OverloadLatency = s, -1 })
		if o := arrivals(h, 7500, time.Second, "GET", ""); o.refused+o.others > 0 {
			t.Errorf("%d refused, %d other answers", o.refused, o.others)
		}
		if h.Overload().Reads.Now != 0 {
			t.Errorf("%+v", h.Overload())
		}
	})
}

// TestOverloadComesFirst: those that say that they matter less are refused first, and who
// administers is answered.
func TestOverloadComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlowStore(50, 20*time.Millisecond)
		h := s.handler(t, func(c *Config) {
			c.Records, c.OverloadLatency = s, 20*time.Millisecond
			c.System = func(context.Context) (any, error) { return "well", nil }
		})
		var low, usual *outcome
		var all sync.WaitGroup
		all.Go(func() { low = arrivals(h, 3000, 3*time.Second, "GET", "", "Priority: u=6, i") })
		all.Go(func() { usual = arrivals(h, 2000, 3*time.Second, "GET", "") })
		for range 30 {
			began := time.Now()
			for _, path := range []string{"/api/health", "/livez", "/readyz", "/api/system", "/metrics", "/api/collections"} {
				if w := request(h, "GET", path, "", "Authorization: super"); w.Code != http.StatusOK {
					t.Errorf("%s: %d", path, w.Code)
				}
			}
			if took := time.Since(began); took > 0 {
				t.Errorf("who administers waits for %s", took)
			}
			time.Sleep(100 * time.Millisecond)
		}
		all.Wait()
		if got := len(usual.answered); got < 5400 || low.refused < usual.refused*4 {
			t.Errorf("%d of 6,000 usual ones are answered, %d refused; of 9,000 that matter less %d are refused", got, usual.refused, low.refused)
		}
		t.Logf("%d of 6,000 usual ones answered, %d of 9,000 that matter less", len(usual.answered), len(low.answered))
	})
}

// TestAStallIsNoOverload: when of a sudden nothing is answered, nobody is refused for
// some seconds; and writes that wait keep nobody from reading.
func TestAStallIsNoOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlowStore(1000, 2*time.Millisecond)
		h := s.handler(t, func(c *Config) { c.Records = s })
		if o := arrivals(h, 400, 2*time.Second, "POST", `{}`, "Content-Type: application/json"); o.refused+o.others > 0 {
			t.Fatalf("%d refused before, %d other answers", o.refused, o.others)
		}
		s.broken = make(chan struct{})
		time.AfterFunc(3*time.Second, func() { close(s.broken) })
		o := arrivals(h, 400, 4*time.Second, "POST", `{}`, "Content-Type: application/json")
		if o.refused+o.others > 0 {
			t.Errorf("%d of 1,600 are refused while all wait for the primary, %d other answers", o.refused, o.others)
		}
		if view := request(h, "GET", createURL+"/x", ""); view.Code != http.StatusOK {
			t.Errorf("a read: %d", view.Code)
		}
	})
}

// TestWhatHoldsNoPlace: an event stream, the body of an upload that does not come, an
// answer that the client does not take, and a library user's route that waits.
func TestWhatHoldsNoPlace(t *testing.T) {
	waits, came := make(chan struct{}), make(chan struct{}, 100)
	rt := &fakeRealtime{events: make(chan pando.RealtimeEvent), closed: make(chan struct{})}
	h := newFake().handler(t, func(c *Config) {
		c.Realtime = rt
		c.Extra = []Route{{Pattern: "GET /poll", Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { came <- struct{}{}; <-waits })}}
	})
	var all sync.WaitGroup
	body, client := io.Pipe()
	all.Go(func() {
		r := httptest.NewRequest("POST", createURL, io.MultiReader(strings.NewReader("{"), reading{came}, body))
		r.Header.Set("Content-Type", "application/json")
		r.ContentLength = -1
		h.ServeHTTP(httptest.NewRecorder(), r)
	})
	all.Go(func() { request(h, "GET", "/poll", "") })
	<-came
	<-came
	ctx, cancel := context.WithCancel(t.Context())
	streams := streaming{httptest.NewRecorder(), make(chan struct{}, 8)}
	all.Go(func() { h.ServeHTTP(streams, httptest.NewRequest("GET", "/api/realtime", nil).WithContext(ctx)) })
	<-streams.wrote
	if st := h.Overload(); st.Reads.Now+st.Writes.Now != 0 || h.Load() != 0 {
		t.Errorf("they hold places: %+v", st)
	}
	cancel()
	close(waits)
	_ = client.Close()
	all.Wait()
	if st := h.Overload(); st.Reads.Now != 0 || st.Writes.Now != 0 {
		t.Errorf("places are lost: %+v", st)
	}
}

// reading says that it is read, and ends.
type reading struct{ came chan struct{} }

func (r reading) Read([]byte) (int, error) { r.came <- struct{}{}; return 0, io.EOF }

type streaming struct {
	*httptest.ResponseRecorder
	wrote chan struct{}
}

func (s streaming) Write(b []byte) (int, error) {
	s.wrote <- struct{}{}
	return s.ResponseRecorder.Write(b)
}

// TestLoad: what is told to load balancers is what is worked on, of what may be.
func TestLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlowStore(1, 0)
		s.broken = make(chan struct{})
		h := s.handler(t, func(c *Config) { c.Records = s })
		done := make(chan struct{})
		go func() { defer close(done); request(h, "GET", createURL, "") }()
		synctest.Wait() // it is worked on
		if got, want := h.Load(), 1/float64(h.Overload().Reads.Limit); got != want {
			t.Errorf("one read is a load of %v, want %v", got, want)
		}
		close(s.broken)
		<-done
		if h.Load() != 0 {
			t.Errorf("none is a load of %v", h.Load())
		}
		for range h.gate.limits[writes].Limit() {
			h.gate.limits[writes].Force()
		}
		if w := request(h.Behind(), "GET", "/livez", ""); w.Header().Get("X-Pando-Load") != "1.00" {
			t.Errorf("with as many writes as there may be it is %q", w.Header().Get("X-Pando-Load"))
		}
	})
}
