package postgres

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
)

// replicated is a store on a primary and two replicas.
func replicated(t *testing.T, opts Options, cluster localcluster.ReplicatedOptions) (*localcluster.Replicated, *Store, *pando.Collection) {
	t.Helper()
	cluster.NoSync = true
	r := localclustertest.Replicated(t, 2, cluster)
	if err := r.Primary().CreateDatabase(t.Context(), "app"); err != nil {
		t.Fatal(err)
	}
	if err := r.WaitReplayed(t.Context()); err != nil { // the database is everywhere
		t.Fatal(err)
	}
	opts.URL = r.URL("app", "postgres")
	s := open(t, opts)
	return r, s, create(t, s, things())
}

// That a connection has failed ends no other one, as long as the host answers probes.
func TestADoubtCutsNothing(t *testing.T) {
	_, s, _ := replicated(t, Options{}, localcluster.ReplicatedOptions{})
	n, c, err := s.nodes.reader(t.Context(), 0, false)
	if err != nil {
		t.Fatal(err)
	}
	defer n.release(c)
	for range 5 {
		n.member.Suspect()
		if !n.member.Silent() {
			t.Error("nothing is sent there until it has answered")
		}
		for deadline := time.Now().Add(10 * time.Second); n.member.Silent(); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("it answers, and nothing is sent there")
			}
		}
		if _, err := c.queryInt(t.Context(), "SELECT 1"); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSlowHosts: where replicas answer probes and no new connection comes about, as those of a
// postmaster that was stopped, reads go to the primary.
func TestSlowHosts(t *testing.T) {
	var slow atomic.Pointer[string] // the address that connections can be made to; nil: to all
	dial := new(net.Dialer).DialContext
	_, s, _ := replicated(t, Options{dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		if only := slow.Load(); only != nil && *only != address {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return dial(ctx, network, address)
	}}, localcluster.ReplicatedOptions{})
	primary := s.nodes.watcher.State().Primary()
	only := primary.Host()
	slow.Store(&only)
	for _, m := range s.nodes.watcher.State().Replicas() {
		s.nodes.of(m).reads.flush()
	}
	began := time.Now()
	n, c, err := s.nodes.reader(t.Context(), 0, false)
	if err != nil {
		t.Fatalf("after %v: %v", time.Since(began), err)
	}
	defer n.release(c)
	if n.member != primary {
		t.Errorf("%s made a connection", n.host)
	}
}

// Every answered write is in every later read, and is not in the way of what was
// not written: the replicas read that, late or not.
func TestReplicasReadYourWrites(t *testing.T) {
	r, s, c := replicated(t, Options{}, localcluster.ReplicatedOptions{})
	ctx := t.Context()
	const records = 20
	var known [records]atomic.Int64
	write(t, s, func(tx store.Tx) error {
		for i := range records {
			if err := tx.Insert(ctx, thing(c, fmt.Sprint(i), "", 0)); err != nil {
				return err
			}
		}
		return nil
	})
	if err := r.WaitReplayed(ctx); err != nil {
		t.Fatal(err)
	}
	var stopped atomic.Bool
	var reads atomic.Int64
	var wg sync.WaitGroup
	for k := range 4 {
		wg.Go(func() {
			for i := k; !stopped.Load(); i++ {
				n := i % records
				least := known[n].Load()
				rec := get(t, s, c, fmt.Sprint(n))
				if got := int64(rec.Get("n").(float64)); got < least {
					t.Errorf("record %d: read %d after %d was known", n, got, least)
					return
				} else {
					raise(&known[n], got)
				}
				reads.Add(1)
			}
		})
	}
	for round := range 200 {
		n := round % (records / 2) // the others are never written
		var value int64
		if _, err := s.Write(ctx, func(tx store.Tx) error {
			old, err := tx.Record(ctx, c, fmt.Sprint(n))
			if err != nil {
				return err
			}
			next := old.Clone()
			value = int64(old.Get("n").(float64)) + 1
			next.Set("n", float64(value))
			return tx.Update(ctx, old, next)
		}); err != nil {
			t.Error(err)
		}
		raise(&known[n], value)
	}
	stopped.Store(true)
	wg.Wait()
	t.Logf("%d reads; %+v", reads.Load(), s.nodes.served())

	// Replay stands still: what was written before is read on the primary, the
	// rest on the replicas.
	for _, pg := range r.Nodes()[1:] {
		if err := pg.PauseReplay(ctx); err != nil {
			t.Fatal(err)
		}
	}
	write(t, s, func(tx store.Tx) error {
		return tx.Update(ctx, thing(c, "0", "", 0), thing(c, "0", "new", 0))
	})
	if got := get(t, s, c, "0").String("title"); got != "new" {
		t.Errorf("a late replica has answered: %q", got)
	}
	site := func(id string) (host string, replica bool) {
		t.Helper()
		if err := s.Read(ctx, func(r store.Reader) error {
			_, err := r.Record(ctx, c, id)
			host, replica = r.(store.Sited).Site()
			return err
		}); err != nil {
			t.Error(err)
		}
		return host, replica
	}
	if host, replica := site("0"); host != r.Primary().Addr() || replica {
		t.Errorf("what was written is read at %s, a replica: %v", host, replica)
	}
	if host, replica := site(fmt.Sprint(records - 1)); host == r.Primary().Addr() || host == "" || !replica {
		t.Errorf("what was not is read at %s, a replica: %v", host, replica)
	}
	before := s.nodes.served()
	for range 50 {
		get(t, s, c, fmt.Sprint(records-1))
	}
	after := s.nodes.served()
	if after.primary != before.primary || after.replicas-before.replicas != 50 {
		t.Errorf("of 50 reads of what was not changed, the primary served %d and the replicas %d", after.primary-before.primary, after.replicas-before.replicas)
	}
}

// raise makes v at least n.
func raise(v *atomic.Int64, n int64) {
	for old := v.Load(); old < n && !v.CompareAndSwap(old, n); old = v.Load() {
	}
}

// A failover: reads go on, a write that was waiting is made by the new primary,
// and nothing that was answered is lost.
func TestFailover(t *testing.T) {
	r, s, c := replicated(t, Options{WriteWait: 20 * time.Second}, localcluster.ReplicatedOptions{SyncNames: "ANY 1 (*)"})
	ctx := t.Context()
	session := position.NewSession(position.Token{})
	own := position.WithSession(ctx, session)
	for i := range 20 {
		if _, err := s.Write(own, func(tx store.Tx) error { return tx.Insert(own, thing(c, fmt.Sprint(i), "", 0)) }); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.WaitReplayed(ctx); err != nil {
		t.Fatal(err)
	}
	if err := r.Primary().Kill(); err != nil {
		t.Fatal(err)
	}
	written := make(chan error)
	go func() {
		_, err := s.Write(ctx, func(tx store.Tx) error { return tx.Insert(ctx, thing(c, "during", "", 0)) })
		written <- err
	}()
	if get(t, s, c, "19") == nil {
		t.Error("a record that was answered is not there, without a primary")
	}
	if err := r.Promote(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if err := <-written; err != nil {
		t.Errorf("the write that waited: %v", err)
	}
	for i := range 20 {
		if get(t, s, c, fmt.Sprint(i)) == nil {
			t.Errorf("record %d is lost", i)
		}
	}
	if got := s.Topology().Timeline; got != 2 {
		t.Errorf("timeline %d", got)
	}
	if v := s.Judge(t.Context(), session.Observed()); v != position.Holds {
		t.Errorf("a position of before the failover, of what is there: %d", v)
	}
	write(t, s, func(tx store.Tx) error { return tx.Insert(ctx, thing(c, "after", "", 0)) })
}

// A position that another server gave out may be ahead of all that this one has heard
// of: it holds if the primary has come as far. If it has not, it is an older copy.
func TestPositionsFromElsewhere(t *testing.T) {
	r, s, _ := replicated(t, Options{}, localcluster.ReplicatedOptions{})
	if _, err := r.Primary().ExecIn(t.Context(), "app", "SELECT pg_logical_emit_message(true, 'test', repeat('x', 1000))"); err != nil {
		t.Fatal(err)
	}
	text, err := r.Primary().ExecIn(t.Context(), "app", "SELECT pg_current_wal_flush_lsn()")
	if err != nil {
		t.Fatal(err)
	}
	n, err := position.ParseLSN(strings.TrimSpace(text))
	if err != nil {
		t.Fatal(err)
	}
	theirs := position.Token{Timeline: 1, N: n}
	if v := s.judge(t.Context(), theirs); v != position.Future {
		t.Fatalf("this server has heard of %v: %d", theirs, v)
	}
	beyond := position.Token{Timeline: 1, N: theirs.N + 1<<40}
	for want, token := range map[position.Verdict]position.Token{position.Holds: theirs, position.Future: beyond} {
		if v := s.Judge(t.Context(), token); v != want {
			t.Errorf("%v: %d, not %d", token, v, want)
		}
	}
}

// A replica that freezes costs no read more than half a second.
func TestFrozenReplica(t *testing.T) {
	r, s, c := replicated(t, Options{}, localcluster.ReplicatedOptions{})
	ctx := t.Context()
	write(t, s, func(tx store.Tx) error { return tx.Insert(ctx, thing(c, "a", "", 0)) })
	if err := r.WaitReplayed(ctx); err != nil {
		t.Fatal(err)
	}
	// This machine may be busy for half a second, but not each time.
	for try := 1; ; try++ {
		asked := &s.nodes.servedBy(r.Node(1).Addr()).replica
		for before := asked.Load(); asked.Load() < before+10; {
			get(t, s, c, "a") // until a probe has said how far it is, and it is asked
		}
		if err := r.Node(1).Freeze(); err != nil {
			t.Fatal(err)
		}
		var worst time.Duration
		for range 200 {
			start := time.Now()
			if get(t, s, c, "a") == nil {
				t.Error("it is not there")
			}
			worst = max(worst, time.Since(start))
		}
		if err := r.Node(1).Thaw(); err != nil {
			t.Fatal(err)
		}
		t.Logf("the slowest read took %v", worst)
		if worst <= time.Second {
			break
		}
		if try == 3 {
			t.Errorf("a read took %v, and too long %d times", worst, try)
			break
		}
	}
}
