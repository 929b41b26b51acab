//go:build !linux

package auth

// stepBack does nothing: only Linux has priorities of threads.
func stepBack() {}
