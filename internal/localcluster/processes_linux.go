package localcluster

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// process is one line of the kernel's table.
type process struct {
	pid, parent, session int
	state                byte
	comm, line           string // line is of our programs only, and of those that live
}

// table reads /proc. It is not a snapshot: what forks meanwhile is seen by the next.
func table() []process {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	list := make([]process, 0, len(dirs))
	for _, dir := range dirs {
		stat, err := os.ReadFile(dir + "/stat")
		if err != nil {
			continue // it has ended
		}
		// "pid (comm) S ppid pgrp session …", and a comm may hold spaces and parentheses.
		open, shut := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
		if open < 0 || shut < open {
			continue
		}
		rest := strings.Fields(string(stat[shut+1:]))
		if len(rest) < 4 {
			continue
		}
		p := process{state: rest[0][0], comm: string(stat[open+1 : shut])}
		if slices.Contains(programs, p.comm) {
			line, _ := os.ReadFile(dir + "/cmdline")
			p.line = string(bytes.ReplaceAll(line, []byte{0}, []byte{' '}))
		}
		p.pid, _ = strconv.Atoi(filepath.Base(dir))
		p.parent, _ = strconv.Atoi(rest[1])
		p.session, _ = strconv.Atoi(rest[3])
		list = append(list, p)
	}
	return list
}

func (p process) dead() bool { return p.state == 'Z' || p.state == 'X' }

// members are the living processes whose command lines hold one of the names,
// and their descendants; parents come before their children.
func members(names ...string) []process {
	all := table()
	in := map[int]bool{}
	var list []process
	add := func(p process) {
		if !in[p.pid] && !p.dead() {
			in[p.pid] = true
			list = append(list, p)
		}
	}
	for _, p := range all {
		if p.line != "" && slices.ContainsFunc(names, func(n string) bool { return strings.Contains(p.line, n) }) {
			add(p)
		}
	}
	for i := 0; i < len(list); i++ {
		for _, p := range all {
			if p.parent == list[i].pid {
				add(p)
			}
		}
	}
	// Found by name, a child may stand before its parent.
	depth := func(p process) (n int) {
		for in[p.parent] && n < len(list) {
			n++
			i := slices.IndexFunc(list, func(q process) bool { return q.pid == p.parent })
			p = list[i]
		}
		return n
	}
	slices.SortStableFunc(list, func(a, b process) int { return depth(a) - depth(b) })
	return list
}

// freeze stops them all. Parents first, so that nothing new is forked; then
// again, until a look finds nobody running.
func freeze(names ...string) error {
	return settle("frozen", func(p process) bool { return p.state == 'T' }, stop, names...)
}

// thaw lets them go on; children first, so that no parent finds them silent.
func thaw(names ...string) error {
	list := members(names...)
	for _, p := range slices.Backward(list) {
		_ = resume(p.pid)
	}
	return settle("thawed", func(p process) bool { return p.state != 'T' }, resume, names...)
}

// killAll ends them at once, as a machine that loses power: frozen first, so
// that none sees another die and says a last word to a client.
func killAll(names ...string) error {
	if err := freeze(names...); err != nil {
		return err
	}
	for _, p := range members(names...) {
		_ = kill(p.pid)
	}
	return settle("dead", func(process) bool { return false }, kill, names...)
}

// settle signals every member that is not as it should be, until all are.
func settle(want string, is func(process) bool, signal func(int) error, names ...string) error {
	deadline := time.Now().Add(10 * time.Second)
	for {
		left := 0
		for _, p := range members(names...) {
			if !is(p) {
				left++
				_ = signal(p.pid) // it may have ended meanwhile
			}
		}
		reapAdopted()
		if left == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("localcluster: %d processes of %s are still not %s", left, names[0], want)
		}
		time.Sleep(time.Millisecond)
	}
}
