//go:build unix

package server

import (
	"path/filepath"

	"golang.org/x/sys/unix"
)

// diskSpace is what is left, and all there is, on the disk of a directory or of
// the nearest one above it that exists; zeros if that is not known.
func diskSpace(dir string) (free, all uint64) {
	var s unix.Statfs_t
	for unix.Statfs(dir, &s) != nil {
		parent := filepath.Dir(dir)
		if parent == dir {
			return 0, 0
		}
		dir = parent
	}
	return uint64(s.Bavail) * uint64(s.Bsize), uint64(s.Blocks) * uint64(s.Bsize)
}

// openFiles is how many files and connections this process may have open.
func openFiles() uint64 {
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &l) != nil {
		return 0
	}
	return uint64(l.Cur)
}
