//go:build !linux

package load

import (
	"context"
	"errors"
)

// ErrServerGone is returned when the server no longer accepts connections.
var ErrServerGone = errors.New("server gone")

// Run is available on Linux only: it is built on epoll.
func Run(context.Context, Options) (Result, error) {
	return Result{}, errors.New("load: the load generator needs Linux (epoll)")
}
