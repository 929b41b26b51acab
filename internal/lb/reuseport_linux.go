package lb

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// reusePort lets another process of the same user listen on the same address, for where
// a socket cannot be handed over.
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
