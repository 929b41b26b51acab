package lb

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A balancer that is replaced gives its listening sockets to the next one: both accept
// from one queue for a while, and what waits there when the old one leaves is the new
// one's. Two sockets with SO_REUSEPORT have a queue each, and whatever is in the old
// one's when it closes is reset by the kernel.
//
// The sockets go over a Unix socket whose name follows from the address. It lies in no
// directory, and belongs to the network namespace, as the address does.

// handoverName is the abstract name for an address.
func handoverName(address string) string { return "@pando-lb/" + address }

// handoverWithin bounds how long either side waits for the other.
const handoverWithin = 2 * time.Second

var errStranger = errors.New("the process at the other end is another user's")

// inherit takes the listening socket for address from the process that has it. There
// being none is no error to speak of.
func inherit(address string) (net.Listener, error) {
	c, err := net.DialTimeout("unix", handoverName(address), handoverWithin)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	uc := c.(*net.UnixConn)
	if err := sameUser(uc); err != nil {
		return nil, err
	}
	_ = uc.SetDeadline(time.Now().Add(handoverWithin))
	oob := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := uc.ReadMsgUnix(make([]byte, 1), oob)
	if err != nil {
		return nil, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(messages) != 1 {
		return nil, fmt.Errorf("no socket came: %w", err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil, fmt.Errorf("no socket came: %w", err)
	}
	unix.CloseOnExec(fds[0])
	f := os.NewFile(uintptr(fds[0]), address)
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return nil, err
	}
	if !listensOn(l, address) {
		l.Close()
		return nil, fmt.Errorf("the socket that came listens on %s", l.Addr())
	}
	return l, nil
}

// listensOn tells whether l has the port, and the address if it is a number, of address.
func listensOn(l net.Listener, address string) bool {
	want, err := net.ResolveTCPAddr("tcp", address)
	have, ok := l.Addr().(*net.TCPAddr)
	return err == nil && ok && want.Port == have.Port && (want.IP == nil || want.IP.IsUnspecified() || want.IP.Equal(have.IP))
}

// sameUser makes sure that the other process is ours.
func sameUser(c *net.UnixConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var cred *unix.Ucred
	var failed error
	if err := raw.Control(func(fd uintptr) { cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	if cred.Uid != uint32(os.Getuid()) {
		return errStranger
	}
	return nil
}

// offer gives l, which listens on address, to whoever comes next, until ctx ends or it
// has done so.
func offer(ctx context.Context, l net.Listener, address string) error {
	s, ok := l.(syscall.Conn)
	if !ok {
		return nil
	}
	var door *net.UnixListener
	for door == nil {
		// The name may still be the predecessor's, who gives it up once he has answered.
		u, err := net.ListenUnix("unix", &net.UnixAddr{Name: handoverName(address), Net: "unix"})
		if err == nil {
			door = u
			break
		}
		t := time.NewTimer(100 * time.Millisecond)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-t.C:
		}
	}
	defer door.Close()
	defer context.AfterFunc(ctx, func() { door.Close() })()
	for {
		c, err := door.AcceptUnix()
		if err != nil {
			return nil // the end
		}
		given, err := give(c, s)
		c.Close()
		if given || err != nil {
			return err
		}
	}
}

func give(c *net.UnixConn, s syscall.Conn) (given bool, err error) {
	if sameUser(c) != nil {
		return false, nil
	}
	_ = c.SetDeadline(time.Now().Add(handoverWithin))
	raw, err := s.SyscallConn()
	if err != nil {
		return false, err
	}
	err = raw.Control(func(fd uintptr) {
		_, _, err := c.WriteMsgUnix([]byte{1}, unix.UnixRights(int(fd)), nil)
		given = err == nil
	})
	return given, err
}
