//go:build !linux

package lb

import (
	"context"
	"errors"
	"net"
)

func inherit(string) (net.Listener, error) { return nil, errors.ErrUnsupported }

func offer(context.Context, net.Listener, string) error { return nil }
