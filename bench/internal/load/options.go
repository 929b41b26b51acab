package load

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Shot is what a script says of the request that it has just appended.
type Shot struct {
	Kind int    // index into Options.Kinds
	Want []byte // text that the answer's body must contain; nil accepts any body
}

// Script makes the requests of a run. It is called from one goroutine.
type Script interface {
	// Next appends the next complete request of connection conn to dst and
	// returns it. Shot.Want must stay as it is until the connection's next
	// call.
	Next(conn int, dst []byte) ([]byte, Shot)
}

// ScriptFunc is a function used as a [Script].
type ScriptFunc func(conn int, dst []byte) ([]byte, Shot)

// Next calls f.
func (f ScriptFunc) Next(conn int, dst []byte) ([]byte, Shot) { return f(conn, dst) }

// Kind is a sort of request within a run. Latencies are kept for each.
type Kind struct {
	Name   string
	Status int // the status that its answers must have
	// Refused is another status that is no error: such answers are counted apart. 0: none.
	Refused int
}

// Options say what [Run] does.
type Options struct {
	Addr   string // IPv4 address and port of the server
	Conns  int    // number of keep-alive connections
	Kinds  []Kind
	Script Script

	Duration time.Duration // no request is sent later than this after the start
	Rate     float64       // requests per second due, open loop; 0 is the closed loop
	PerConn  int           // requests that each connection sends at most; 0 is no limit
	Timeout  time.Duration // an answer that takes longer is an error; 0 is two minutes

	// Stop, unless it is nil, ends the sending before Duration is over once it
	// is true. What was sent is still answered and counted.
	Stop *atomic.Bool
}

func (o *Options) validate() error {
	switch {
	case o.Addr == "":
		return errors.New("load: no address")
	case o.Conns < 1:
		return fmt.Errorf("load: %d connections, need at least 1", o.Conns)
	case o.Script == nil || len(o.Kinds) == 0:
		return errors.New("load: no script or no kinds of request")
	case o.Duration <= 0:
		return fmt.Errorf("load: duration %v, must be positive", o.Duration)
	case o.Rate < 0 || o.Rate > 1e7:
		return fmt.Errorf("load: rate %v, must be between 0 and 10,000,000 a second", o.Rate)
	case o.Rate > 0 && o.PerConn > 0:
		return errors.New("load: a limit per connection is for the closed loop only")
	}
	if o.Timeout == 0 {
		o.Timeout = maxLatency
	}
	return nil
}
