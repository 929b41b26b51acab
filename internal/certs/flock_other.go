//go:build !unix

package certs

import "os"

// flock takes nothing: where there are no locks of the kernel, one process at a time
// uses a directory, since it also has the lock of the data directory.
func flock(*os.File) (bool, error) { return true, nil }
