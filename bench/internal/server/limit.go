package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Limit bounds a server's memory.
//
// With Parent set to a directory of a control group hierarchy (version 2 with
// the memory controller enabled for children, or the memory hierarchy of
// version 1) the server runs in a new group below it, and the kernel ends it
// when it exceeds Bytes. That is what a container does, and what a server can
// read its limit from.
//
// Without Parent the limit is imitated: GOMEMLIMIT is set to nine tenths of it
// in the server's environment, and [Process.Watch] ends the server when the
// memory that cannot be reclaimed exceeds it. The kernel would do the same,
// only more exactly.
type Limit struct {
	Bytes  int64
	Parent string
}

// Real says whether the kernel enforces the limit.
func (l *Limit) Real() bool { return l.Parent != "" }

// group is a control group with one server in it; dir is empty where the
// limit is imitated.
type group struct {
	limit *Limit
	dir   string
}

func (l *Limit) open() (*group, error) {
	if l.Parent == "" {
		return &group{limit: l}, nil
	}
	dir, err := os.MkdirTemp(l.Parent, "pandobench-")
	if err != nil {
		return nil, fmt.Errorf("make a control group (see bench/README.md, \"Memory limit\"): %w", err)
	}
	g := &group{limit: l, dir: dir}
	file := "memory.max" // version 2
	if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
		file = "memory.limit_in_bytes" // version 1
	}
	// Control files exist from the moment the group does; O_CREATE would make
	// a plain file of the same name in a directory that is no control group.
	f, err := os.OpenFile(filepath.Join(dir, file), os.O_WRONLY, 0)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s has no memory controller for its children: %w", l.Parent, err), g.close())
	}
	_, err = fmt.Fprint(f, l.Bytes)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, errors.Join(fmt.Errorf("limit memory: %w", err), g.close())
	}
	return g, nil
}

// wrap has a shell enter the group and then become the server, so that not
// one page of the server is charged elsewhere.
func (g *group) wrap(args []string) []string {
	if g.dir == "" {
		return args
	}
	enter := []string{"/bin/sh", "-c", `echo $$ > "$0" && exec "$@"`, filepath.Join(g.dir, "cgroup.procs")}
	return append(enter, args...)
}

func (g *group) env() []string {
	if g.dir != "" {
		return nil
	}
	return []string{"GOMEMLIMIT=" + strconv.FormatInt(g.limit.Bytes/10*9, 10)}
}

func (g *group) close() error {
	if g.dir == "" {
		return nil
	}
	err := os.Remove(g.dir) // removes a control group though it has files
	for deadline := time.Now().Add(2 * time.Second); err != nil && time.Now().Before(deadline); err = os.Remove(g.dir) {
		time.Sleep(10 * time.Millisecond) // the kernel lets go of ended processes lazily
	}
	return err
}

// Peak is the most memory, in bytes, that the kernel charged to the server,
// page cache included; ok is false where the limit is imitated.
func (p *Process) Peak() (n int64, ok bool) {
	if p.group == nil || p.group.dir == "" {
		return 0, false
	}
	for _, file := range []string{"memory.peak", "memory.max_usage_in_bytes"} {
		b, err := os.ReadFile(filepath.Join(p.group.dir, file))
		if err != nil {
			continue
		}
		if n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil {
			return n, true
		}
	}
	return 0, false
}

// Watch stands in for the kernel where the limit is imitated: it ends the
// server once its unreclaimable memory exceeds the limit. It returns when ctx
// is done or the server has ended.
func (p *Process) Watch(ctx context.Context) {
	if p.group == nil || p.group.dir != "" {
		return
	}
	limit := p.group.limit.Bytes
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.ended:
			return
		case <-tick.C:
		}
		if m, err := p.Memory(); err == nil && m.Anonymous > limit {
			p.cmd.Process.Kill()
			return
		}
	}
}
