//go:build unix

package lb

import "syscall"

// defaultConns is how many connections of clients the limit of open files allows, each
// with one to an upstream.
func defaultConns() int {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 10_000
	}
	return max(int(min(uint64(l.Cur), 2_000_000))*9/20, 100)
}
