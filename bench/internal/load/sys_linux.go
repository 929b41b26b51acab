package load

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// The three system calls of the loop are made without telling Go's scheduler,
// which would otherwise take the processor from a thread that waits longer than
// 20 µs, wake others to use it, and give it back afterwards. Measured on two
// processors, that cost a seventh of the generator's time at 50,000 requests a
// second and a third at 4,000. The price is that other goroutines are one
// processor short, and that a collection of garbage waits for the thread, for
// at most the 20 ms of one epollWait.

func epollWait(fd int, events []unix.EpollEvent, milliseconds int) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(fd), uintptr(unsafe.Pointer(&events[0])),
		uintptr(len(events)), uintptr(milliseconds), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// read and write are for non-blocking descriptors and buffers that are not
// empty.

func read(fd int, b []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

func write(fd int, b []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}
