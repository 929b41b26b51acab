//go:build unix

package lb

import (
	"io"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// direct asks an upstream over the descriptor of a connection, which does not block: it
// looks whether the connection is sound, writes and waits at once. An answer that comes
// while it does wakes it up, so it need not read in vain first.
type direct struct {
	raw syscall.RawConn
	do  func(fd uintptr) bool

	// Of one exchange:
	out   []byte // to be written; nil: it is
	wrote int
	in    []byte
	n     int
	err   error
}

func newDirect(nc net.Conn) *direct {
	t, ok := nc.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := t.SyscallConn()
	if err != nil {
		return nil
	}
	d := &direct{raw: raw}
	d.do = d.step
	return d
}

// ask writes out and waits for the first bytes of the answer. With errUnsound nothing was
// written: the connection was closed, or has bytes that nobody asked for.
func (d *direct) ask(out, in []byte) (wrote, n int, err error) {
	d.out, d.in, d.wrote, d.n, d.err = out, in, 0, 0, nil
	err = d.raw.Read(d.do)
	if err == nil {
		err = d.err
	}
	d.out, d.in = nil, nil
	return d.wrote, d.n, err
}

// step is called at once, and again whenever there is something to read.
func (d *direct) step(fd uintptr) bool {
	if d.out != nil {
		if n, err := unix.Read(int(fd), d.in[:1]); n > 0 || err != unix.EAGAIN {
			d.err = errUnsound
			return true
		}
		n, err := unix.Write(int(fd), d.out)
		d.wrote = max(n, 0)
		if err != nil && err != unix.EAGAIN && err != unix.EINTR {
			d.err = err
			return true
		}
		if d.wrote < len(d.out) {
			return true // the rest has to wait
		}
		d.out = nil
		return false
	}
	n, err := unix.Read(int(fd), d.in)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return false
	case err != nil:
		d.err = err
	case n == 0:
		d.err = io.EOF
	default:
		d.n = n
	}
	return true
}
