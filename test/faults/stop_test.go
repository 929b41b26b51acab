package faults

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// stream is a client of realtime.
type stream struct {
	id     string
	events chan string // data of each event; closed at the end of the stream
	cancel context.CancelFunc
}

// listen connects to realtime and subscribes.
func (a *api) listen(t *testing.T, token string, topics ...string) *stream {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", a.URL+"/api/realtime", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := (&http.Client{Transport: a.http.Transport}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	s := &stream{events: make(chan string, 10_000), cancel: cancel}
	connected := make(chan string, 1)
	go func() {
		defer close(s.events)
		defer res.Body.Close()
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			data, ok := strings.CutPrefix(lines.Text(), "data:")
			switch {
			case !ok:
			case strings.HasPrefix(data, `{"clientId":`):
				connected <- field([]byte(data), "clientId")
			default:
				s.events <- data
			}
		}
	}()
	select {
	case s.id = <-connected:
	case <-time.After(20 * time.Second):
		t.Fatal("no PB_CONNECT")
	}
	a.must(t, a.post(t, "/api/realtime", token, map[string]any{"clientId": s.id, "subscriptions": topics}), 204)
	return s
}

// TestStopUnderLoad stops a server that is busy in every way.
func TestStopUnderLoad(t *testing.T) {
	s := newShelf(t, start(t))
	url := s.URL
	streams := []*stream{s.listen(t, "", "shelf/*"), s.listen(t, s.token, "shelf")}

	// An upload of which the last byte comes after the stop has begun.
	text := "upload 1 100000"
	body := value("text", text) + file("file", "a.txt", content(text, 100_000)) + end
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=%s\r\nContent-Length: %d\r\n\r\n%s",
		records("shelf"), boundary, len(body), body[:len(body)-1])

	// Writers and readers, some of them waiting for their password.
	var wg sync.WaitGroup
	var answered atomic.Int64
	noted := make([][]string, 8) // texts that were answered, by writer
	sent := make([]string, 8)    // the last text, whatever came of it
	for w := range noted {
		wg.Go(func() {
			for i := 0; ; i++ {
				text := fmt.Sprintf("w%d-%d-", w, i)
				sent[w] = text
				got, err := s.try("POST", records("shelf"), "", "application/json", strings.NewReader(`{"text":"`+text+`"}`))
				if err != nil {
					if errors.Is(err, io.ErrUnexpectedEOF) {
						t.Errorf("an answer broke off: %v", err)
					}
					return
				}
				if got.status != 200 && got.status != 503 {
					t.Errorf("%d %s", got.status, got.body)
				}
				if got.status == 200 {
					noted[w] = append(noted[w], text)
					answered.Add(1)
				}
			}
		})
	}
	logins := make(chan string, 6)
	for range cap(logins) {
		wg.Go(func() {
			got, err := s.try("POST", "/api/collections/_superusers/auth-with-password", "", "application/json",
				strings.NewReader(`{"identity":"`+s.Email+`","password":"`+s.Password+`"}`))
			logins <- fmt.Sprint(got.status, " ", err)
		})
	}
	s.until(t, "it is busy", func() bool {
		return answered.Load() > 50 && s.metric(t, "pando_http_inflight_requests") >= 4
	})
	began := time.Now()
	if err := s.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for _, st := range streams {
		for range st.events { // until it is closed
		}
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the streams were closed after %s", took)
	}
	if _, err := io.WriteString(conn, body[len(body)-1:]); err != nil {
		t.Error(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("the upload under way was not answered: %v", err)
	}
	upload, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 {
		t.Errorf("the upload under way: %v %d %s", err, res.StatusCode, upload)
	}
	wg.Wait()
	for range cap(logins) {
		if got := <-logins; got != "200 <nil>" {
			t.Errorf("a login under way: %s", got)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	code, err := s.Wait(ctx)
	if err != nil || code != 0 {
		t.Errorf("exit code %d, %v\n%s", code, err, tail(s.Output()))
	}
	t.Logf("stopped after %s, %d writes answered", time.Since(began).Round(time.Millisecond), answered.Load())

	// At once again, and nothing is missing. What was not answered was not
	// written either: whoever gets no answer from a server that stops in order
	// may send it again.
	s.api = startIn(t, s.Dir, nil)
	for w, texts := range noted {
		list := s.get(t, records("shelf")+query("filter", fmt.Sprintf("text ~ 'w%d-%%'", w), "perPage", "1000", "sort", "-@rowid", "fields", "text"), "")
		if len(texts) > 0 && !strings.Contains(string(list.body), `"`+texts[len(texts)-1]+`"`) {
			t.Errorf("the last answered write %s is gone", texts[len(texts)-1])
		}
		if last := sent[w]; (len(texts) == 0 || texts[len(texts)-1] != last) && strings.Contains(string(list.body), `"`+last+`"`) {
			t.Errorf("%s was written and not answered", last)
		}
	}
	if n := s.count(t, "shelf"); n != int(answered.Load())+1 {
		t.Errorf("%d records, %d were answered", n, answered.Load()+1)
	}
	if code := strings.Count(s.Output(), "settled files"); code != 0 {
		t.Error("a stop in order left files to settle")
	}
}

// TestStopTimeout stops a server while a client neither sends nor goes.
func TestStopTimeout(t *testing.T) {
	t.Parallel() // mostly it waits
	a := start(t, "--stop-timeout", "1s")
	conn, err := net.Dial("tcp", strings.TrimPrefix(a.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "POST /api/collections/users/auth-with-password HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
	a.until(t, "the request is there", func() bool { return a.metric(t, "pando_http_inflight_requests") >= 1 })
	began := time.Now()
	if err := a.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	code, err := a.Wait(ctx)
	if err != nil || code != 1 || !strings.Contains(a.Output(), "cut off") {
		t.Errorf("exit code %d, %v, after %s\n%s", code, err, time.Since(began), tail(a.Output()))
	}
}
