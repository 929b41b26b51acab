//go:build !linux

package lb

import "syscall"

func reusePort(_, _ string, _ syscall.RawConn) error { return nil }
