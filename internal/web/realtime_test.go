package web

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando"
)

// fakeRealtime hands out one client whose events the test makes.
type fakeRealtime struct {
	events chan pando.RealtimeEvent
	closed chan struct{}
	id     string
	subs   []string
}

func (f *fakeRealtime) Connect(context.Context, *pando.Request) (pando.RealtimeClient, error) {
	return f, nil
}

func (f *fakeRealtime) Subscribe(_ context.Context, _ *pando.Request, id string, subs []string) error {
	f.id, f.subs = id, subs
	return nil
}
func (f *fakeRealtime) ID() string                         { return "CLIENT" }
func (f *fakeRealtime) Events() <-chan pando.RealtimeEvent { return f.events }
func (f *fakeRealtime) Close()                             { close(f.closed) }

func realtimeServer(t *testing.T) (*fakeRealtime, *Handler, *http.Response, *bufio.Reader) {
	t.Helper()
	return startRealtime(t, func(server *httptest.Server) {
		server.Config.ReadTimeout = readTimeout
		server.Config.WriteTimeout = readTimeout
		server.Start()
	})
}

func startRealtime(t *testing.T, start func(*httptest.Server)) (*fakeRealtime, *Handler, *http.Response, *bufio.Reader) {
	t.Helper()
	f := &fakeRealtime{events: make(chan pando.RealtimeEvent, 10), closed: make(chan struct{})}
	h := newFake().handler(t, func(c *Config) { c.Realtime = f })
	server := httptest.NewUnstartedServer(h)
	start(server)
	t.Cleanup(server.Close)
	res, err := server.Client().Get(server.URL + "/api/realtime")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return f, h, res, bufio.NewReader(res.Body)
}

// readTimeout stands for the real server's bounds of a request, which must not
// bound its streams.
const readTimeout = 500 * time.Millisecond

func readFrame(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	var frame strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("stream ended: %v after %q", err, frame.String())
		}
		if line == "\n" {
			return frame.String()
		}
		frame.WriteString(line)
	}
}

func waitClosed(t *testing.T, f *fakeRealtime) {
	t.Helper()
	select {
	case <-f.closed:
	case <-time.After(10 * time.Second):
		t.Fatal("the client was not closed")
	}
}

func TestStream(t *testing.T) {
	f, _, res, r := realtimeServer(t)
	for name, want := range map[string]string{"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	f.events <- pando.RealtimeEvent{Name: "posts/*", Data: []byte(`{"action":"create"}`)}
	f.events <- pando.RealtimeEvent{Name: "a\nid:forged\n\n", Data: []byte(`1`)}
	got := []string{readFrame(t, r), readFrame(t, r), readFrame(t, r)}
	want := []string{
		"id:CLIENT\nevent:PB_CONNECT\ndata:{\"clientId\":\"CLIENT\"}\n",
		"id:CLIENT\nevent:posts/*\ndata:{\"action\":\"create\"}\n",
		"id:CLIENT\nevent:aid:forged\ndata:1\n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	res.Body.Close()
	waitClosed(t, f)
}

func TestStreamEnds(t *testing.T) {
	t.Run("with the server", func(t *testing.T) {
		f, h, _, r := realtimeServer(t)
		readFrame(t, r)
		h.CloseStreams()
		h.CloseStreams()
		var ms int64
		last := readFrame(t, r)
		if _, err := fmt.Sscanf(last, "retry:%d\n", &ms); err != nil || ms < 100 || ms >= 2000 || strings.Count(last, "\n") != 1 {
			t.Errorf("the last frame is %q", last)
		}
		waitClosed(t, f)
	})
	t.Run("when clients are to go elsewhere", func(t *testing.T) {
		f, h, _, r := realtimeServer(t)
		readFrame(t, r)
		began := time.Now()
		h.MoveStreams(200 * time.Millisecond)
		if last := readFrame(t, r); !strings.HasPrefix(last, "retry:") {
			t.Errorf("the last frame is %q", last)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("after %s", took)
		}
		waitClosed(t, f)
		// What begins later is not meant, until the server stops.
		later := h.streams.now()
		select {
		case <-later.over:
			t.Error("a stream that begins later ends as well")
		default:
		}
		h.CloseStreams()
		<-h.streams.now().over
	})
	t.Run("with the service", func(t *testing.T) {
		f, _, _, r := realtimeServer(t)
		readFrame(t, r)
		close(f.events)
		if last := readFrame(t, r); !strings.HasPrefix(last, "retry:") { // the service may end many at once
			t.Errorf("the last frame is %q", last)
		}
		waitClosed(t, f)
	})
	t.Run("not with the time for the request", func(t *testing.T) {
		f, _, _, r := realtimeServer(t)
		readFrame(t, r)
		select {
		case <-f.closed:
			t.Error("the stream was ended")
		case <-time.After(2 * readTimeout):
		}
		f.events <- pando.RealtimeEvent{Name: "late", Data: []byte("1")}
		if got := readFrame(t, r); !strings.Contains(got, "event:late") {
			t.Errorf("got %q", got)
		}
	})
	t.Run("after silence", func(t *testing.T) {
		before := streamIdle
		streamIdle = 20 * time.Millisecond
		defer func() { streamIdle = before }()
		f, _, _, r := realtimeServer(t)
		readFrame(t, r)
		waitClosed(t, f)
	})
}

// A stream may be silent for longer than one write to it may take, and whoever listens
// is told to come back nevertheless, up to its end.
func TestSilentStreams(t *testing.T) {
	before := streamWrite
	streamWrite = time.Second
	t.Cleanup(func() { streamWrite = before })
	for proto, start := range map[string]func(*httptest.Server){
		"HTTP/1.1": (*httptest.Server).Start,
		"HTTP/2.0": func(s *httptest.Server) { s.EnableHTTP2 = true; s.StartTLS() },
	} {
		t.Run(proto, func(t *testing.T) {
			f, _, res, r := startRealtime(t, start)
			if readFrame(t, r); res.Proto != proto {
				t.Fatalf("it is %s", res.Proto)
			}
			select {
			case <-f.closed:
				t.Fatal("the stream was ended")
			case <-time.After(streamWrite * 5 / 4):
			}
			close(f.events)
			last, err := io.ReadAll(r)
			if err != nil || !strings.HasPrefix(string(last), "retry:") {
				t.Errorf("the last frame is %q, and then %v", last, err)
			}
			waitClosed(t, f)
		})
	}
}

func TestSubscribeForms(t *testing.T) {
	long := strings.Repeat("é", 2501)
	for _, test := range []struct {
		name, body, header string
		status             int
		want               string
	}{
		{"JSON", `{"clientId":"x","subscriptions":["a","b"]}`, jsonType, 204, "x a,b"},
		{"none", `{"clientId":"x"}`, jsonType, 204, "x "},
		{"form with one", "clientId=x&subscriptions=a", formType, 204, "x a"},
		{"form with two", "clientId=x&subscriptions=a&subscriptions=b", formType, 204, "x a,b"},
		{"no id", `{}`, jsonType, 400, `"clientId":{"code":"validation_required"`},
		{"long id", `{"clientId":"` + strings.Repeat("a", 256) + `"}`, jsonType, 400, `validation_length_out_of_range`},
		{"long topic", `{"clientId":"x","subscriptions":["a","` + long + `"]}`, jsonType, 400, `"subscriptions":{"1":{"code":"validation_length_too_long"`},
		{"broken", `{`, jsonType, 400, genericMessage},
		{"wrong type", `{"clientId":"x","subscriptions":5}`, jsonType, 400, genericMessage},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := &fakeRealtime{}
			h := newFake().handler(t, func(c *Config) { c.Realtime = f })
			w := request(h, "POST", "/api/realtime", test.body, test.header)
			got := w.Body.String()
			if w.Code == 204 {
				got = f.id + " " + strings.Join(f.subs, ",")
			}
			if w.Code != test.status || !strings.Contains(got, test.want) {
				t.Errorf("%d %s", w.Code, got)
			}
		})
	}
}
