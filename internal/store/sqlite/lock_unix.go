//go:build unix

package sqlite

import (
	"errors"
	"os"
	"syscall"
)

// lockFile locks f until it is closed, or fails with errLocked at once.
func lockFile(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errLocked
	}
	return err
}
