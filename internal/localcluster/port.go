package localcluster

import (
	"fmt"
	"net"
	"os"
	"strconv"
)

// Port is a loopback port that is ours until it is released, or until nobody knows of
// it any more.
type Port struct {
	number int
	held   *os.File // nil where ports cannot be held
}

// ReservePort is a port that nobody has. Others cannot come by it, except by asking for
// its number.
func ReservePort() (*Port, error) {
	ports, err := ReservePorts(1)
	if err != nil {
		return nil, err
	}
	return ports[0], nil
}

// ReservePorts are n of them whose numbers follow each other.
func ReservePorts(n int) ([]*Port, error) {
	var err error
	for range 100 {
		var first *Port
		if first, err = reserve(0); err != nil {
			break
		}
		ports := []*Port{first}
		for next := (*Port)(nil); len(ports) < n && err == nil; {
			if next, err = reserve(first.number + len(ports)); err == nil {
				ports = append(ports, next)
			}
		}
		if err == nil {
			return ports, nil
		}
		for _, p := range ports {
			p.Release()
		}
	}
	return nil, fmt.Errorf("localcluster: reserve a port: %w", err)
}

// Release gives it back. It may be called again.
func (p *Port) Release() {
	if p != nil && p.held != nil {
		_ = p.held.Close()
	}
}

// Number is the port's.
func (p *Port) Number() int    { return p.number }
func (p *Port) String() string { return strconv.Itoa(p.number) }

// Addr is 127.0.0.1 with the port.
func (p *Port) Addr() string { return net.JoinHostPort("127.0.0.1", p.String()) }
