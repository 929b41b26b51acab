package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/internal/store"
)

// A database that was put back from a copy of its disk takes nothing before its log is
// longer than it was: not even over a connection that is made before the next probe.
func TestRestoredFromACopy(t *testing.T) {
	pg := localclustertest.Postgres(t, localcluster.Options{NoSync: true})
	ctx := t.Context()
	if err := pg.CreateDatabase(ctx, "app"); err != nil {
		t.Fatal(err)
	}
	s := open(t, Options{URL: pg.URL("app", "postgres"), WriteWait: 300 * time.Millisecond})
	c := create(t, s, things())
	insert := func(id string) error {
		_, err := s.Write(ctx, func(tx store.Tx) error { return tx.Insert(ctx, thing(c, id, "", 0)) })
		return err
	}
	do := func(errs ...error) {
		t.Helper()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
	}
	run := func(name string, args ...string) error { return exec.CommandContext(ctx, name, args...).Run() }

	dir, err := pg.Exec(ctx, "SHOW data_directory")
	do(err, insert("before"), pg.Stop(), run("cp", "-a", dir, dir+".copy"), pg.Start(ctx))
	for _, id := range strings.Split("abcdefghij", "") {
		for insert(id) != nil { // the server has just been started
			do(ctx.Err())
		}
	}
	// No stream tells this store of commits, only probes do.
	text, err := pg.Exec(ctx, "SELECT pg_current_wal_flush_lsn() - '0/0'")
	do(err)
	wrote, err := strconv.ParseUint(text, 10, 64)
	do(err)
	for m := s.nodes.watcher.State().Primary(); m == nil || uint64(m.Reached()) < wrote; m = s.nodes.watcher.State().Primary() {
		do(pause(ctx, 1))
	}
	do(pg.Kill(), run("rm", "-r", dir), run("mv", dir+".copy", dir), pg.Start(ctx))
	for _, id := range strings.Split("klm", "") {
		if err := insert(id); pando.KindOf(err) != pando.KindUnavailable {
			t.Fatalf("%s is written to a restored copy: %v", id, err)
		}
	}
	if found := s.Topology().Problem; !strings.Contains(found, "restored from a copy") {
		t.Errorf("what is said of the database is %q", found)
	}
	_, err = pg.Exec(ctx, "SELECT pg_switch_wal()")
	do(err)
	for end := time.Now().Add(20 * time.Second); ; {
		err := insert("after")
		if err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("its log is longer than it was, and it is not used: %v", err)
		}
	}
	for id, want := range map[string]bool{"before": true, "a": false, "j": false, "k": false, "m": false, "after": true} {
		if is := get(t, s, c, id) != nil; is != want {
			t.Errorf("%s is there: %v", id, is)
		}
	}
}

// What pg_dump has taken from one server goes on at another one, whose log is shorter.
func TestMovedByDump(t *testing.T) {
	ctx := t.Context()
	from, to := localclustertest.Postgres(t, localcluster.Options{NoSync: true}), localclustertest.Postgres(t, localcluster.Options{NoSync: true})
	if err := errors.Join(from.CreateDatabase(ctx, "app"), to.CreateDatabase(ctx, "app")); err != nil {
		t.Fatal(err)
	}
	s := open(t, Options{URL: from.URL("app", "postgres")})
	c := create(t, s, things())
	write(t, s, func(tx store.Tx) error { return tx.Insert(ctx, thing(c, "before", "", 0)) })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	file := t.TempDir() + "/app.dump"
	for _, args := range [][]string{
		{"pg_dump", "-Fc", "--no-owner", "-d", from.URL("app", "postgres"), "-f", file},
		{"pg_restore", "--no-owner", "--exit-on-error", "-d", to.URL("app", "postgres"), file},
	} {
		if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", args[0], err, out)
		}
	}
	s = open(t, Options{URL: to.URL("app", "postgres")})
	c = s.Catalog().Collection("things")
	write(t, s, func(tx store.Tx) error { return tx.Insert(ctx, thing(c, "after", "", 0)) })
	for _, id := range []string{"before", "after"} {
		if get(t, s, c, id) == nil {
			t.Errorf("%s is not there", id)
		}
	}
	next := c.Clone()
	next.ListRule = new("")
	write(t, s, func(tx store.Tx) error { return tx.SaveCollection(ctx, c, next) })
}

// The name of the host has moved to another server, which was promoted, and the one
// before lives on: it is found out by who connects anew, though probes go on there.
func TestMovedName(t *testing.T) {
	c := localclustertest.Replicated(t, 1, localcluster.ReplicatedOptions{Options: localcluster.Options{NoSync: true}})
	ctx := t.Context()
	old := c.Primary()
	if err := old.CreateDatabase(ctx, "app"); err != nil {
		t.Fatal(err)
	}
	name := movable(t, old.Addr())
	s := open(t, Options{URL: "postgres://postgres@" + name.addr() + "/app"})
	coll := create(t, s, things())
	if err := errors.Join(c.WaitReplayed(ctx), c.Promote(ctx, 1)); err != nil {
		t.Fatal(err)
	}
	name.move(c.Node(1).Addr())
	n, conn, err := s.nodes.writer(ctx)
	if err != nil {
		t.Fatal(err)
	}
	n.writes.flush() // but for this one
	conn.cut()
	n.release(conn)
	write(t, s, func(tx store.Tx) error { return tx.Insert(ctx, thing(coll, "moved", "", 0)) })
	for i, want := range []string{"0", "1"} {
		if got, err := c.Node(i).ExecIn(ctx, "app", "SELECT count(*) FROM things WHERE id = 'moved'"); err != nil || got != want {
			t.Errorf("node %d has %q of it, %v; want %s", i, got, err, want)
		}
	}
}

// moving is an address that can lead elsewhere; connections stay where they are.
type moving struct {
	net.Listener
	to atomic.Pointer[string]
}

func movable(t *testing.T, to string) *moving {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &moving{Listener: l}
	m.move(to)
	var all sync.WaitGroup
	t.Cleanup(func() { l.Close(); all.Wait() })
	all.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", *m.to.Load())
			if err != nil {
				in.Close()
				continue
			}
			for _, way := range [][2]net.Conn{{in, out}, {out, in}} {
				all.Go(func() {
					io.Copy(way[0], way[1])
					in.Close()
					out.Close()
				})
			}
		}
	})
	return m
}

func (m *moving) addr() string   { return m.Addr().String() }
func (m *moving) move(to string) { m.to.Store(&to) }

func TestConnectionOfAnotherLife(t *testing.T) {
	s, _ := fresh(t, Options{OneShot: true})
	m := s.nodes.watcher.State().Primary()
	n, c, err := s.nodes.writer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer n.release(c)
	instance := m.Report().Instance
	for _, row := range []struct {
		name string
		life life
		want error
	}{
		{"the same", life{instance, m.Reached()}, nil},
		{"started again", life{instance - 1, m.Reached()}, errOtherLife},
		{"had been further", life{instance, m.Reached() + 1<<40}, errOtherLife},
	} {
		if err := row.life.continues(t.Context(), c); !errors.Is(err, row.want) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
	if !isLost(errOtherLife) {
		t.Error("it is not tried again on another connection")
	}
}

// A run of the server ends with a crash of one of its processes, though the server was
// not started again: everybody who may connect sees that, and all who ask see the same.
func TestRunEndsWithABackend(t *testing.T) {
	pg := localclustertest.Postgres(t, localcluster.Options{NoSync: true})
	ctx := t.Context()
	if _, err := pg.Exec(ctx, "CREATE ROLE plain LOGIN REPLICATION"); err != nil {
		t.Fatal(err)
	}
	var all []*Store
	for _, role := range []string{"postgres", "plain"} {
		if _, err := pg.Exec(ctx, "CREATE DATABASE of_"+role+" OWNER "+role); err != nil {
			t.Fatal(err)
		}
		all = append(all, open(t, Options{URL: pg.URL("of_"+role, role), OneShot: true}))
	}
	runs := func() (list []uint64) {
		for _, s := range all {
			write(t, s, func(tx store.Tx) error { return tx.SetParam(ctx, "x", []byte("1")) }) // it is there
			log, err := s.Log().Open(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if err := log.Close(); err != nil {
				t.Error(err)
			}
			list = append(list, s.nodes.watcher.State().Primary().Report().Instance, log.Instance())
		}
		if slices.Min(list) != slices.Max(list) || list[0] == 0 {
			t.Errorf("runs: %d", list)
		}
		return list
	}
	before := runs()
	if err := pg.KillBackend(ctx); err != nil {
		t.Fatal(err)
	}
	if after := runs(); after[0] == before[0] {
		t.Errorf("it still is %d", after[0])
	}
}

// TestConnectingTakesLong: a promoted primary is found also where a connection takes longer
// than a probe may, and how its timeline came about with it.
func TestConnectingTakesLong(t *testing.T) {
	c := localclustertest.Replicated(t, 1, localcluster.ReplicatedOptions{Options: localcluster.Options{NoSync: true}})
	if err := c.WaitReplayed(t.Context()); err != nil {
		t.Fatal(err)
	}
	old := c.Primary()
	if err := c.Promote(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if err := old.Stop(); err != nil {
		t.Fatal(err)
	}
	dial := new(net.Dialer).DialContext
	s := open(t, Options{URL: c.URL("postgres", "postgres"), dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		select {
		case <-time.After(1300 * time.Millisecond): // no probe has as long, where there are several hosts
			return dial(ctx, network, address)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}})
	if state := s.nodes.watcher.State(); state.Timeline() != 2 || len(state.History().Forks) != 1 {
		t.Errorf("timeline %d, history %+v", state.Timeline(), state.History())
	}
}
