//go:build !linux

package sqlite

// vfsName is SQLite's own driver.
func vfsName() (uintptr, error) { return 0, nil }
