package lb

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http/httpguts"
)

// The fast path against the slow one: the same bytes of a client and of an upstream go
// through both, in memory, in one goroutine. What reaches the upstream and what the client
// gets must mean the same, or the fast path must have left it to the slow one.
//
// What may differ, and why:
//   - The case and order of header names, and white space around values: net/http writes
//     names in its own case and no order. Compared are maps of canonical names.
//   - Content-Length, Transfer-Encoding and chunks of an answer: net/http frames the body
//     anew. Compared is the body, and that nothing comes behind it.
//   - Date: each puts one in where the upstream sent none.
//   - The reason phrase: net/http writes its own.
//   - Content-Type of a 304: net/http takes it out.
//   - An answer that is cut off: both cut it, and one may have passed more before it ended.
//   - A connection on which the upstream says more than its answer: the fast path always
//     ends it, the slow one only if it has read so far, and finds it before the next use.
//   - Chunks that are not framed strictly, behind the first piece: the fast path cuts off,
//     and net/http, which forgives line feeds for example, does not.

// differ holds what both paths need.
type differ struct {
	m    *member
	ctx  context.Context
	from origin

	// Every other request comes over TLS, as far as either path knows.
	secure bool
	ways   [2]struct {
		from origin
		ctx  context.Context
	}

	fast *fastConn
	conn *pipe // of the fast path's client
	up   *upconn
	peer *pipe // of either's upstream

	proxy *httputil.ReverseProxy
	lines *bufio.Reader
	slow  slowSide

	// Counts of requests and answers that the fast path took, and of those it left.
	requests, answers, strangeRequests, strangeAnswers int
}

// slowSide is what the slow path made of a request and its answer.
type slowSide struct {
	d          *differ
	answer     []byte
	piece      int
	head       []byte
	sent       http.Header
	class      class
	idempotent bool
	err        error
	cut        bool

	header http.Header
	status int
	body   []byte
	early  bool // an answer came before the answer
}

func newDiffer(t testing.TB) *differ {
	b, err := New(Config{Upstreams: []Upstream{{Address: "192.0.2.2:80"}}})
	if err != nil {
		t.Fatal(err)
	}
	d := &differ{m: newMember(b, b.cfg.Upstreams[0], time.Now()), conn: &pipe{}, peer: &pipe{}}
	ctx := context.WithValue(context.Background(), http.ServerContextKey, &http.Server{})
	d.ways[0].from, d.ways[0].ctx = newOrigin("192.0.2.1", "http"), connContext(ctx, &clientConn{})
	d.ways[1].from, d.ways[1].ctx = newOrigin("192.0.2.1", "https"), connContext(ctx, &clientConn{tls: &tls.Conn{}})
	d.fast = &fastConn{c: &clientConn{Conn: d.conn, b: b}, front: &front{b: b, ctx: ctx}}
	d.fast.c.gone.Store(true)
	d.fast.take()
	d.up = newUpconn(d.m, d.peer)
	d.proxy = b.newProxy()
	d.proxy.Transport = &d.slow
	d.lines = bufio.NewReader(nil)
	d.slow.d = d
	return d
}

// renew makes the upstream's connection ready for the next exchange.
func (d *differ) renew(answer []byte, piece int) *upconn {
	*d.peer = pipe{in: answer, piece: piece, out: d.peer.out[:0]}
	d.m.pool.idle = d.m.pool.idle[:0]
	d.up.cause, d.up.ahead, d.up.reused, d.up.unwatch = nil, nil, false, nil
	d.up.br.Reset(d.up)
	d.up.begin()
	return d.up
}

func (d *differ) kept() bool { return len(d.m.pool.idle) == 1 && !d.peer.closed }

// RoundTrip is the slow path's way to the upstream.
func (s *slowSide) RoundTrip(r *http.Request) (*http.Response, error) {
	cl := &call{b: s.d.m.b, class: classOf(r)}
	if s.err = cl.prepare(r); s.err != nil {
		return nil, s.err
	}
	s.head, s.sent, s.class, s.idempotent = cl.msg.head, r.Header, cl.class, cl.idempotent
	sent := &sending{}
	sent.done.Store(true)
	resp, f := s.d.renew(s.answer, s.piece).receive(&cl.msg, sent, func() {})
	if s.err = asError(f); s.err != nil {
		return nil, s.err
	}
	delete(resp.Header, HeaderLoad)
	return resp, nil
}

func (s *slowSide) Header() http.Header { return s.header }
func (s *slowSide) WriteHeader(status int) {
	if status < 200 {
		s.early = true
		return
	}
	s.status = status
	for k, v := range s.header {
		s.header[k] = slices.Clone(v)
	}
}
func (s *slowSide) Write(p []byte) (int, error) { s.body = append(s.body, p...); return len(p), nil }
func (s *slowSide) FlushError() error           { return nil }

// serve is what net/http and the reverse proxy make of a request that strict lets pass.
func (s *slowSide) serve(in, answer []byte, piece int) error {
	*s = slowSide{d: s.d, answer: answer, piece: piece, header: http.Header{}, body: s.body[:0]}
	s.d.lines.Reset(bytes.NewReader(in))
	r, err := http.ReadRequest(s.d.lines)
	if err != nil {
		return err
	}
	if !httpguts.ValidHostHeader(r.Host) || r.Host == "" {
		return errors.New("host")
	}
	for name, values := range r.Header {
		if !httpguts.ValidHeaderFieldName(name) {
			return errors.New("name")
		}
		for _, v := range values {
			if !httpguts.ValidHeaderFieldValue(v) {
				return errors.New("value")
			}
		}
	}
	if r.Close || r.Method == http.MethodConnect || r.Method == http.MethodTrace {
		return errors.New("not for the fast path")
	}
	r.RemoteAddr = "192.0.2.1:1234"
	defer func() {
		if v := recover(); v == http.ErrAbortHandler {
			s.cut = true
		} else if v != nil {
			panic(v)
		}
	}()
	if s.d.proxy.ErrorHandler != nil {
		s.d.proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) {}
	}
	s.d.proxy.ServeHTTP(s, r.WithContext(s.d.ctx))
	if rest := s.d.lines.Buffered(); rest > 0 {
		return fmt.Errorf("%d bytes are left of the request", rest)
	}
	return nil
}

// try sends the first request of in through both, answered by answer, and tells how many
// bytes it took; 0: it is not for the fast path. What differs is an error.
func (d *differ) try(in, answer []byte, piece int) (size int, err error) {
	w := &d.ways[0]
	if d.secure = !d.secure; d.secure {
		w = &d.ways[1]
	}
	d.from, d.ctx = w.from, w.ctx
	return d.compare(in, answer, piece)
}

func (d *differ) compare(in, answer []byte, piece int) (size int, err error) {
	var r plainRequest
	w := d.fast.w
	var v fastVerdict
	if len(in) > fastBody {
		in = in[:fastBody]
	}
	w.out, v = r.parse(in, w.out[:0], &d.from)
	if v != fastPlain {
		d.strangeRequests++
		return 0, nil
	}
	d.requests++
	if r.size > 1 { // cut anywhere, it is not whole
		cut := 1 + (piece*2654435761>>8)%(r.size-1)
		var half plainRequest
		if _, v := half.parse(in[:cut], nil, &d.from); v == fastPlain {
			return 0, fmt.Errorf("%d of %d bytes are taken for a request", cut, r.size)
		}
	}
	once := strict{one: true}
	if n := once.look(in); n != r.size || !once.ended {
		return 0, fmt.Errorf("the request ends at %d, for strict at %d (%v)", r.size, n, once.ended)
	}
	sent := strict{one: true}
	if n := sent.look(w.out); n != len(w.out) || !sent.ended {
		return 0, fmt.Errorf("what is sent ends at %d of %d bytes: %q", n, len(w.out), w.out)
	}
	if err := d.slow.serve(in[:r.size], answer, piece); err != nil {
		return 0, fmt.Errorf("net/http does not take it: %w", err)
	}
	kept := d.kept()
	if err := d.sameSent(&r); err != nil {
		return 0, err
	}
	return r.size, d.answered(&r, answer, piece, kept)
}

// sameSent compares what the upstream is sent.
func (d *differ) sameSent(r *plainRequest) error {
	s := &d.slow
	if s.class != r.class || s.idempotent != r.idempotent {
		return fmt.Errorf("class %d, again %v; slow: %d, %v", r.class, r.idempotent, s.class, s.idempotent)
	}
	mine, err := d.read(d.fast.w.out)
	if err != nil {
		return fmt.Errorf("what is sent cannot be read: %w: %q", err, d.fast.w.out)
	}
	body, err := io.ReadAll(mine.Body)
	if err != nil {
		return err
	}
	// What appendHead makes of a header is one line of each value; what else it says is
	// the method, the target, the host and the length.
	for name := range s.sent {
		if slices.Contains(framing, name) || name == "User-Agent" && s.sent.Get(name) == "" {
			delete(s.sent, name)
		}
	}
	length := ""
	if mine.Header["Content-Length"] != nil {
		length = "Content-Length: " + mine.Header.Get("Content-Length") + "\r\n\r\n"
		delete(mine.Header, "Content-Length")
	} else if bytes.Contains(s.head, []byte("\r\nContent-Length:")) {
		return fmt.Errorf("no length is sent: %q\nslow: %q", d.fast.w.out, s.head)
	}
	start := mine.Method + " " + mine.RequestURI + " HTTP/1.1\r\nHost: " + mine.Host + "\r\n"
	if !bytes.HasPrefix(s.head, []byte(start)) || !bytes.HasSuffix(s.head, append([]byte(length), body...)) ||
		!sameHeaders(mine.Header, s.sent) || mine.Close {
		return fmt.Errorf("sent: %q\nslow: %q", d.fast.w.out, s.head)
	}
	return nil
}

func (d *differ) read(b []byte) (*http.Request, error) {
	d.lines.Reset(bytes.NewReader(b))
	return http.ReadRequest(d.lines)
}

// answered passes the answer on and compares what the client gets.
func (d *differ) answered(r *plainRequest, answer []byte, piece int, kept bool) error {
	s, f := &d.slow, d.fast
	*d.conn = pipe{out: d.conn.out[:0]}
	c := d.renew(answer, piece)
	var a fastBodyOf
	have, v, now, _ := f.header(&a, begun{m: d.m, c: c}, 0, r.noBody)
	if v != fastPlain {
		d.strangeAnswers++
		return nil
	}
	d.answers++
	ok := f.pass(&a, c, have, now)
	d.conn.closed, f.shut = f.shut, false
	if s.err != nil {
		return fmt.Errorf("an answer is passed that the slow path refuses: %w", s.err)
	}
	if s.early {
		return errors.New("an answer before the answer is lost")
	}
	got, body, err := d.client(r)
	if got == nil {
		return fmt.Errorf("the client cannot read the answer: %w: %q", err, d.conn.out)
	}
	strip := func(h http.Header) {
		for _, name := range []string{"Content-Length", "Transfer-Encoding", "Date", "Trailer"} {
			delete(h, name)
		}
		if a.status == http.StatusNotModified {
			delete(h, "Content-Type")
		}
	}
	trailers := got.Trailer
	strip(got.Header)
	strip(s.header)
	slow := http.Header{}
	slowTrailers := http.Header{}
	for k, v := range s.header {
		if name, ok := strings.CutPrefix(k, http.TrailerPrefix); ok {
			slowTrailers[name] = v
		} else if v != nil {
			slow[k] = v
		}
	}
	if got.StatusCode != s.status || !sameHeaders(got.Header, slow) {
		return fmt.Errorf("the client gets %d %v\nslow: %d %v", got.StatusCode, got.Header, s.status, slow)
	}
	switch {
	case s.cut || !ok:
		if ok || !d.conn.closed {
			return fmt.Errorf("it is taken for whole: %v, closed %v", ok, d.conn.closed)
		}
		if !s.cut && a.length >= 0 {
			return errors.New("it is cut off, and the slow path passes all of it")
		}
		if !bytes.HasPrefix(body, s.body) && !bytes.HasPrefix(s.body, body) {
			return fmt.Errorf("before it is cut off: %q, slow %q", body, s.body)
		}
		if err == nil {
			return errors.New("it is cut off, and the client cannot know")
		}
		if d.kept() {
			return errors.New("it is cut off, and the connection is kept")
		}
		return nil
	case err != nil:
		return fmt.Errorf("the body cannot be read: %w", err)
	case !bytes.Equal(body, s.body):
		return fmt.Errorf("body %q, slow %q", body, s.body)
	case !sameHeaders(trailers, slowTrailers):
		return fmt.Errorf("trailers %v, slow %v", trailers, slowTrailers)
	case d.lines.Buffered() > 0:
		return fmt.Errorf("something comes behind the answer: %q", d.conn.out)
	case d.kept() && !kept, !d.kept() && kept && !a.more:
		return fmt.Errorf("the upstream's connection is kept: %v, slow: %v", d.kept(), kept)
	}
	return nil
}

// client reads an answer as a client does.
func (d *differ) client(r *plainRequest) (*http.Response, []byte, error) {
	req := &http.Request{Method: http.MethodGet}
	if r.noBody {
		req.Method = http.MethodHead
	}
	d.lines.Reset(bytes.NewReader(d.conn.out))
	resp, err := http.ReadResponse(d.lines, req)
	if err != nil {
		return nil, nil, err
	}
	body, err := io.ReadAll(resp.Body)
	return resp, body, err
}

func sameHeaders(a, b http.Header) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if !slices.Equal(v, b[k]) {
			return false
		}
	}
	return true
}
