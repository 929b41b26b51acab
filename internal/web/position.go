package web

import (
	"context"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pandobase/pando/internal/position"
)

// What a position that a client presents can be, as the metrics call it.
const (
	posStart  = "start"  // the client has none yet
	posHolds  = "holds"  // the client is shown nothing older
	posVoid   = "void"   // a failover has taken back what the client has seen: it is told so
	posForged = "forged" // not signed by this database: ignored
	posFuture = "future" // of a database that this is an older copy of: ignored
)

// positionWriter answers a client that keeps positions: with the first byte of
// the answer, whatever writes it, goes the greatest of the client's own position
// and of what was read and written on its behalf.
type positionWriter struct {
	http.ResponseWriter
	ctx       context.Context // of the request
	positions *Positions
	counts    map[string]prometheus.Counter
	session   *position.Session
	sent      position.Token // zero: none that counts
	void      bool
	stamped   bool
}

// keepPosition takes the position that a client sent.
func (h *Handler) keepPosition(ctx context.Context, w http.ResponseWriter, text string) *positionWriter {
	p := &positionWriter{ResponseWriter: w, ctx: ctx, positions: h.cfg.Positions, counts: h.metrics.positions}
	verdict := posForged
	if t, ok := position.Parse(p.positions.Key, text); ok {
		verdict = p.take(ctx, t)
	}
	p.counts[verdict].Inc()
	p.session = position.NewSession(p.sent)
	return p
}

func (p *positionWriter) take(ctx context.Context, t position.Token) (verdict string) {
	if t == (position.Token{}) {
		return posStart
	}
	switch p.positions.Judge(ctx, t) {
	case position.Void:
		p.void = true
		return posVoid
	case position.Future:
		return posFuture
	}
	p.sent = t
	return posHolds
}

// stamp sets the headers, once.
func (p *positionWriter) stamp() {
	if p.stamped {
		return
	}
	p.stamped = true
	greatest := p.session.Observed()
	if p.sent != (position.Token{}) && p.positions.Void(p.ctx, p.sent) {
		// There was a failover during the request. From the answer on the client
		// presents a position of the new timeline: this is the time to tell it.
		p.counts[posVoid].Inc()
		p.sent, p.void = position.Token{}, true
	}
	if p.sent.Compare(greatest) > 0 {
		greatest = p.sent
	}
	header := p.Header()
	header["X-Pos"] = []string{greatest.Format(p.positions.Key)}
	if p.void {
		header["X-Pos-Reset"] = []string{"1"}
	}
	if header["Access-Control-Allow-Origin"] != nil {
		header.Add("Access-Control-Expose-Headers", "X-Pos, X-Pos-Reset")
	}
}

// WriteHeader stamps the answer; what goes ahead of it (103) is none yet.
func (p *positionWriter) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		p.stamp()
	}
	p.ResponseWriter.WriteHeader(status)
}

func (p *positionWriter) Write(b []byte) (int, error) {
	p.stamp()
	return p.ResponseWriter.Write(b)
}

// FlushError sends the headers if nothing else has.
func (p *positionWriter) FlushError() error {
	p.stamp()
	return http.NewResponseController(p.ResponseWriter).Flush()
}

// Unwrap lets http.ResponseController reach the connection.
func (p *positionWriter) Unwrap() http.ResponseWriter { return p.ResponseWriter }
