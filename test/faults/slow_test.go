package faults

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/web"
	"github.com/pandobase/pando/server"
)

// hold opens connections that send these bytes and then neither send nor read.
func (a *api) hold(t *testing.T, n int, request string) {
	t.Helper()
	for range n {
		conn, err := net.Dial("tcp", strings.TrimPrefix(a.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conn.(*net.TCPConn).SetReadBuffer(4096)
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSlowClients surrounds a server with clients that hold it up in every way
// they can. Others must not notice.
func TestSlowClients(t *testing.T) {
	a := startIn(t, filepath.Join(t.TempDir(), "data"), []string{"GOMEMLIMIT=256MiB"})
	a.collection(t, "items", map[string]any{"name": "text", "type": "text"}, map[string]any{"name": "file", "type": "file", "maxSelect": 1})
	for range 300 {
		a.create(t, "items", map[string]any{"text": strings.Repeat("x", 4_000)})
	}
	ct, body := form(t, nil, [3]string{"file", "a.txt", strings.Repeat("x", 4<<20)})
	made := a.must(t, a.send(t, "POST", records("items"), "", ct, body), 200)
	file := "/api/files/items/" + str(t, made.body, "id") + "/" + str(t, made.body, "file")
	const host = " HTTP/1.1\r\nHost: x\r\n"
	multi := "Content-Type: multipart/form-data; boundary=" + boundary + "\r\n"

	began := time.Now()
	a.hold(t, 2_000, "")                                                                      // idle
	a.hold(t, 200, "GET /api/health"+host+"X-A: ")                                            // headers that never end
	a.hold(t, 200, "POST "+records("items")+host+multi+"Content-Length: 1000000\r\n\r\n--Xb") // bodies that never end
	a.hold(t, 50, "POST "+records("items")+host+multi+"Transfer-Encoding: chunked\r\n\r\n")
	a.hold(t, 50, "POST "+records("items")+host+"Content-Type: application/json\r\nContent-Length: 30000000\r\n\r\n{")
	a.hold(t, 50, "GET "+records("items")+"?perPage=1000"+host+"\r\n") // large answers that nobody reads
	a.hold(t, 50, "GET "+file+host+"\r\n")
	a.hold(t, 200, "GET /api/realtime"+host+"\r\n")
	a.hold(t, 20, strings.Repeat("GET "+records("items")+"?perPage=1000"+host+"\r\n", 50)) // pipelined
	t.Logf("%d connections after %s", 2_820, time.Since(began).Round(time.Millisecond))

	slowest := time.Duration(0)
	for i := range 200 {
		began := time.Now()
		a.must(t, a.get(t, records("items")+query("filter", fmt.Sprintf("text != 'n%d'", i), "perPage", "1"), ""), 200)
		a.create(t, "items", map[string]any{"text": "small"})
		slowest = max(slowest, time.Since(began))
	}
	now, peak := a.rss(t)
	t.Logf("the slowest of 200 lists and creates took %s; resident %d MB, at most %d MB", slowest.Round(time.Millisecond), now>>20, peak>>20)
	if slowest > 5*time.Second {
		t.Errorf("somebody waited %s", slowest)
	}
	if peak > 400<<20 {
		t.Errorf("the server took %d MB", peak>>20)
	}
	a.healthy(t)
}

// TestTimeouts checks the bounds of one connection: that they are set, and, with
// shorter ones, that each of them ends a client that it is meant for.
func TestTimeouts(t *testing.T) {
	t.Parallel() // mostly it waits
	s, err := server.New(server.Config{
		Dir: filepath.Join(t.TempDir(), "data"), PublicDir: t.TempDir(), PagesDir: server.Off, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	big := make(chan error, 1)
	s.Handle("GET /big", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		block := bytes.Repeat([]byte("x"), 1<<20)
		for {
			if _, err := w.Write(block); err != nil {
				big <- err
				return
			}
		}
	}))
	handler, err := s.Handler()
	if err != nil {
		t.Fatal(err)
	}
	srv := web.NewServer(handler, slog.New(slog.DiscardHandler))
	for name, bound := range map[string]time.Duration{
		"ReadHeaderTimeout": srv.ReadHeaderTimeout, "ReadTimeout": srv.ReadTimeout, "WriteTimeout": srv.WriteTimeout, "IdleTimeout": srv.IdleTimeout,
	} {
		if bound <= 0 || bound > 5*time.Minute {
			t.Errorf("%s is %s", name, bound)
		}
	}
	if srv.MaxHeaderBytes <= 0 || srv.MaxHeaderBytes > 1<<20 {
		t.Errorf("MaxHeaderBytes is %d", srv.MaxHeaderBytes)
	}
	srv.ReadHeaderTimeout, srv.ReadTimeout, srv.WriteTimeout, srv.IdleTimeout =
		time.Second, 2*time.Second, 2*time.Second, time.Second
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go srv.Serve(l)
	defer srv.Close()

	// drip sends a request and then a byte now and then, until it is cut off.
	drip := func(t *testing.T, request string, read bool) (got string) {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		io.WriteString(conn, request)
		stop := make(chan struct{})
		defer close(stop)
		go func() {
			tick := time.NewTicker(50 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-stop:
					return
				case <-tick.C:
					if _, err := conn.Write([]byte("a")); err != nil {
						return
					}
				}
			}
		}()
		if !read {
			return ""
		}
		b, err := io.ReadAll(conn)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("the connection was never cut off")
		}
		return string(b)
	}
	const host = " HTTP/1.1\r\nHost: x\r\n"
	t.Run("headers", func(t *testing.T) { drip(t, "GET /api/health"+host+"X-A: ", true) })
	t.Run("a JSON body", func(t *testing.T) {
		got := drip(t, "POST /api/collections/users/auth-with-password"+host+"Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n{\"a\":\"", true)
		if got != "" && !strings.Contains(got, " 400 ") {
			t.Errorf("answered with %.200s", got)
		}
	})
	t.Run("a multipart body", func(t *testing.T) {
		drip(t, "POST /api/collections/users/records"+host+"Content-Type: multipart/form-data; boundary=XbX\r\nContent-Length: 100000\r\n\r\n--XbX\r\n", true)
	})
	t.Run("an idle connection", func(t *testing.T) {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		io.WriteString(conn, "GET /api/health"+host+"\r\n")
		if b, err := io.ReadAll(conn); err != nil || !strings.Contains(string(b), "API is healthy") { // until it is closed
			t.Errorf("%v %s", err, b)
		}
	})
	t.Run("an answer that nobody reads", func(t *testing.T) {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		io.WriteString(conn, "GET /big"+host+"\r\n")
		select {
		case err := <-big:
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("the write ended with %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Error("the write never ended")
		}
	})
	t.Run("headers of 100 KB", func(t *testing.T) {
		if got := drip(t, "GET /api/health"+host+"X-A: "+strings.Repeat("a", 100_000)+"\r\n\r\n", true); !strings.Contains(got, " 431 ") {
			t.Errorf("answered with %.200s", got)
		}
	})
}
