package deadline

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// piped is a listener of one end of each pipe.
type piped chan net.Conn

func (p piped) Accept() (net.Conn, error) {
	c, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (p piped) Close() error   { close(p); return nil }
func (p piped) Addr() net.Addr { return &net.TCPAddr{} }

// pair is a connection, accepted, and its other end.
func pair(t *testing.T) (c, other net.Conn) {
	t.Helper()
	p := make(piped, 1)
	l := Listener(p)
	mine, other := net.Pipe()
	p <- mine
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); other.Close() })
	return c, other
}

// ended is how long a read or a write waits until its deadline ends it.
func ended(t *testing.T, do func([]byte) (int, error)) time.Duration {
	t.Helper()
	began := time.Now()
	if _, err := do(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("it ends with %v", err)
	}
	return time.Since(began)
}

func TestADeadlineIsKeptToTheSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, after := range []time.Duration{time.Millisecond, 700 * time.Millisecond, 3 * time.Second, time.Minute} {
			c, _ := pair(t)
			c.SetReadDeadline(time.Now().Add(after))
			if d := ended(t, c.Read); d < after || d > after+time.Second {
				t.Errorf("a read with %v ends after %v", after, d)
			}
			c.SetWriteDeadline(time.Now().Add(after))
			if d := ended(t, c.Write); d < after || d > after+time.Second {
				t.Errorf("a write with %v ends after %v", after, d)
			}
			if d := ended(t, c.Read); d != 0 {
				t.Errorf("a read behind the deadline ends after %v", d)
			}
		}
	})
}

func TestADeadlineInThePastTakesEffectAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := pair(t)
		go func() {
			time.Sleep(time.Millisecond)
			c.SetReadDeadline(time.Unix(1, 0))
		}()
		if d := ended(t, c.Read); d != time.Millisecond {
			t.Errorf("a read is called back after %v", d)
		}
		c.SetDeadline(time.Unix(1, 0))
		if r, w := ended(t, c.Read), ended(t, c.Write); r != 0 || w != 0 {
			t.Errorf("both end after %v and %v", r, w)
		}
	})
}

// A deadline that has taken effect, or is about to, is lifted by another one.
func TestALaterDeadlineTakesThePlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, other := pair(t)
		for _, next := range []time.Time{{}, time.Now().Add(time.Hour)} {
			for _, first := range []time.Time{time.Unix(1, 0), time.Now().Add(time.Second), time.Now().Add(90 * time.Second)} {
				c.SetReadDeadline(first)
				time.Sleep(3 * time.Second)
				c.SetReadDeadline(next)
				go func() {
					time.Sleep(2 * time.Minute)
					other.Write([]byte("x"))
				}()
				if n, err := c.Read(make([]byte, 1)); n != 1 || err != nil {
					t.Errorf("after %v and then %v: %d, %v", first, next, n, err)
				}
			}
		}
	})
}

// Sweeps and whoever sets deadlines never leave one behind that nobody asked for.
func TestSweepsAgainstDeadlines(t *testing.T) {
	c, other := pair(t)
	k := c.(*conn)
	defer other.Close()
	end := time.Now().Add(300 * time.Millisecond)
	var all sync.WaitGroup
	all.Go(func() {
		for time.Now().Before(end) {
			k.read.look(time.Now().Add(time.Hour).UnixNano())
		}
	})
	for time.Now().Before(end) {
		c.SetReadDeadline(time.Now().Add(time.Minute))
		c.SetReadDeadline(time.Time{})
		if at := k.read.at.Load(); at != 0 {
			t.Fatalf("none was set, and it is %d", at)
		}
	}
	all.Wait()
	go other.Write([]byte("x"))
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Errorf("without a deadline: %v", err)
	}
}

// What net/http does with connections goes on as ever: kept-alive requests, a handler
// that learns that its client is gone, an idle connection that is closed.
func TestBelowHTTP(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	server := &http.Server{ReadTimeout: time.Minute, WriteTimeout: time.Minute, IdleTimeout: time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/wait" {
				<-r.Context().Done()
				close(gone)
				return
			}
			io.Copy(w, r.Body)
		})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(Listener(inner)) }()
	url := "http://" + inner.Addr().String()
	client := &http.Client{Transport: &http.Transport{}}
	for range 20 {
		res, err := client.Post(url+"/echo", "text/plain", strings.NewReader("hello"))
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(res.Body)
		res.Body.Close()
		if string(b) != "hello" || err != nil {
			t.Fatalf("%q, %v", b, err)
		}
	}
	client.CloseIdleConnections()

	c, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
	c.Close()
	<-gone

	idle, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(idle, "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n")
	idle.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.ReadAll(idle); err != nil { // the answer, and then the end
		t.Errorf("an idle connection: %v", err)
	}
	idle.Close()
	server.Close()
	<-served
}
