package position

import "golang.org/x/sys/unix"

// BootTime is a clock that nobody sets, and that goes on while the machine sleeps:
// nanoseconds. (Go's monotonic clock stands still then, and a lease would outlive
// what it is for.)
func BootTime() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		panic("position: no CLOCK_BOOTTIME: " + err.Error())
	}
	return t.Nano()
}
