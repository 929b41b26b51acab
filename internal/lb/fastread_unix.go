//go:build unix

package lb

import (
	"io"

	"golang.org/x/sys/unix"
)

// directReads tells that descriptors can be read and written directly.
const directReads = true

// direct serves the connection whose descriptor, which does not block, can be read, and
// tells whether it is done with it. The rest of the time it waits, and all of that
// happens within one call of RawConn.Read: so nothing that comes meanwhile goes
// unnoticed, and after an answer the next request need not be looked for in vain.
//
// The end of a connection that came together with a request does go unnoticed then; who
// waits blindly therefore looks after a while.
func (f *fastConn) direct(fd uintptr) bool {
	c := f.c
	c.fd, c.atOnce, c.drained = fd, true, false
	defer f.leaveStep()
	for {
		if f.rested && f.emptied {
			f.rested, f.blind = false, true
			f.drop()
			f.err = f.await()
			return f.err != nil
		}
		f.take()
		n, err := f.look(f.w.in[f.have:])
		switch {
		case n > 0:
			f.have += n
			f.emptied, f.blind, f.rested = c.drained && c.tls == nil, false, false
			if !f.advance() {
				return true
			}
		case err == errLater && c.drained: // TLS has nothing left of what was there
			f.emptied, c.drained = f.rested, false // for the rest of a request it is looked before it is waited
		case err == errLater:
			f.park()
			f.blind = false
			f.err = f.await()
			return f.err != nil
		default:
			f.err = err
			return true
		}
	}
}

// look reads without waiting. Over TLS, what was read at once may hold several records,
// and comes one by one.
func (f *fastConn) look(p []byte) (int, error) {
	if f.c.tls != nil {
		return f.c.tls.Read(p)
	}
	return f.c.readNow(p)
}

func (f *fastConn) leaveStep() { f.c.atOnce = false }

// gone tells whether the client has closed the connection, or its half of it. What it
// says instead is kept.
func (f *fastConn) gone() bool {
	c := f.c
	switch {
	case c.tls == nil:
		return ended(c.Conn)
	case c.gone.Load():
		return true // cut off here: its descriptor goes on until it is not used any more
	}
	room := f.w.in[f.have:]
	if !c.atOnce || len(room) == 0 {
		return false // it shows when something is written to it
	}
	c.drained = false
	n, err := c.tls.Read(room)
	f.have += n
	return n == 0 && err != errLater
}

// readNow reads what is there.
func (c *clientConn) readNow(p []byte) (int, error) {
	for {
		n, err := unix.Read(int(c.fd), p)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			c.drained = false
			return 0, errLater
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		default:
			c.drained = n < len(p)
			return n, nil
		}
	}
}

// writeNow writes what goes at once, and waits with the rest.
func (c *clientConn) writeNow(p []byte) (int, error) {
	n, err := unix.Write(int(c.fd), p)
	n = max(n, 0)
	if n == len(p) || err != nil && err != unix.EAGAIN && err != unix.EINTR {
		return n, err
	}
	m, err := c.writePatiently(p[n:])
	return n + m, err
}
