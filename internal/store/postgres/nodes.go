package postgres

import (
	"context"
	"maps"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/topology"
)

// nodes are the hosts of the database: the watcher says who is what, and each
// life of a host has a pool of its own, which ends with it.
type nodes struct {
	s       *Store
	watcher *topology.Watcher
	prober  *prober

	several atomic.Bool // hosts

	mu      sync.Mutex
	hosts   map[string]address
	lives   map[*topology.Member]*node
	counts  map[string]*served // by host
	closed  bool
	running sync.WaitGroup

	onPrimary, onReplicas atomic.Uint64 // reads
}

// node is one life of one host.
type node struct {
	host   string
	member *topology.Member
	reads  *pool
	writes *pool // of its own: reads go on while writes hang
	// cluster is what the cluster keeps here: see registry.go.
	cluster *pool
	served  *served

	strangers atomic.Int32 // new connections that were of another life, one after the other
}

// soleDeadline is how long the only host may take to answer a probe: there is
// nobody else to turn to, and it may only be busy.
const soleDeadline = 2 * time.Second

// openNodes begins to watch the hosts, and waits until each was heard once.
func (s *Store) openNodes(ctx context.Context) (*nodes, error) {
	k := &nodes{s: s, lives: make(map[*topology.Member]*node), counts: make(map[string]*served)}
	k.setHosts(s.hosts)
	k.prober = newProber(s, s.hosts)
	var news news
	cfg := topology.Config{Hosts: hostNames(s.hosts), Probe: k.prober.probe, OnChange: func(c topology.Change) {
		news.tell(func() { s.log.Log(context.Background(), c.Level, "database: "+maskIn(c.Text, s.opts.URL)) })
	}}
	if len(s.hosts) == 1 {
		cfg.Deadline = soleDeadline
	}
	if clock := s.clock; clock != nil {
		cfg.Known = func() (uint32, position.N) { x := clock.Index(); return x.Epoch().Timeline, x.Frontier() }
	}
	k.watcher = topology.New(cfg)
	if err := k.first(ctx); err != nil {
		k.close()
		return nil, err
	}
	news.release()
	return k, nil
}

// news is what happens to the hosts. Until the store is open it waits: if nothing
// comes of that, the one error says it all.
type news struct {
	mu    sync.Mutex
	open  bool
	queue []func()
}

func (n *news) tell(say func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.open {
		say()
		return
	}
	n.queue = append(n.queue, say)
}

// release says what has waited; from now on nothing does.
func (n *news) release() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.open = true
	for _, say := range n.queue {
		say()
	}
	n.queue = nil
}

// first waits for a primary as long as it makes sense: a server that is starting
// will be there in a moment, a wrong password stays wrong.
func (k *nodes) first(ctx context.Context) error {
	wait, cancel := context.WithTimeout(ctx, k.s.opts.WriteWait)
	defer cancel()
	if err := k.watcher.WaitFirst(wait); err != nil {
		return k.unreachable(err)
	}
	for {
		state := k.watcher.State()
		if state.LastPrimary() != nil {
			return nil
		}
		if !k.starting() {
			return k.unreachable(nil)
		}
		select {
		case <-state.Changed():
		case <-time.After(50 * time.Millisecond):
		case <-wait.Done():
			return k.unreachable(ctx.Err()) // nil where only our own bound is over: that is no cause
		}
	}
}

func (k *nodes) setHosts(hosts []address) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.hosts = make(map[string]address, len(hosts))
	for _, a := range hosts {
		k.hosts[a.host] = a
	}
	k.several.Store(len(hosts) > 1)
}

func hostNames(hosts []address) []string {
	list := make([]string, len(hosts))
	for i, a := range hosts {
		list[i] = a.host
	}
	return list
}

// of is the node of a member; nil if its life is over.
func (k *nodes) of(m *topology.Member) *node {
	k.mu.Lock()
	defer k.mu.Unlock()
	if n := k.lives[m]; n != nil {
		return n
	}
	a, ok := k.hosts[m.Host()]
	if !ok || k.closed {
		return nil
	}
	select {
	case <-m.Gone():
		return nil
	default:
	}
	size, wait := k.size(a.host), k.s.opts.PoolWait
	session := map[string]string{
		"statement_timeout":                   milliseconds(k.s.opts.QueryTimeout),
		"idle_in_transaction_session_timeout": milliseconds(k.s.opts.idle),
	}
	writing := maps.Clone(session)
	writing["default_transaction_isolation"] = "serializable"
	n := &node{host: a.host, member: m, served: k.servedBy(a.host),
		reads:   newPool(a.cfg, size, wait, session),
		writes:  newPool(a.cfg, size, wait, writing),
		cluster: newPool(a.cfg, clusterConns, wait, session),
	}
	for _, p := range []*pool{n.reads, n.writes, n.cluster} {
		p.life = func() life { return life{m.Report().Instance, m.Reached()} }
		p.met = func(ours bool) { k.met(n, ours) }
		p.silent = m.Unanswered
	}
	n.reads.elsewhere = func() bool { return k.alternative(n) }
	k.lives[m] = n
	k.running.Go(func() { k.follow(n) })
	return n
}

// strangersMost is how many new connections reach another life than the probes before
// these connect anew: the host's name may have moved to another server, while the one
// that they reach lives on.
const strangersMost = 3

// met is told whether a new connection reached the life of the host that the node is.
func (k *nodes) met(n *node, ours bool) {
	if ours {
		n.strangers.Store(0)
	} else if n.strangers.Add(1)%strangersMost == 0 {
		k.prober.redial(n.host)
	}
}

// size is how many connections each of the two pools may have: what the server
// allows us, leaving something to others, and no more than the machine can use.
func (k *nodes) size(host string) int {
	if n := k.s.opts.PoolSize; n > 0 {
		return n
	}
	return poolSize(k.prober.limit(host))
}

// poolSize is how many connections a pool may have: what this machine can keep
// busy, but no more than a fair share of the most that the server allows, since
// other servers and people want some; 0: that is not known.
func poolSize(most int) int {
	size := max(32, 8*runtime.GOMAXPROCS(0))
	if most > 0 {
		size = min(size, most*3/8)
	}
	return max(2, size)
}

// follow ends a node with its life: whatever was sent over its connections has
// no answer. While it does not answer probes, and another node can be asked, reads leave
// it. That one connection has failed is no reason to cut the others: those that have
// failed with it say so themselves.
func (k *nodes) follow(n *node) {
	for {
		select {
		case <-n.member.Gone():
			n.reads.retire(true)
			n.writes.retire(true)
			n.cluster.retire(true)
			n.reads.drain()
			n.writes.drain()
			n.cluster.drain()
			k.mu.Lock()
			delete(k.lives, n.member)
			k.mu.Unlock()
			return
		case <-n.member.Alarm():
		}
		for began, cut := time.Now(), false; n.member.Silent(); { // until it is heard again, or gone
			if n.member.Unanswered() && k.alternative(n) {
				n.reads.cut()
			}
			// No statement takes as long: whoever still waits does so for a host that is lost.
			if !cut && n.member.Unanswered() && time.Since(began) > k.s.opts.QueryTimeout {
				cut = true
				n.reads.cut()
				n.writes.cut()
			}
			timer := time.NewTimer(20 * time.Millisecond)
			select {
			case <-n.member.Gone():
			case <-timer.C:
			}
			timer.Stop()
			if isClosed(n.member.Gone()) {
				break
			}
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// alternative tells whether reads can be answered by another node.
func (k *nodes) alternative(n *node) bool {
	state := k.watcher.State()
	if p := state.Primary(); p != nil && p != n.member {
		return true
	}
	for _, m := range state.Replicas() {
		if m != n.member && !m.Silent() {
			return true
		}
	}
	return false
}

// sole tells whether there is one host only: whether it answers probes or not,
// there is nobody else to ask.
func (k *nodes) sole() bool { return !k.several.Load() }

// failed says that a connection to the node failed.
func (n *node) failed(err error) {
	if err != nil && !isClosed(n.member.Gone()) {
		n.member.Suspect()
	}
	n.reads.flush()
	n.writes.flush()
	n.cluster.flush()
}

// servedReads is how many reads were sent where.
type servedReads struct{ primary, replicas uint64 }

func (k *nodes) served() servedReads {
	return servedReads{k.onPrimary.Load(), k.onReplicas.Load()}
}

// release gives a connection back.
func (n *node) release(c *conn) {
	n.member.Release()
	c.pool.release(c)
}

// Topology is everything there is to show of the hosts.
func (s *Store) Topology() topology.Status { return s.nodes.watcher.Status() }

// SetURL has other hosts watched, as the configuration says now. User, database
// and password are those of the new URL as well.
func (s *Store) SetURL(ctx context.Context, url string) error {
	hosts, err := parseURL(url, &s.opts)
	if err != nil {
		return err
	}
	s.nodes.setHosts(hosts)
	s.nodes.prober.set(hosts)
	if len(hosts) > 1 && s.clock == nil {
		// What was committed while there was one host has positions that say
		// nothing to a replica: it must have replayed everything up to now.
		s.commits.drain()
		n, c, err := s.nodes.writer(ctx)
		if err != nil {
			return err
		}
		var at where
		err = c.run(ctx, at.query(n))
		n.release(c)
		if err != nil {
			return unavailable(err)
		}
		s.index.Forget(at.n)
	}
	s.nodes.watcher.SetHosts(hostNames(hosts))
	return nil
}

// close ends all connections.
func (k *nodes) close() {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	k.watcher.Close() // ends every life, and with it every pool
	k.running.Wait()
	k.prober.close()
}
