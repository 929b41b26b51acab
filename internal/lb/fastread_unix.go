//go:build unix

package lb

import (
	"io"
	"time"

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
	f.fd = fd
	defer f.leaveStep()
	for {
		if f.rested && f.emptied {
			f.rested, f.blind = false, true
			f.err = f.await()
			return f.err != nil
		}
		f.take()
		room := f.w.in[f.have:]
		n, err := unix.Read(int(fd), room)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			if f.have == 0 {
				f.drop()
			}
			f.blind = false
			f.err = f.await()
			return f.err != nil
		case err != nil:
			f.err = err
			return true
		case n == 0:
			f.err = io.EOF
			return true
		}
		f.have += n
		f.emptied, f.blind, f.rested = n < len(room), false, false
		if !f.advance() {
			return true
		}
	}
}

func (f *fastConn) leaveStep() { f.fd = 0 }

// write writes to the client, which may take so long and no longer.
func (f *fastConn) write(p []byte, now time.Time) bool {
	if f.fd != 0 {
		n, err := unix.Write(int(f.fd), p)
		if n == len(p) {
			return true
		}
		if err != nil && err != unix.EAGAIN && err != unix.EINTR {
			f.shut = true
			return false
		}
		p = p[max(n, 0):]
	}
	return f.writeAll(p, now)
}
