package lb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
)

var errFarewell = errors.New("the load balancer is stopping")

// Bounds of when a client is told to come back, in milliseconds: not all at once.
const comeBackFrom, comeBackTo = 200, 3000

// endable makes an event stream end when the balancer stops, with a hint when to come
// back.
func (b *Balancer) endable(resp *http.Response, c *upconn) {
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), eventStream) || resp.Header.Get("Content-Encoding") != "" || resp.ContentLength >= 0 {
		return
	}
	s := &stream{ReadCloser: resp.Body, at: []byte("\n\n")}
	s.stop = context.AfterFunc(b.farewell, func() {
		s.leaving.Store(true)
		c.abort(errFarewell)
	})
	resp.Body = s
}

// stream is the body of an event stream.
type stream struct {
	io.ReadCloser
	stop func() bool
	at   []byte // the last bytes passed on
	hint *strings.Reader

	leaving atomic.Bool // the balancer ends it
}

func (s *stream) Read(p []byte) (int, error) {
	if s.hint != nil {
		return s.hint.Read(p)
	}
	n, err := s.ReadCloser.Read(p)
	if n > 0 {
		s.at = append(s.at, p[max(0, n-2):n]...)
		s.at = append(s.at[:0], s.at[max(0, len(s.at)-2):]...)
	}
	// A connection with TLS is closed in two steps: behind the first, the upstream may
	// end its answer in order.
	if err == nil || !errors.Is(err, errFarewell) && !s.leaving.Load() {
		return n, err
	}
	s.hint = strings.NewReader(farewellHint(s.at))
	return n, nil
}

// farewellHint is the last that a stream says, behind a body that ends with at. A client
// takes a line that names the time at once, and drops the event that is not ended by an
// empty one (HTML, 9.2.6): so half an event stays half.
func farewellHint(at []byte) string {
	hint := fmt.Sprintf("retry: %d\n", comeBackFrom+rand.IntN(comeBackTo-comeBackFrom))
	switch {
	case bytes.Equal(at, []byte("\n\n")):
		return hint + "\n"
	case bytes.HasSuffix(at, []byte("\n")):
		return hint
	}
	return "\n" + hint
}

func (s *stream) Close() error {
	s.stop()
	return s.ReadCloser.Close()
}
