package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/changes/local"
	"github.com/pandobase/pando/internal/cluster"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store/postgres"
)

// member is this server's part among those of its database: it hears of all commits,
// and knows until when it may believe what it has heard. A server without others is
// a cluster of one.
type member struct {
	node  *cluster.Node
	store *postgres.Store
	clock *position.Clock
	self  cluster.Member
	door  *cluster.Door // nil: there are no others
	peers *peers        // nil: there are no others
	log   *slog.Logger
	feed  *feed

	stop context.CancelFunc
	done sync.WaitGroup
}

// soleSlots is the size of the index of a server that has no others; of one in a cluster,
// which hears of more, it is clusterSlots.
const soleSlots = 1 << 18

// joinBound is how long a start waits until it has heard of all that is to be known: among
// others for the end of transactions that are open in the database, whose names are logged.
const joinBound = time.Minute

// tendEvery is how often the one who reads the log looks after the schema.
const tendEvery = time.Second

// memberConfig is what a member is made of, before there is a store.
type memberConfig struct {
	clock  *position.Clock
	secret *cluster.Secret // nil: there are no others
	door   *cluster.Door   // nil: there are no others
	self   cluster.Member
	stream *local.Stream
	live   func() bool   // somebody wants to know records
	wait   time.Duration // for a lease, until these cannot be read
	load   func() float64
	files  string // where these are
	log    *slog.Logger
}

// newMemberConfig finds out whether this server is one of several, and opens the
// address at which the others reach it.
func newMemberConfig(cfg Config, id string, clock *position.Clock, stream *local.Stream, live func() bool) (*memberConfig, error) {
	var boot [8]byte
	rand.Read(boot[:]) // it cannot fail
	m := &memberConfig{
		clock: clock, stream: stream, live: live, wait: cfg.ReadWait, log: cfg.Log,
		self: cluster.Member{ID: id, Boot: hex.EncodeToString(boot[:]), Version: cfg.Version},
	}
	if cfg.ClusterSecret == "" {
		return m, nil
	}
	var err error
	if m.secret, err = cluster.NewSecret(cfg.ClusterSecret); err != nil {
		return nil, err
	}
	l, address, err := listenPrivately(cfg)
	if err != nil {
		return nil, err
	}
	m.self.Address = address
	if m.door, err = cluster.NewDoor(l, m.secret, id, cfg.Log); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return m, nil
}

// listenPrivately listens for the other servers, and says where they find it.
func listenPrivately(cfg Config) (net.Listener, string, error) {
	address := cfg.Advertise
	if address == "" {
		host, _, err := net.SplitHostPort(cfg.HTTP)
		if err != nil {
			return nil, "", fmt.Errorf("http: %w", err)
		}
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			if host, err = privateHost(); err != nil {
				return nil, "", err
			}
		}
		address = net.JoinHostPort(host, "0")
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, "", listenError("advertise", address, err)
	}
	host, _, _ := net.SplitHostPort(address)
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return l, net.JoinHostPort(host, port), nil
}

// privateHost is the machine's address in a private network.
func privateHost() (string, error) {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return "", fmt.Errorf("find the machine's own address: %w", err)
	}
	host := firstPrivate(addresses)
	if host == "" {
		return "", pando.Invalid("This machine has no address in a private network: say with --advertise HOST:PORT at which the other servers of the cluster reach it.")
	}
	return host, nil
}

func firstPrivate(addresses []net.Addr) string {
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsPrivate() {
			return n.IP.String()
		}
	}
	return ""
}

// shared is what the store compares with the other servers.
func (m *memberConfig) shared() *postgres.Shared {
	if m.secret == nil {
		return nil
	}
	return &postgres.Shared{Proof: m.secret.Proof, Proves: m.secret.Proves, Files: m.files, Address: m.self.Address}
}

// sharedSecret is that of the cluster, nil if there are no others.
func (m *memberConfig) sharedSecret() *cluster.Secret {
	if m == nil {
		return nil
	}
	return m.secret
}

// close is for a member that has not come to join.
func (m *memberConfig) close() error {
	if m == nil || m.door == nil {
		return nil
	}
	return m.door.Close()
}

// join takes part, and waits until this server may answer.
func (m *memberConfig) join(db *postgres.Store) (*member, error) {
	ctx, cancel := context.WithTimeout(context.Background(), joinBound)
	defer cancel()
	if m.secret != nil {
		if err := cluster.Neighbours(ctx, db.Registry(), m.self); err != nil {
			return nil, err
		}
	}
	j := &member{store: db, clock: m.clock, self: m.self, door: m.door, log: m.log}
	leased := position.WithLease(context.Background(), m.wait)
	j.feed = newFeed(func(t told) { m.stream.Publish(db.Batch(leased, t.by, t.entry, m.live)) })
	cfg := cluster.Config{
		Clock: m.clock, Registry: db.Registry(), Database: db.Log(), Self: m.self, Log: m.log, Slots: soleSlots, Load: m.load,
		Apply: j.apply, Deliver: j.feed.put, Restored: db.Restored,
	}
	if m.secret != nil {
		cfg.Transport, cfg.Slots = cluster.NewTransport(m.door), clusterSlots
	}
	j.node = cluster.New(cfg)
	if m.door != nil {
		j.peers = newPeers(j.node, m.door, m.self.ID)
	}
	running, stop := context.WithCancel(context.Background())
	j.stop = stop
	j.done.Go(func() { j.node.Run(running) })
	j.done.Go(func() { j.tend(running) })
	for !m.clock.Index().Leased() {
		if !m.clock.AwaitChange(ctx) {
			problem := j.node.Status().Problem
			return nil, errors.Join(&pando.Error{
				Kind:    pando.KindUnavailable,
				Message: fmt.Sprintf("The database's log of changes cannot be followed: %s.", orUnknown(problem)),
			}, j.close())
		}
	}
	return j, nil
}

func orUnknown(problem string) string {
	if problem == "" {
		return "nothing was heard of it in time"
	}
	return problem
}

// apply is told of commits before the index is: the rules that a commit made are in
// force when it counts as known.
func (j *member) apply(ctx context.Context, entries []changes.Entry) error {
	for _, e := range entries {
		if e.Catalog {
			if err := j.store.Bring(ctx, e.Version); err != nil {
				return err
			}
		}
	}
	return nil
}

// tend looks after the schema, while this server is the one who reads the log.
func (j *member) tend(ctx context.Context) {
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	troubled := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !j.node.Status().Reigns {
			continue
		}
		err := j.store.Tend(ctx)
		if err != nil && ctx.Err() == nil && !troubled {
			j.log.Warn("the schema cannot be looked after", "err", err)
		}
		troubled = err != nil
	}
}

// close leaves the cluster. The store must still be open.
func (j *member) close() error {
	if j.peers != nil {
		j.peers.close()
	}
	j.stop()
	j.done.Wait()
	return j.feed.close()
}

// ready says why this server should get no requests; nil if it should.
func (j *member) ready() error {
	if j.node.Draining() {
		return errors.New("this server is being drained (pando node drain)")
	}
	if j.clock.Index().Leased() || j.clock.Age() > 0 {
		return nil
	}
	return fmt.Errorf("this server does not hear of changes to the database: %s", orUnknown(j.node.Status().Problem))
}

// feed hands entries to those who follow, on a goroutine of its own: what the log
// leaves out may have to be read, and the cluster does not wait for that.
type feed struct {
	f func(told)

	mu     sync.Mutex
	wake   sync.Cond
	queue  []told
	closed bool
	done   chan struct{}
}

// told is an entry of the log of that run of the primary.
type told struct {
	by    position.Run
	entry changes.Entry
}

func newFeed(f func(told)) *feed {
	d := &feed{f: f, done: make(chan struct{})}
	d.wake.L = &d.mu
	go d.run()
	return d
}

func (d *feed) put(by position.Run, e changes.Entry) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.queue = append(d.queue, told{by, e})
		d.wake.Signal()
	}
}

func (d *feed) run() {
	defer close(d.done)
	for {
		d.mu.Lock()
		for len(d.queue) == 0 && !d.closed {
			d.wake.Wait()
		}
		list := d.queue
		d.queue = nil
		d.mu.Unlock()
		if len(list) == 0 {
			return
		}
		for _, t := range list {
			d.f(t)
		}
	}
}

func (d *feed) close() error {
	d.mu.Lock()
	d.closed = true
	d.wake.Signal()
	d.mu.Unlock()
	<-d.done
	return nil
}
