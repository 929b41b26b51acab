package pebble

import (
	"io"
	"sync"
	"testing"
)

// Log is where a test has certmagic log: the test's own log, until the test ends. A job
// that is given up says so when it likes, and behind the end that would be a panic.
func Log(t *testing.T) io.Writer {
	l := &testLog{to: t.Output()}
	t.Cleanup(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.to = io.Discard
	})
	return l
}

type testLog struct {
	mu sync.Mutex
	to io.Writer
}

func (l *testLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to.Write(p)
}
