package cluster

import (
	"io"
	"net"
	"testing"
	"time"
)

// TestOutbox: whoever does not take what it is sent is cut off, but not while it joins.
func TestOutbox(t *testing.T) {
	for _, joins := range []bool{false, true} {
		ours, theirs := net.Pipe()
		o := newOutbox(ours)
		if joins {
			o.wait(4*keptBytes, joinTime)
		}
		ended := make(chan error, 1)
		go func() { ended <- o.run() }()
		letter := letter{head: make([]byte, 1<<20)}
		const letters = 2 * outboxBytes >> 20
		for range letters {
			o.put(letter)
		}
		// Longer than one that does not join may leave it lying.
		<-time.After(outboxTime + 200*time.Millisecond)
		o.finish()
		n, err := io.Copy(io.Discard, theirs)
		if whole := n == letters<<20; whole != joins {
			t.Errorf("joins %v: it has read %d bytes of %d, %v", joins, n, letters<<20, err)
		}
		if err := <-ended; (err == nil) != joins {
			t.Errorf("joins %v: it ends with %v", joins, err)
		}
		theirs.Close()
	}
}
