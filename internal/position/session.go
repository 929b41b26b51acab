package position

import (
	"context"
	"sync"
)

// Session carries positions between the edge, which knows the client, and the
// stores, which know what is read and written, through the context of one
// request:
//
//	edge                     store
//	WithSession(ctx, …) ──▶  Require(): not older than this
//	Observed()          ◀──  Observe(t): as of this, at the latest
//
// Only requests of clients that keep positions have one. All methods may be
// called on a nil Session, and at once.
type Session struct {
	required Token

	mu       sync.Mutex
	observed Token
}

// NewSession is the session of a client that has seen everything up to t; the
// zero token if nothing.
func NewSession(t Token) *Session { return &Session{required: t} }

type sessionKey struct{}

// WithSession gives a request its session.
func WithSession(ctx context.Context, s *Session) context.Context {
	return context.WithValue(ctx, sessionKey{}, s)
}

// SessionOf is the session of a request, nil if it has none.
func SessionOf(ctx context.Context) *Session {
	s, _ := ctx.Value(sessionKey{}).(*Session)
	return s
}

// Require is what a read must not be older than; ok is false if anything that
// may be read without a session will do.
func (s *Session) Require() (t Token, ok bool) {
	if s == nil || s.required == (Token{}) {
		return Token{}, false
	}
	return s.required, true
}

// Observe notes that something was read or written, none of which is later than
// t. Readers of a snapshot pass a position that the snapshot does not go beyond,
// writers that of their commit.
func (s *Session) Observe(t Token) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.Compare(s.observed) > 0 {
		s.observed = t
	}
}

// Observed is the greatest position noted so far.
func (s *Session) Observed() Token {
	if s == nil {
		return Token{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.observed
}
