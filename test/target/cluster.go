package target

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
)

// Cluster is several servers on one database, each of which reaches every node of the
// database, and every cache server, by a relay of its own.
type Cluster struct {
	*localcluster.Replicated
	Database string // its name
	Members  []*Member
	Caches   []*localcluster.Redis

	bin   string
	files string
	o     ClusterOptions
	added int

	beside    sync.RWMutex // held by what SQL runs, and for writing while there is no primary
	failovers atomic.Int64

	asked sync.Mutex
	lines map[*localcluster.Postgres]*localcluster.Lines // that SQL uses
}

// Member is one server of a cluster.
type Member struct {
	*Server
	ToNode  []*localcluster.Relay // by node of the database
	ToCache []*localcluster.Relay
	ToIt    *localcluster.Relay // by which the others reach it, if they do so by relays
	Private string              // where the others and load balancers reach it
	again   func(context.Context) (*Server, error)
}

// ClusterOptions are of a cluster.
type ClusterOptions struct {
	Members  int    // 0: three
	Replicas int    // of the primary
	Caches   int    // cache servers
	Bin      string // a pando that was built before; "": it is built
	Env      []string
	Flags    []string
	Settings map[string]string // of PostgreSQL
	// Indirect has members answer load balancers only.
	Indirect bool
	// Synchronous has commits wait for the last replica, as long as that is there.
	Synchronous bool
	// Straight has no relays: members reach everything by its own address, and nothing
	// of that can be cut.
	Straight bool
	// Between has members reach each other by relays too.
	Between bool
}

// ClusterSecret is that of every cluster.
const ClusterSecret = "a-secret-of-three-servers"

// StartCluster starts everything, and stops it when the test ends.
func StartCluster(t testing.TB, o ClusterOptions) *Cluster {
	t.Helper()
	settings := map[string]string{"wal_level": "logical"}
	for k, v := range o.Settings {
		settings[k] = v
	}
	db := localclustertest.Replicated(t, o.Replicas, localcluster.ReplicatedOptions{
		Options: localcluster.Options{NoSync: true, MaxConnections: 300, Settings: settings},
	})
	c := &Cluster{Replicated: db}
	if o.Synchronous {
		if err := c.synchronous(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if o.Caches > 0 {
		c.Caches = localclustertest.Redis(t, o.Caches, localcluster.RedisOptions{})
	}
	c.start(t, "app", o)
	return c
}

// Again is another cluster of servers on another database of the same nodes, and with
// the same cache servers.
func (c *Cluster) Again(t testing.TB, database string, o ClusterOptions) *Cluster {
	t.Helper()
	other := &Cluster{Replicated: c.Replicated, Caches: c.Caches}
	other.start(t, database, o)
	return other
}

func (c *Cluster) start(t testing.TB, database string, o ClusterOptions) {
	t.Helper()
	c.Database = database
	t.Cleanup(c.hangUp)
	// Building a server for the first time takes a minute on a small machine.
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	err := c.Primary().CreateDatabase(ctx, database)
	if err == nil {
		err = c.WaitReplayed(ctx)
	}
	if err == nil && o.Bin == "" {
		o.Bin, err = BuildPando(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	if o.Members == 0 {
		o.Members = 3
	}
	c.bin, c.files, c.o = o.Bin, t.TempDir(), o
	if o.Between {
		if _, err := c.SQL(ctx, relaysSQL); err != nil {
			t.Fatal(err)
		}
	}
	// The first one lays the database out; the others need not wait for each other.
	if _, err := c.add(ctx, t, o); err != nil {
		t.Fatal(err)
	}
	if o.Between {
		if _, err := c.SQL(ctx, redirectSQL); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.addAll(ctx, t, o.Members-1, o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			for _, m := range c.Members {
				text := m.Output()
				t.Logf("the last words of %s:\n%s", m.Name, text[max(0, len(text)-4000):])
			}
		}
	})
}

// A member binds the address at which the others look for it. To have them meet a relay
// there, the database gives them the relay's in its place.
const (
	relaysSQL = `CREATE SCHEMA target;
		CREATE TABLE target.relays (address text PRIMARY KEY, relay text NOT NULL);
		CREATE FUNCTION target.redirect() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			NEW.address := coalesce((SELECT relay FROM target.relays WHERE address = NEW.address), NEW.address);
			RETURN NEW;
		END $$`
	redirectSQL = `CREATE TRIGGER redirect BEFORE INSERT OR UPDATE ON _pando_members
			FOR EACH ROW EXECUTE FUNCTION target.redirect();
		UPDATE _pando_members SET address = address`
)

// Add starts one more member.
func (c *Cluster) Add(ctx context.Context, t testing.TB) *Member {
	t.Helper()
	m, err := c.add(ctx, t, c.o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// AddOf starts one more member of another build, in an environment of its own.
func (c *Cluster) AddOf(ctx context.Context, t testing.TB, bin string, env ...string) (*Member, error) {
	o := c.o
	o.Bin, o.Env = bin, append(env, o.Env...)
	return c.add(ctx, t, o)
}

func (c *Cluster) add(ctx context.Context, t testing.TB, o ClusterOptions) (*Member, error) {
	if err := c.addAll(ctx, t, 1, o); err != nil {
		return nil, err
	}
	return c.Members[len(c.Members)-1], nil
}

// addAll starts members at once.
func (c *Cluster) addAll(ctx context.Context, t testing.TB, n int, o ClusterOptions) error {
	private, err := localcluster.ReservePorts(n)
	if err != nil {
		return err
	}
	members, errs := make([]*Member, n), make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		c.added++
		name := fmt.Sprint("web", c.added)
		t.Cleanup(private[i].Release)
		all.Go(func() { members[i], errs[i] = c.member(ctx, t, name, private[i].Addr(), c.files, o) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	c.Members = append(c.Members, members...)
	return nil
}

func (c *Cluster) member(ctx context.Context, t testing.TB, name, private, files string, o ClusterOptions) (*Member, error) {
	m := &Member{Private: private}
	relay := func(to string) (*localcluster.Relay, error) {
		r, err := localcluster.NewRelay(to)
		if err == nil {
			t.Cleanup(r.Close)
		}
		return r, err
	}
	if o.Between {
		r, err := relay(private)
		if err == nil {
			_, err = c.SQL(ctx, "INSERT INTO target.relays VALUES ('"+private+"', '"+r.Addr()+"')")
		}
		if err != nil {
			return nil, err
		}
		m.ToIt, m.Private = r, r.Addr()
	}
	var hosts, caches, names []string
	for _, n := range c.Nodes() {
		if o.Straight {
			hosts = append(hosts, n.Addr())
			continue
		}
		r, err := relay(n.Addr())
		if err != nil {
			return nil, err
		}
		m.ToNode, hosts = append(m.ToNode, r), append(hosts, r.Addr())
	}
	for _, n := range c.Caches {
		names = append(names, n.Name()) // by which all know it, wherever each reaches it
		if o.Straight {
			caches = append(caches, n.Addr())
			continue
		}
		r, err := relay(n.Addr())
		if err != nil {
			return nil, err
		}
		m.ToCache, caches = append(m.ToCache, r), append(caches, r.Addr())
	}
	database, err := url.Parse(c.Primary().URL(c.Database, "postgres"))
	if err != nil {
		return nil, err
	}
	database.Host = strings.Join(hosts, ",")
	flags := append([]string{"--advertise", private, "--blob", "file://" + files}, o.Flags...)
	if !o.Indirect {
		flags = append(flags, "--direct")
	}
	if len(caches) > 0 {
		flags = append(flags, "--cache", "redis://"+strings.Join(caches, ",")+"?names="+strings.Join(names, ","))
	}
	in := Surroundings{Database: database.String(), Indirect: o.Indirect, Env: append([]string{"PANDO_CLUSTER_SECRET=" + ClusterSecret}, o.Env...)}
	dir := filepath.Join(t.TempDir(), "data")
	in.Known = len(c.Members) > 0
	m.again = func(ctx context.Context) (*Server, error) {
		in := in
		in.Known = in.Known || len(c.Members) > 0
		return StartPandoBin(ctx, o.Bin, dir, in, flags...)
	}
	if m.Server, err = m.again(ctx); err != nil {
		return nil, err
	}
	m.Name = name
	t.Cleanup(func() { m.Kill() }) // that servers leave in order is tested where it matters: it takes seconds
	return m, nil
}

// Again starts a member anew that has ended, where it was.
func (m *Member) Again(ctx context.Context, t testing.TB) (*Server, error) {
	s, err := m.again(ctx)
	if err != nil {
		return nil, err
	}
	s.Name, m.Server = m.Name, s
	t.Cleanup(s.Kill)
	return s, nil
}

// SQL runs it on the primary, beside the servers. During a Failover it waits for the new one.
func (c *Cluster) SQL(ctx context.Context, sql string) (string, error) {
	c.beside.RLock()
	defer c.beside.RUnlock()
	return c.linesTo(c.Primary()).Ask(ctx, sql)
}

func (c *Cluster) linesTo(p *localcluster.Postgres) *localcluster.Lines {
	c.asked.Lock()
	defer c.asked.Unlock()
	l := c.lines[p]
	if l == nil {
		if c.lines == nil {
			c.lines = map[*localcluster.Postgres]*localcluster.Lines{}
		}
		l = p.Lines(c.Database)
		c.lines[p] = l
	}
	return l
}

func (c *Cluster) hangUp() {
	c.asked.Lock()
	defer c.asked.Unlock()
	for _, l := range c.lines {
		l.Close()
	}
}

// Freeze stops a member where it is.
func (m *Member) Freeze() error { return m.Signal(syscall.SIGSTOP) }

// Thaw lets it go on.
func (m *Member) Thaw() error { return m.Signal(syscall.SIGCONT) }

// CutFrom makes every node of the database unreachable for the member, until Heal.
func (m *Member) CutFrom(links []*localcluster.Relay) {
	for _, r := range links {
		r.Down()
	}
}

// Heal ends whatever befell the member's links.
func (m *Member) Heal() error {
	links := append(append([]*localcluster.Relay{}, m.ToNode...), m.ToCache...)
	if m.ToIt != nil {
		links = append(links, m.ToIt)
	}
	for _, r := range links {
		if err := r.Heal(); err != nil {
			return err
		}
	}
	return nil
}

// Tailer is the member that reads the database's log for all.
func (c *Cluster) Tailer(ctx context.Context) (*Member, error) {
	address, err := c.SQL(ctx, "SELECT m.address FROM _pando_tailer t JOIN _pando_members m ON m.id = t.holder")
	if err != nil {
		return nil, err
	}
	for _, m := range c.Members {
		if m.Private == address {
			return m, nil
		}
	}
	return nil, fmt.Errorf("target: the tailer is at %q, which is none of the members", address)
}
