package cluster

import (
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando/test/target"
)

// TestSchedule10: a failover takes back what was cached, seen and given a position. The
// new timeline uses its positions again. Nobody is shown it any more, and who presents
// the position is told so.
func TestSchedule10(t *testing.T) {
	s := newStage(t, target.ClusterOptions{})
	s.set(t, s.Members[0], 0, 1)
	must(t, s.WaitReplayed(t.Context()))
	_, kept := s.get(t, s.Members[0], 0, "0")
	s.Link(1).Silence() // from here on replicas hear nothing
	s.Link(2).Silence()
	s.padLog(t) // what is lost has positions that the new timeline is long in reaching
	s.set(t, s.Members[1], 0, 2)
	var lost string
	for range 5 {
		for _, m := range s.Members {
			n, a := s.get(t, m, 0, kept.pos)
			if n != 2 || a.pos <= kept.pos {
				t.Fatalf("%s shows %d, at %s after %s", m.Name, n, a.pos, kept.pos)
			}
			lost = a.pos
		}
	}
	must(t, s.Primary().Kill())
	s.Link(1).Cut()
	must(t, s.Promote(t.Context(), 1))
	must(t, s.Link(2).Heal())
	s.written(t)
	s.ready(t)
	s.everywhere(t, 0, 1)
	reused := strings.Split(lost, "-")[1]
	for n := int64(0); ; n++ {
		s.padLog(t)
		s.set(t, s.Members[n%3], 1, n)
		at, err := s.SQL(t.Context(), "SELECT lpad(to_hex((pg_current_wal_flush_lsn() - '0/0')::bigint), 16, '0')")
		must(t, err)
		if at > reused {
			break
		}
	}
	s.everywhere(t, 0, 1)
	for range 5 {
		for _, m := range s.Members {
			if n, a := s.get(t, m, 0, lost); n != 1 || !a.reset {
				t.Errorf("%s shows %d to who saw what is lost; told so: %v", m.Name, n, a.reset)
			}
			if n, a := s.get(t, m, 0, kept.pos); n != 1 || a.reset {
				t.Errorf("%s shows %d to who saw what was kept; told of a loss: %v", m.Name, n, a.reset)
			}
		}
	}
}

// padLog makes the log longer by what concerns nobody.
func (s *stage) padLog(t *testing.T) {
	t.Helper()
	_, err := s.SQL(t.Context(), "SELECT count(pg_logical_emit_message(false, 'pad', repeat('x', 100000))) FROM generate_series(1, 5)")
	must(t, err)
}

// TestSchedule17: the primary is frozen, a replica is promoted, and the old one thaws,
// while the server that was the tailer reaches nothing but that. It shows nothing of the
// past, or says that it may, whether it hears the new tailer or not.
func TestSchedule17(t *testing.T) {
	for name, deaf := range map[string]bool{"it hears the new tailer": false, "it hears nobody": true} {
		t.Run(name, func(t *testing.T) { oldPrimaryThaws(t, deaf) })
	}
}

func oldPrimaryThaws(t *testing.T, deaf bool) {
	// A read waits as long as a write for a primary, and here it waits in vain.
	s := newStage(t, target.ClusterOptions{Synchronous: true, Between: true, Flags: []string{"--write-wait", "1s"}})
	s.set(t, s.Members[0], 0, 1)
	must(t, s.WaitReplayed(t.Context()))
	tailer, writers := s.tailer(t)
	old := s.Primary()
	must(t, old.Freeze())
	tailer.ToNode[1].Down()
	tailer.ToNode[2].Down()
	must(t, s.Promote(t.Context(), 2))
	must(t, s.Node(2).Set(t.Context(), "synchronous_standby_names", ""))
	w := s.watching(t, 1, s.Members...)
	for _, m := range writers {
		soon(t, m.Name+" writes", func() bool {
			return s.ask(t.Context(), m, "PATCH", records+"/"+keyID(0), "", value(2)).status == http.StatusOK
		})
	}
	w.answered(0, 2)
	if deaf { // the third server hears nobody either: only the new tailer writes
		next, _ := s.tailer(t)
		next.ToIt.Silence()
		writers = []*target.Member{next}
	}
	must(t, old.Thaw())
	last := int64(5)
	if long {
		last = 8
	}
	for n := int64(3); n <= last; n++ {
		s.set(t, writers[int(n)%len(writers)], 0, n)
		w.answered(0, n)
		asked := time.Now()
		w.look(t.Context(), t, tailer, 0)
		if d := time.Since(asked); d > 10*time.Second {
			t.Errorf("a server that reaches nothing but the old primary says so after %v", d)
		}
		still(t, 50*time.Millisecond)
	}
	must(t, old.Kill())
	for _, m := range s.Members {
		must(t, m.Heal())
	}
	s.ready(t)
	w.end()
	s.everywhere(t, 0, last)
	t.Logf("%d answers, %d refused", w.answers.Load(), w.refused.Load())
}

// TestSchedule19: the database is restored from a copy of its disk under running servers,
// full caches, and replicas that nobody has restored. It has the numbers that it had. Until
// its log is longer than it was it is not used, and from then on what was made since is
// gone everywhere.
func TestSchedule19(t *testing.T) {
	s := newStage(t, target.ClusterOptions{Flags: []string{"--write-wait", "1s"}})
	db := s.Primary()
	for i := range 10 {
		s.set(t, s.Members[0], i, 1)
	}
	dir, err := db.Exec(t.Context(), "SHOW data_directory")
	must(t, err)
	must(t, db.Stop())
	copied := dir + ".copy"
	run(t, "cp", "-a", dir, copied)
	must(t, db.Start(t.Context()))
	s.written(t)
	for round := range int64(20) {
		for i := range 10 {
			s.set(t, s.Members[i%3], i, 100+round)
		}
	}
	for range 3 {
		for i := range 10 {
			for _, m := range s.Members {
				s.get(t, m, i, "0")
			}
		}
	}
	must(t, db.Kill())
	run(t, "rm", "-r", dir)
	run(t, "mv", copied, dir)
	must(t, db.Start(t.Context()))
	for _, m := range s.Members {
		if a := s.ask(t.Context(), m, "PATCH", records+"/"+keyID(20), "", value(1)); a.status != http.StatusServiceUnavailable {
			t.Errorf("%s writes to a database that has forgotten what was answered: %v", m.Name, a)
		}
	}
	_, err = db.Exec(t.Context(), "SELECT pg_switch_wal()")
	must(t, err)
	s.written(t)
	s.ready(t)
	for n := range int64(60) {
		s.set(t, s.Members[n%3], 20, n)
		for i := range 10 {
			if got, _ := s.get(t, s.Members[n%3], i, ""); got != 1 {
				t.Fatalf("%s: %s shows %d, which is not in the restored database", keyID(i), s.Members[n%3].Name, got)
			}
		}
	}
}

func run(t *testing.T, command ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), command[0], command[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(command, " "), err, out)
	}
}
