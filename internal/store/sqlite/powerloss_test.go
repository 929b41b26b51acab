//go:build linux

package sqlite

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/powerlosstest"
	"github.com/pandobase/pando/internal/store"
)

func init() {
	parts["load"] = func(dir string) error { return load(dir, 15) }
	parts["long load"] = func(dir string) error { return load(dir, 150) }
	parts["endless load"] = func(dir string) error { return load(dir, 1<<30) }
	parts["load without sync"] = func(dir string) error { return load(dir, 15, "synchronous=OFF") }
	parts["load that syncs checkpoints only"] = func(dir string) error { return load(dir, 15, "synchronous=NORMAL") }
}

const loadWriters = 8

// load writes from several goroutines, and prints what was answered: "w n",
// writer w's record and its twin have the number n now, and writer w's records
// number up to n.
func load(dir string, rounds int, pragmas ...string) error {
	s, err := Open(Options{Dir: dir, CheckpointPages: 60, pragmas: pragmas})
	if err != nil {
		return err
	}
	ctx := context.Background()
	_, err = s.Write(ctx, func(tx store.Tx) error {
		if err := tx.SaveCollection(ctx, nil, posts("posts")); err != nil {
			return err
		}
		return tx.SaveCollection(ctx, nil, posts("twins"))
	})
	if err != nil {
		return err
	}
	fmt.Println("made")
	var wg sync.WaitGroup
	failed := make(chan error, loadWriters)
	for w := range loadWriters {
		wg.Go(func() {
			for n := range rounds {
				if err := loadStep(ctx, s, w, n); err != nil {
					failed <- err
					return
				}
				fmt.Printf("%d %d\n", w, n)
			}
		})
	}
	wg.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return s.Close()
	}
}

// loadStep changes a record in two collections, and adds one.
func loadStep(ctx context.Context, s *Store, w, n int) error {
	_, err := s.Write(ctx, func(tx store.Tx) error {
		for _, name := range []string{"posts", "twins"} {
			c := tx.Catalog().Collection(name)
			r := post(c, "w"+strconv.Itoa(w))
			r.Set("views", float64(n))
			var err error
			if n == 0 {
				err = tx.Insert(ctx, r)
			} else {
				old, rerr := tx.Record(ctx, c, r.ID())
				if rerr != nil {
					return rerr
				}
				err = tx.Update(ctx, old, r)
			}
			if err != nil {
				return err
			}
		}
		return tx.Insert(ctx, post(tx.Catalog().Collection("posts"), fmt.Sprintf("%d-%d", w, n)))
	})
	return err
}

// promises is what was answered so far.
type promises struct {
	made    bool
	writers [loadWriters]int // rounds answered
}

func (p *promises) take(lines string) error {
	for line := range strings.Lines(lines) {
		line = strings.TrimSpace(line)
		if line == "made" {
			p.made = true
			continue
		}
		var w, n int
		if _, err := fmt.Sscan(line, &w, &n); err != nil {
			return fmt.Errorf("%q: %w", line, err)
		}
		p.writers[w] = n + 1
	}
	return nil
}

// broken opens dir and tells which promise is broken, or "".
func (p *promises) broken(dir string) string {
	s, err := Open(Options{Dir: dir})
	if err != nil {
		return err.Error()
	}
	defer s.Close()
	if !p.made {
		return ""
	}
	ctx := context.Background()
	found := ""
	err = s.Read(ctx, func(r store.Reader) error {
		check, err := r.(*reader).c.prepare("PRAGMA integrity_check")
		if err != nil {
			return err
		}
		defer check.reset()
		if _, err := check.step(); err != nil {
			return err
		}
		if got := check.text(0); got != "ok" {
			found = got
			return nil
		}
		posts, twins := r.Catalog().Collection("posts"), r.Catalog().Collection("twins")
		if posts == nil || twins == nil {
			found = "the collections are not there"
			return nil
		}
		for w, rounds := range p.writers {
			a, err1 := r.Record(ctx, posts, "w"+strconv.Itoa(w))
			b, err2 := r.Record(ctx, twins, "w"+strconv.Itoa(w))
			if rounds == 0 {
				continue
			}
			if err1 != nil || err2 != nil {
				found = fmt.Sprintf("writer %d after %d rounds: %v, %v", w, rounds, err1, err2)
				return nil
			}
			n := int(a.Get("views").(float64))
			if n+1 < rounds || b.Get("views") != a.Get("views") {
				found = fmt.Sprintf("writer %d: %d rounds answered, found %v and %v", w, rounds, a.Get("views"), b.Get("views"))
				return nil
			}
			for i := range n + 1 {
				if _, err := r.Record(ctx, posts, fmt.Sprintf("%d-%d", w, i)); err != nil {
					found = fmt.Sprintf("writer %d, round %d of %d: %v", w, i, rounds, err)
					return nil
				}
			}
		}
		page, err := r.Find(ctx, store.Query{Collection: posts, Total: true, IDsOnly: true})
		if err == nil && page.Total != len(page.Records) {
			found = "the total is wrong"
		}
		return err
	})
	if err != nil {
		return err.Error()
	}
	return found
}

// crashes runs a part under the recorder, lets the power fail at points moments
// of it, and tells how often a promise was broken, and the first one.
func crashes(t *testing.T, part string, points int, deadline time.Duration) (tried, broken int, first string) {
	t.Helper()
	dir := t.TempDir()
	ops, err := powerlosstest.Record(child(t, part, dir), dir)
	if err != nil {
		t.Fatal(err)
	}
	syncs := 0
	for _, op := range ops {
		if op.Kind == powerlosstest.Sync {
			syncs++
		}
	}
	rnd := rand.New(rand.NewPCG(uint64(len(ops)), 7))
	disk := powerlosstest.NewDisk(dir)
	var p promises
	end := time.Now().Add(deadline)
	for i, op := range ops {
		disk.Apply(op)
		if op.Kind == powerlosstest.Mark {
			if err := p.take(string(op.Data)); err != nil {
				t.Fatal(err)
			}
		}
		if rnd.IntN(len(ops)) >= points || time.Now().After(end) {
			continue
		}
		tried++
		after := t.TempDir()
		if err := disk.Crash(rnd, after); err != nil {
			t.Fatal(err)
		}
		if b := p.broken(after); b != "" {
			if broken++; first == "" {
				first = fmt.Sprintf("power loss after operation %d of %d: %s", i, len(ops), b)
			}
		}
		os.RemoveAll(after)
	}
	t.Logf("%s: %d operations, %d syncs, %d rounds answered; %d power losses, %d broken promises", part, len(ops), syncs, sum(p.writers[:]), tried, broken)
	return tried, broken, first
}

func sum(list []int) (n int) {
	for _, v := range list {
		n += v
	}
	return n
}

// TestPowerLoss: whatever of the unsynced writes a power loss leaves, every
// answered write is there, whole, and the file is sound. PANDO_PROVE=1 runs the
// long form.
func TestPowerLoss(t *testing.T) {
	part, points, deadline := "load", 250, 40*time.Second
	if os.Getenv("PANDO_PROVE") != "" {
		part, points, deadline = "long load", 20000, 20*time.Minute
	}
	tried, broken, first := crashes(t, part, points, deadline)
	if broken > 0 {
		t.Errorf("%d of %d power losses broke a promise; %s", broken, tried, first)
	}
	if tried < 100 {
		t.Errorf("only %d power losses were tried", tried)
	}
}

// TestPowerLossIsSeen: the same test sees what a store loses that does not sync
// each commit, or nothing at all.
func TestPowerLossIsSeen(t *testing.T) {
	for _, part := range []string{"load without sync", "load that syncs checkpoints only"} {
		if _, broken, _ := crashes(t, part, 60, 20*time.Second); broken == 0 {
			t.Errorf("%s: no broken promise was seen", part)
		}
	}
}

// TestKill: a process that is killed under load has kept what it answered.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	rounds := 4
	if os.Getenv("PANDO_PROVE") != "" {
		rounds = 60
	}
	for round := range rounds {
		sub := fmt.Sprintf("%s/%d", dir, round)
		cmd := child(t, "endless load", sub)
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		var lines strings.Builder
		buf := make([]byte, 4096)
		// It is killed after some answers, at whatever it does then.
		for limit := 200 + 777*round; lines.Len() < limit; {
			n, err := out.Read(buf)
			lines.Write(buf[:n])
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		for {
			n, err := out.Read(buf)
			lines.Write(buf[:n])
			if err != nil {
				break
			}
		}
		cmd.Wait()
		text := lines.String()
		var p promises
		if err := p.take(text[:strings.LastIndexByte(text, '\n')+1]); err != nil {
			t.Fatal(err)
		}
		if b := p.broken(sub); b != "" {
			t.Errorf("round %d, killed after %d answers: %s", round, sum(p.writers[:]), b)
		}
	}
}
