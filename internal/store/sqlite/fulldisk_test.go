//go:build linux

package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

func init() { parts["full disk"] = fullDisk }

// TestFullDisk runs a store on a file system of a few megabytes, in a child
// process that may mount one in a name space of its own.
func TestFullDisk(t *testing.T) {
	cmd := child(t, "full disk", t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.Output()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) {
		// User name spaces are forbidden: as root it works without one.
		cmd = child(t, "full disk", t.TempDir())
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
		out, err = cmd.Output()
	}
	if err != nil {
		t.Fatalf("%v (it needs the right to mount a tmpfs: user name spaces, or root)\n%s", err, out)
	}
	t.Logf("%s", out)
}

// fullDisk fills the disk below a store with records, and makes room again.
func fullDisk(dir string) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=6m"); err != nil {
		return fmt.Errorf("mount tmpfs: %w", err)
	}
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 3<<20), 0o600); err != nil {
		return err
	}
	s, err := Open(Options{Dir: dir, CheckpointPages: 100, WriterCache: 256 << 10})
	if err != nil {
		return err
	}
	ctx := context.Background()
	if _, err := s.Write(ctx, func(tx store.Tx) error { return tx.SaveCollection(ctx, nil, posts("posts")) }); err != nil {
		return err
	}
	d := disk{s: s, c: s.Catalog().Collection("posts")}
	for _, stubborn := range []bool{false, true} {
		err := d.big(stubborn)
		if err == nil || !stubborn && (pando.KindOf(err) != pando.KindUnavailable || !strings.Contains(err.Error(), "storage is full")) {
			return fmt.Errorf("a transaction larger than the disk: %w", err)
		}
		if err := d.check(); err != nil {
			return fmt.Errorf("after a transaction larger than the disk: %w", err)
		}
	}
	d.fill()
	if d.failure == nil {
		return errors.New("the disk did not get full")
	}
	fmt.Printf("full after %d records: %v\n", len(d.answered), d.failure)
	if pando.KindOf(d.failure) != pando.KindUnavailable || !strings.Contains(d.failure.Error(), "storage is full") {
		return fmt.Errorf("the error is %w", d.failure)
	}
	if err := d.check(); err != nil { // reads go on
		return fmt.Errorf("while the disk is full: %w", err)
	}
	if err := os.Remove(ballast); err != nil {
		return err
	}
	d.failure = nil
	if err := d.insert(600); err != nil {
		return fmt.Errorf("after space was freed: %w", err)
	}
	if err := d.check(); err != nil {
		return fmt.Errorf("after space was freed: %w", err)
	}
	if err := s.Close(); err != nil {
		return err
	}
	if d.s, err = Open(Options{Dir: dir}); err != nil {
		return err
	}
	d.c = d.s.Catalog().Collection("posts")
	if err := d.check(); err != nil {
		return fmt.Errorf("after reopening: %w", err)
	}
	return d.s.Close()
}

// disk is a store on a small disk, and what it has answered.
type disk struct {
	s *Store
	c *pando.Collection

	mu       sync.Mutex
	answered []string
	failure  error
}

// fill inserts from several goroutines until each has failed.
func (d *disk) fill() {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := d.insert(100000); err != nil {
				d.mu.Lock()
				d.failure = err
				d.mu.Unlock()
			}
		})
	}
	wg.Wait()
}

func (d *disk) insert(n int) error {
	for range n {
		r := post(d.c, pando.NewID())
		_, err := d.s.Write(context.Background(), func(tx store.Tx) error { return tx.Insert(context.Background(), r) })
		if err != nil {
			return err
		}
		d.mu.Lock()
		d.answered = append(d.answered, r.ID())
		d.mu.Unlock()
	}
	return nil
}

// big inserts more than the disk can hold in one transaction, among others'. If
// it is stubborn, it goes on after a failure as if nothing had happened.
func (d *disk) big(stubborn bool) error {
	ctx := context.Background()
	var wg sync.WaitGroup
	defer wg.Wait()
	for range 4 {
		wg.Go(func() { d.insert(3) }) // may fail or not: those that are answered must be there
	}
	_, err := d.s.Write(ctx, func(tx store.Tx) error {
		for range 20000 {
			if err := tx.Insert(ctx, post(d.c, pando.NewID())); err != nil && !stubborn {
				return err
			}
		}
		return nil
	})
	return err
}

// check makes sure that everything answered is there, nothing else is, and the
// file is sound.
func (d *disk) check() error {
	ctx := context.Background()
	return d.s.Read(ctx, func(r store.Reader) error {
		page, err := r.Find(ctx, store.Query{Collection: d.c, Total: true, IDsOnly: true})
		if err != nil {
			return err
		}
		there := map[string]bool{}
		for _, rec := range page.Records {
			there[rec.ID()] = true
		}
		for _, id := range d.answered {
			if !there[id] {
				return fmt.Errorf("the answered record %s is lost", id)
			}
		}
		if len(there) != len(d.answered) || page.Total != len(there) {
			return fmt.Errorf("%d records, total %d, answered %d", len(there), page.Total, len(d.answered))
		}
		q, err := r.(*reader).c.prepare("PRAGMA integrity_check")
		if err != nil {
			return err
		}
		defer q.reset()
		if _, err := q.step(); err != nil {
			return err
		}
		if got := q.text(0); got != "ok" {
			return errors.New(got)
		}
		return nil
	})
}
