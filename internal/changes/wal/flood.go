package wal

import (
	"net"
	"time"
)

const (
	// lull is how long a flood is let come before it is read.
	lull = time.Millisecond
	// floodBuffer takes what comes in a lull, from a server that is quick.
	floodBuffer = 128 << 10
)

// flood is a connection to a server that sends a large transaction change by change,
// each in a packet of its own. Read as they come, each costs a system call and a change
// of goroutines, ten times of what there is to do with it, on processors that the
// server may need. While the flood is rising, a read waits for more to come.
type flood struct {
	net.Conn
	rising bool // nothing is urgent of what is read next; set by the reader itself
	more   bool // the last read left some behind
	buffer []byte
	unread []byte // in buffer
}

func (f *flood) Read(p []byte) (int, error) {
	if len(f.unread) == 0 {
		if !f.rising {
			f.buffer, f.more = nil, false
			return f.Conn.Read(p)
		}
		if f.buffer == nil {
			f.buffer = make([]byte, floodBuffer)
		}
		if !f.more {
			time.Sleep(lull)
		}
		n, err := f.Conn.Read(f.buffer)
		if n == 0 {
			return 0, err
		}
		f.unread, f.more = f.buffer[:n], n == len(f.buffer) // err comes again
	}
	n := copy(p, f.unread)
	f.unread = f.unread[n:]
	return n, nil
}
