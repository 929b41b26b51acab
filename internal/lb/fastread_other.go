//go:build !unix

package lb

import "time"

const directReads = false

func (f *fastConn) direct(uintptr) bool { return true }

func (f *fastConn) write(p []byte, now time.Time) bool { return f.writeAll(p, now) }
