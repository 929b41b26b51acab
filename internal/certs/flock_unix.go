//go:build unix

package certs

import (
	"errors"
	"os"
	"syscall"
)

// flock takes a file's lock if it is free.
func flock(f *os.File) (bool, error) {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}
