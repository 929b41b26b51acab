package auth

import "syscall"

// background is how far a worker's thread steps back: Linux gives it about a
// tenth of a processor that others want, and all of one that nobody does.
const background = 10

// stepBack lowers the priority of the calling thread, to which the goroutine
// must be locked. If the system does not let it, the thread stays as it is.
func stepBack() {
	raw, err := syscall.Getpriority(syscall.PRIO_PROCESS, syscall.Gettid())
	if err != nil {
		return
	}
	usual := 20 - raw // the kernel tells it so that it is never below 0
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), usual+background)
}
