package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"
)

// Door is a member's private address. Who comes in has proven who it is, and is shown
// on by what it talks:
//
//	pando-cluster/1   members, to the cluster's node
//	http/1.1          load balancers, to the web server, with what clients ask for
//	pando-control/1   load balancers and members, with what they ask for themselves
//
// Whoever has not proven anything within [handshakeTime] is sent away.
type Door struct {
	listener net.Listener
	server   *tls.Config
	client   *TLS // of this process, towards members
	log      *slog.Logger

	members, http, control *gate

	busy    chan struct{} // a place for each that is being looked at
	running sync.WaitGroup
}

// doorPlaces is how many are looked at, at once. More wait in the kernel's queue.
const doorPlaces = 256

// NewDoor opens that of the server self. The caller closes it.
func NewDoor(l net.Listener, s *Secret, self string, log *slog.Logger) (*Door, error) {
	t, err := s.TLS(Who{Role: RoleWeb, ID: self}, protocol, RoleWeb)
	if err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	d := &Door{
		listener: l, server: t.also(protocolControl, RoleLB, RoleWeb).also(protocolHTTP, RoleLB).Server(), client: t, log: log,
		members: newGate(l.Addr()), http: newGate(l.Addr()), control: newGate(l.Addr()), busy: make(chan struct{}, doorPlaces),
	}
	only := t.also(protocolControl, RoleLB, RoleWeb).Server()
	d.server.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		if d.http.isClosed() {
			return only, nil // load balancers are told before they send anything
		}
		return nil, nil
	}
	d.running.Go(d.run)
	return d, nil
}

// HTTP gives the connections of load balancers. Once it is closed, theirs are refused
// and those of members are not.
func (d *Door) HTTP() net.Listener { return d.http }

// Control gives the connections of load balancers and members on which they ask for
// themselves. An [http.Server] for it takes [WithCaller] as its ConnContext.
func (d *Door) Control() net.Listener { return d.control }

// guest is a connection whose protocol net/http does not know, though it is HTTP: so it
// is not shown that it is TLS.
type guest struct {
	*tls.Conn
	who Who
}

type callerKey struct{}

// WithCaller notes whose connection it is.
func WithCaller(ctx context.Context, c net.Conn) context.Context {
	if g, ok := c.(*guest); ok {
		return context.WithValue(ctx, callerKey{}, g.who)
	}
	return ctx
}

// Caller is who asks; the zero value if that is not known.
func Caller(ctx context.Context) Who {
	who, _ := ctx.Value(callerKey{}).(Who)
	return who
}

// Close ends it for all. Connections that were let in go on.
func (d *Door) Close() error {
	err := d.listener.Close()
	_ = d.members.Close()
	_ = d.http.Close()
	_ = d.control.Close()
	d.running.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (d *Door) run() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for {
		d.busy <- struct{}{}
		c, err := d.listener.Accept()
		if err != nil {
			<-d.busy
			if errors.Is(err, net.ErrClosed) {
				return
			}
			d.log.Warn("nobody can be let in at the cluster's address; trying again", "err", err)
			select {
			case <-time.After(time.Second):
				continue
			case <-d.members.closed:
				return
			}
		}
		d.running.Go(func() {
			to, t := d.look(ctx, c)
			<-d.busy
			if to != nil {
				to.hand(t)
			}
		})
	}
}

// look finds out who it is, and where they are to go; nil if they were sent away.
func (d *Door) look(ctx context.Context, c net.Conn) (*gate, net.Conn) {
	limit, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	t := tls.Server(c, d.server)
	if err := t.HandshakeContext(limit); err != nil {
		if !errors.Is(err, io.EOF) && ctx.Err() == nil {
			d.log.Warn("a connection to the cluster's address was refused", "from", c.RemoteAddr(), "err", err)
		}
		if plain, ok := errors.AsType[tls.RecordHeaderError](err); ok && isHTTP(plain.RecordHeader) {
			_ = c.SetDeadline(time.Now().Add(handshakeTime))
			_, _ = io.WriteString(c, misdirected)
		}
		_ = c.Close()
		return nil, nil
	}
	switch t.ConnectionState().NegotiatedProtocol {
	case protocolHTTP:
		return d.http, t
	case protocolControl:
		who, err := Peer(t)
		if err != nil {
			_ = c.Close()
			return nil, nil
		}
		return d.control, &guest{t, who}
	}
	return d.members, t
}

// isHTTP tells whether what was to be the beginning of a handshake is that of a
// request without encryption.
func isHTTP(b [5]byte) bool {
	return slices.Contains([]string{"GET /", "HEAD ", "POST ", "PUT /", "PATCH", "DELET", "OPTIO"}, string(b[:]))
}

// misdirected is the answer to those who take the private address for the public one.
var misdirected = func() string {
	const body = `{"data":{},"message":"This is the private address of a server of a cluster: ask the load balancer before it (pando lb).","status":421}`
	return fmt.Sprintf("HTTP/1.1 421 Misdirected Request\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}()

// gate is a listener whose connections somebody else has accepted.
type gate struct {
	addr   net.Addr
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func newGate(a net.Addr) *gate {
	return &gate{addr: a, conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (g *gate) hand(c net.Conn) {
	select {
	case g.conns <- c:
	case <-g.closed:
		_ = c.Close()
	}
}

func (g *gate) Accept() (net.Conn, error) {
	select {
	case c := <-g.conns:
		return c, nil
	case <-g.closed:
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: g.addr, Err: net.ErrClosed}
	}
}

func (g *gate) Close() error {
	g.once.Do(func() { close(g.closed) })
	return nil
}

func (g *gate) isClosed() bool {
	select {
	case <-g.closed:
		return true
	default:
		return false
	}
}

func (g *gate) Addr() net.Addr { return g.addr }
