package judge

// Session is a client that keeps what it has been shown of each of some records, with a
// text that says by what.
type Session struct {
	seen []int64
	with []string
}

// NewSession is one of n records, which has seen nothing.
func NewSession(n int) *Session { return &Session{make([]int64, n), make([]string, n)} }

// Saw notes an answer about record i. It is false if the client has been shown more than
// v before: that, and with what.
func (s *Session) Saw(i int, v int64, with string) (before int64, by string, ok bool) {
	if before, by = s.seen[i], s.with[i]; v < before {
		return before, by, false
	}
	s.seen[i], s.with[i] = v, with
	return before, by, true
}

// Lose says that of record i only what led to v is left.
func (s *Session) Lose(i int, v int64) { s.seen[i] = min(s.seen[i], v) }
