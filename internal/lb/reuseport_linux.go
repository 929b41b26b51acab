package lb

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// reusePort lets another process of the same user listen on the same address: the next
// one, before this one stops.
func reusePort(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	})
	if err != nil {
		return err
	}
	return failed
}

// divert gives new connections to the second of the sockets on l's address: when a
// process is replaced, the first is the old one's. The kernel would spread them over
// both, and refuse those in the old one's queue when it closes. With one socket only,
// nothing changes: a number beyond the last is none, and the kernel spreads as before.
func divert(l net.Listener) {
	s, ok := l.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		second := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: 1}}
		// Without it the kernel spreads evenly: the accept queue is emptied before closing.
		_ = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF,
			&unix.SockFprog{Len: 1, Filter: &second[0]})
	})
}
