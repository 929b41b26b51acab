//go:build unix

package lb

import (
	"io"

	"golang.org/x/sys/unix"
)

// fill reads what is there, and tells whether it is to be waited for. The descriptor does
// not block.
func (f *fastConn) fill(fd uintptr) bool {
	f.take()
	for {
		n, err := unix.Read(int(fd), f.w.in[f.have:])
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			if f.have == 0 {
				f.drop()
			}
			return false
		case err != nil:
			f.err = err
		case n == 0:
			f.err = io.EOF
		default:
			f.have += n
		}
		return true
	}
}
