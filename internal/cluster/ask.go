package cluster

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Bounds of one question.
const (
	askTime  = 5 * time.Second
	askBytes = 4 << 20
)

// Ask asks the member of that id ("": whoever is at the address) something of our own,
// and returns the body of its answer. Any status but 200 is an error, a *[Refused].
func (f *Front) Ask(ctx context.Context, address, id, method, path string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	transport := &http.Transport{
		DisableKeepAlives: true, // such questions are few
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return f.Control(ctx, address, id) },
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+address+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	res, err := transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, askBytes))
	if err == nil && res.StatusCode != http.StatusOK {
		err = &Refused{res.StatusCode, string(answer)}
	}
	return answer, err
}

// Refused is a question that a member has not answered as it was asked.
type Refused struct {
	Status int
	Text   string
}

func (r *Refused) Error() string {
	return fmt.Sprintf("the server says %d: %s", r.Status, bytes.TrimSpace([]byte(r.Text)))
}
