//go:build !linux

package position

import "time"

var started = time.Now()

// BootTime is a clock that nobody sets: nanoseconds. Here it stands still while the
// machine sleeps.
func BootTime() int64 { return int64(time.Since(started)) }
