package localcluster

import (
	"net"
	"testing"
)

// TestPorts: who asks for a reserved port gets it, again and again, but nobody else can
// reserve it.
func TestPorts(t *testing.T) {
	ports, err := ReservePorts(3)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range ports {
		defer p.Release()
		if p.Number() != ports[0].Number()+i {
			t.Errorf("port %d is %d, after %d", i, p.Number(), ports[0].Number())
		}
		for range 2 {
			l, err := net.Listen("tcp", p.Addr())
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := reserve(p.Number()); err == nil {
			t.Errorf("port %d is reserved twice", p.Number())
		}
	}
}
