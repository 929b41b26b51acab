package lb

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/http/httputil"
	"net/textproto"
	"strings"
	"sync/atomic"
	"time"
)

// smallBody is what is read whole before an upstream is troubled with it: it goes out
// with the header in one piece, and a slow client holds no upstream.
const smallBody = 16 << 10

// continueWait is how long a body is held back for an upstream that was told to expect
// it and says nothing.
const continueWait = time.Second

// maxInformational is how many answers may come before the answer.
const maxInformational = 32

// message is a request as it is sent, to one upstream or to several.
type message struct {
	r     *http.Request
	head  []byte // request line and header, and the whole body if it is small
	body  io.Reader
	await bool // the client waits to be told to go on
}

// failure is an attempt without an answer.
type failure struct {
	err    error
	sent   bool  // a byte of the request may have reached the upstream
	reused bool  // over a connection that had served before, without a byte of an answer
	body   bool  // what failed is the client's body
	asked  int64 // when the whole request had been sent, in Unix ns; 0: it had not
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

var (
	errClientBody = errors.New("the body of the request ended early")
	errNoProtocol = errors.New("the upstream switched protocols without being asked")
)

// exchange sends a message over c and waits for the header of the answer. The answer's
// body gives the connection back. done is called once, when the exchange is over.
func (c *upconn) exchange(msg *message, done func()) (*http.Response, *failure) {
	c.begin()
	if _, err := c.Write(msg.head); err != nil {
		return nil, c.failed(err, false)
	}
	s := &sending{}
	if msg.body == nil {
		s.done.Store(true)
		c.asked.Store(time.Now().UnixNano())
	} else {
		s.goOn = make(chan bool, 1)
		go c.send(msg, s)
	}
	return c.receive(msg, s, done)
}

// receive waits for the header of the answer to a message that was sent, or is being sent.
func (c *upconn) receive(msg *message, s *sending, done func()) (*http.Response, *failure) {
	resp, err := c.answer(msg, s)
	asked := c.asked.Swap(answered)
	if err != nil {
		s.tell(false)
		f := c.failed(err, s.clientFailed.Load())
		f.asked = max(asked, 0)
		return nil, f
	}
	s.tell(false) // an answer before the body was asked for: it is not sent any more
	c.headLeft = -1
	if resp.StatusCode == http.StatusSwitchingProtocols {
		resp.Body = &tunnel{c, done, atomic.Bool{}}
		return resp, nil
	}
	a := &answer{c: c, s: s, body: resp.Body, done: done, keep: !resp.Close}
	if resp.Body == http.NoBody || resp.ContentLength == 0 || msg.r.Method == http.MethodHead {
		a.finish(true)
	}
	resp.Body = a
	return resp, nil
}

func (c *upconn) failed(err error, body bool) *failure {
	c.release()
	f := &failure{err: c.why(err), sent: c.wrote.Load() > 0, reused: c.reused && !c.heard.Load(), body: body}
	c.m.drop(c)
	return f
}

// answer reads headers until that of the final answer.
func (c *upconn) answer(msg *message, s *sending) (*http.Response, error) {
	for range maxInformational {
		hop := c.hopByHop()
		resp, err := http.ReadResponse(c.br, msg.r)
		if err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
				err = errors.New("the upstream closed the connection without an answer")
			}
			return nil, err
		}
		for _, name := range hop {
			resp.Header.Del(name)
		}
		switch {
		case resp.StatusCode == http.StatusSwitchingProtocols:
			if msg.r.Header.Get("Upgrade") == "" {
				return nil, errNoProtocol
			}
			return resp, nil
		case resp.StatusCode < 100 || resp.StatusCode > 999:
			return nil, fmt.Errorf("status %d is none", resp.StatusCode)
		case resp.StatusCode >= 200:
			return resp, nil
		case resp.StatusCode == http.StatusContinue:
			s.tell(true)
			if !msg.await {
				continue // the client has been told already, or does not wait
			}
		}
		if t := httptrace.ContextClientTrace(msg.r.Context()); t != nil && t.Got1xxResponse != nil {
			if err := t.Got1xxResponse(resp.StatusCode, textproto.MIMEHeader(resp.Header)); err != nil {
				return nil, err
			}
		}
		c.headLeft = maxAnswerHeader
	}
	return nil, fmt.Errorf("more than %d answers before the answer", maxInformational)
}

// hopByHop are the headers that an answer names in Connection together with close: there,
// ReadResponse takes Connection itself out, and nobody would know that they are for this
// connection only. A header that does not come in one piece is left as it is.
func (c *upconn) hopByHop() (names []string) {
	if _, err := c.br.Peek(1); err != nil {
		return nil
	}
	head, _ := c.br.Peek(c.br.Buffered())
	for len(head) > 0 {
		line, rest, whole := bytes.Cut(head, []byte("\n"))
		if len(line) <= 1 || !whole { // of half a name nothing is known
			return names
		}
		head = rest
		if len(line) < len("connection:") || line[0]|0x20 != 'c' || !bytes.EqualFold(line[:len("connection:")], []byte("connection:")) {
			continue
		}
		for token := range strings.SplitSeq(string(line[len("connection:"):]), ",") {
			switch token = strings.TrimSpace(token); strings.ToLower(token) {
			case "", "close", "keep-alive", "upgrade":
			default:
				names = append(names, token)
			}
		}
	}
	return names
}

// sending is the state of a body on its way.
type sending struct {
	done         atomic.Bool // wholly sent
	clientFailed atomic.Bool
	goOn         chan bool // whether to send a body that is held back
}

// tell lets a body go that is held back, or not; the first word holds.
func (s *sending) tell(goOn bool) {
	if s.goOn == nil {
		return
	}
	select {
	case s.goOn <- goOn:
	default:
	}
}

// send writes the body. If the client's part fails, the connection ends with it: the
// upstream must not take half of a body for the whole.
func (c *upconn) send(msg *message, s *sending) {
	if msg.await {
		t := time.NewTimer(continueWait)
		defer t.Stop()
		select {
		case goOn := <-s.goOn:
			if !goOn {
				return
			}
		case <-t.C:
		case <-msg.r.Context().Done():
			return
		}
	}
	from := &clientReader{r: msg.body}
	var err error
	if msg.r.ContentLength >= 0 {
		err = c.copyN(from, msg.r.ContentLength)
	} else {
		err = c.copyChunked(from, msg.r)
	}
	if err == nil {
		c.asked.CompareAndSwap(0, time.Now().UnixNano())
		s.done.Store(true)
		return
	}
	if from.failed {
		s.clientFailed.Store(true)
		c.abort(fmt.Errorf("%w: %w", errClientBody, err))
	}
	// Else the upstream takes no more; it may have answered already, or is about to.
	c.asked.CompareAndSwap(0, time.Now().UnixNano())
}

// clientReader notes that reading failed, and not writing.
type clientReader struct {
	r      io.Reader
	failed bool
}

func (r *clientReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if err != nil && err != io.EOF {
		r.failed = true
	}
	return n, err
}

func (c *upconn) copyN(from *clientReader, n int64) error {
	buf := copyBuffers.Get()
	defer copyBuffers.Put(buf)
	copied, err := io.CopyBuffer(bodyWriter{c}, io.LimitReader(from, n), buf)
	if err == nil && copied < n {
		from.failed = true
		err = io.ErrUnexpectedEOF
	}
	return err
}

// bodyWriter gives up on an upstream that takes nothing for too long.
type bodyWriter struct{ c *upconn }

func (w bodyWriter) Write(p []byte) (int, error) {
	if patience := w.c.m.b.cfg.Limits.BodyTimeout; patience > 0 {
		_ = w.c.nc.SetWriteDeadline(time.Now().Add(patience))
		defer func() { _ = w.c.nc.SetWriteDeadline(time.Time{}) }()
	}
	return w.c.Write(p)
}

// copyChunked sends each piece as it comes.
func (c *upconn) copyChunked(from *clientReader, r *http.Request) error {
	buf := copyBuffers.Get()
	defer copyBuffers.Put(buf)
	bw := bufio.NewWriterSize(bodyWriter{c}, len(buf)+1024)
	cw := httputil.NewChunkedWriter(bw)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if _, err := cw.Write(buf[:n]); err != nil {
				return err
			}
			if err := bw.Flush(); err != nil {
				return err
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if err := cw.Close(); err != nil {
		return err
	}
	if err := r.Trailer.Write(bw); err != nil {
		return err
	}
	if _, err := bw.WriteString("\r\n"); err != nil {
		return err
	}
	return bw.Flush()
}

// answer is the body of an upstream's answer.
type answer struct {
	c    *upconn
	s    *sending
	body io.ReadCloser
	done func()
	keep bool
	over atomic.Bool
}

func (a *answer) Read(p []byte) (int, error) {
	if a.over.Load() {
		return 0, io.EOF
	}
	n, err := a.body.Read(p)
	if err != nil {
		if err != io.EOF {
			err = a.c.why(err)
		}
		a.finish(err == io.EOF)
	}
	return n, err
}

func (a *answer) Close() error {
	a.finish(false)
	return nil
}

// finish ends the exchange. The connection is kept if nothing of it is left over.
func (a *answer) finish(whole bool) {
	if a.over.Swap(true) {
		return
	}
	if a.c.release() && whole && a.keep && a.s.done.Load() && a.c.br.Buffered() == 0 && len(a.c.ahead) == 0 {
		a.c.m.put(a.c)
	} else {
		a.c.m.drop(a.c)
	}
	a.done()
}

// tunnel is a connection after both sides have switched protocols.
type tunnel struct {
	c    *upconn
	done func()
	over atomic.Bool
}

func (t *tunnel) Read(p []byte) (int, error)  { return t.c.br.Read(p) }
func (t *tunnel) Write(p []byte) (int, error) { return t.c.nc.Write(p) }

func (t *tunnel) Close() error {
	if !t.over.Swap(true) {
		t.c.release()
		t.c.m.drop(t.c)
		t.done()
	}
	return nil
}

// CloseWrite tells the upstream that the client sends no more.
func (t *tunnel) CloseWrite() error {
	if w, ok := t.c.nc.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}
