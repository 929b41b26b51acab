package lb

import (
	"io"
	"net"
	"time"
)

// pipe is a connection in memory: it gives in, in pieces, and takes what is written.
type pipe struct {
	net.Conn
	in     []byte
	piece  int // bytes at most of one read; 0: all
	out    []byte
	closed bool
}

func (p *pipe) Read(b []byte) (int, error) {
	if len(p.in) == 0 {
		return 0, io.EOF
	}
	if p.piece > 0 && len(b) > p.piece {
		b = b[:p.piece]
	}
	n := copy(b, p.in)
	p.in = p.in[n:]
	return n, nil
}

func (p *pipe) Write(b []byte) (int, error)      { p.out = append(p.out, b...); return len(b), nil }
func (p *pipe) Close() error                     { p.closed = true; return nil }
func (p *pipe) SetDeadline(time.Time) error      { return nil }
func (p *pipe) SetReadDeadline(time.Time) error  { return nil }
func (p *pipe) SetWriteDeadline(time.Time) error { return nil }
