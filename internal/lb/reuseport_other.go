//go:build !linux

package lb

import (
	"net"
	"syscall"
)

func reusePort(_, _ string, _ syscall.RawConn) error { return nil }

func divert(net.Listener) {}
