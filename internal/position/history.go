package position

import (
	"bufio"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// History is how the present timeline came about. Each failover begins a new
// timeline at some position of the one before; what that one had beyond is
// lost, and its numbers are used again. The zero value is the history of one
// machine, where there are no failovers.
type History struct {
	Timeline uint32 // the present one
	Forks    []Fork // the ends of those that led to it, oldest first
}

// Fork is where a timeline was left.
type Fork struct {
	Timeline uint32 // the one that ended
	At       N      // the last position of it that is still true
}

// ParseHistory reads a history file of PostgreSQL, as TIMELINE_HISTORY returns
// it: on each line a timeline, its end, and why it ended.
func ParseHistory(timeline uint32, text string) (History, error) {
	h := History{Timeline: timeline}
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		f := strings.Fields(line)
		if len(f) < 2 {
			return History{}, fmt.Errorf("position: history of timeline %d: %q has no position", timeline, line)
		}
		tl, err := strconv.ParseUint(f[0], 10, 32)
		if err != nil {
			return History{}, fmt.Errorf("position: history of timeline %d: %q does not begin with a timeline", timeline, line)
		}
		at, err := ParseLSN(f[1])
		if err != nil {
			return History{}, fmt.Errorf("position: history of timeline %d: %w", timeline, err)
		}
		fork := Fork{Timeline: uint32(tl), At: at}
		if fork.Timeline >= timeline || len(h.Forks) > 0 && fork.Timeline <= h.Forks[len(h.Forks)-1].Timeline {
			return History{}, fmt.Errorf("position: history of timeline %d: timeline %d is out of order", timeline, tl)
		}
		h.Forks = append(h.Forks, fork)
	}
	return h, lines.Err()
}

// Fork is the last position of an earlier timeline that is still true; ok is
// false if the present timeline does not come from it, or nobody knows.
func (h History) Fork(timeline uint32) (at N, ok bool) {
	i := slices.IndexFunc(h.Forks, func(f Fork) bool { return f.Timeline == timeline })
	if i < 0 {
		return 0, false
	}
	return h.Forks[i].At, true
}

// Void tells whether a failover has taken back what t stands for. Of a timeline
// that did not lead to the present one, or whose end is not known, everything
// counts as taken back: a loss is announced once too often rather than not at all.
func (h History) Void(t Token) bool {
	if t.Timeline >= h.Timeline {
		return false
	}
	at, ok := h.Fork(t.Timeline)
	return !ok || t.N > at
}

// Verdict is what a token that was once given out is worth now.
type Verdict uint8

const (
	Holds  Verdict = iota
	Void           // a failover has taken back what it stands for
	Future         // nothing has come so far: the database is an older copy of the one that gave it out
)

// Judge says what t is worth; latest is the last position of the present
// timeline that anybody can have been given.
func (h History) Judge(t Token, latest N) Verdict {
	switch {
	case h.Void(t):
		return Void
	case t.Timeline > h.Timeline || t.Timeline == h.Timeline && t.N > latest:
		return Future
	}
	return Holds
}
