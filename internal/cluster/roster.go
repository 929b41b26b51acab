package cluster

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Roster is who is a member, for load balancers.
type Roster struct {
	// Version is another one whenever somebody came, went, moved, was marked or
	// unmarked; no other process makes the same.
	Version string
	// Age is how long ago the database said so; below 0: it has not, yet.
	Age     time.Duration
	Members []Member
}

// roster is what this server knows of the rows of members, and who waits for changes.
type roster struct {
	mu      sync.Mutex
	list    []Member
	version uint64
	at      int64         // when the list was asked for; 0: never
	changed chan struct{} // closed and made anew with each version

	waiting atomic.Int64
	asked   chan struct{} // somebody has begun to wait
	finding chan struct{} // holds who asks for somebody who is not known
	failed  int64         // when such a question began that failed
	leaving atomic.Bool   // this server goes: it is marked, whatever the database says
}

// Roster waits until there is another one than since, or ctx ends.
func (n *Node) Roster(ctx context.Context, since string) Roster {
	r := &n.roster
	r.waiting.Add(1)
	defer r.waiting.Add(-1)
	select {
	case r.asked <- struct{}{}:
	default:
	}
	for {
		now, changed := n.rosterNow()
		if now.Version != since && now.Age >= 0 {
			return now
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return now
		}
	}
}

func (n *Node) rosterNow() (Roster, <-chan struct{}) {
	r := &n.roster
	r.mu.Lock()
	defer r.mu.Unlock()
	now := Roster{Version: fmt.Sprintf("%s.%d", n.cfg.Self.Boot, r.version), Age: -1, Members: slices.Clone(r.list)}
	if r.at != 0 {
		now.Age = time.Duration(n.now() - r.at)
	}
	return now, r.changed
}

// called takes what the database has said since then of who is a member.
func (n *Node) called(all []Member, since int64) {
	r := &n.roster
	r.mu.Lock()
	defer r.mu.Unlock()
	if since >= r.at { // else something newer is known
		r.at = since
		n.tell(slices.Clone(all))
	}
}

// tell takes a list, and wakes who waits if that says something new. The mutex is
// held.
func (n *Node) tell(list []Member) {
	r := &n.roster
	for i := range list {
		if list[i].ID == n.cfg.Self.ID && r.leaving.Load() {
			list[i].Draining = true
		}
	}
	same := slices.EqualFunc(r.list, list, func(a, b Member) bool {
		a.Beat, a.Load, a.Age = b.Beat, b.Load, b.Age
		return a == b
	})
	r.list = list
	if !same {
		r.version++
		close(r.changed)
		r.changed = make(chan struct{})
	}
}

// lookOut reads the rows more often than they are renewed, while somebody waits for
// changes: a server that joins is to be found within a second.
func (n *Node) lookOut(ctx context.Context) {
	for {
		select {
		case <-n.roster.asked:
		case <-ctx.Done():
			return
		}
		for n.roster.waiting.Load() > 0 {
			_, _ = n.askMembers(ctx) // or at the next look
			if !n.pause(ctx, n.cfg.Look) {
				return
			}
		}
	}
}

// Find is a member of whom is says so; false if there was none when it was called. If
// none is known, the database is asked: at most once each findPause, for all who want it.
func (n *Node) Find(ctx context.Context, is func(Member) bool) (Member, bool) {
	r := &n.roster
	for came := n.now(); ; {
		r.mu.Lock()
		list, at := r.list, r.at
		r.mu.Unlock()
		if i := slices.IndexFunc(list, is); i >= 0 {
			return list[i], true
		}
		if at >= came || !n.askAgain(ctx, came) {
			return Member{}, false
		}
	}
}

// findPause is the time from question to question, whoever wants to know of whom.
const findPause = 20 * time.Millisecond

// askAgain has the database asked who is a member, unless others have since came; false
// if it cannot be, or could not for one of them.
func (n *Node) askAgain(ctx context.Context, came int64) bool {
	r := &n.roster
	select {
	case r.finding <- struct{}{}:
		defer func() { <-r.finding }()
	case <-ctx.Done():
		return false
	}
	r.mu.Lock()
	at, failed := r.at, r.failed
	r.mu.Unlock()
	if at >= came || failed >= came {
		return at >= came
	}
	last := max(at, failed)
	if rest := findPause - time.Duration(n.now()-last); last != 0 && rest > 0 && !n.pause(ctx, rest) {
		return false
	}
	began := n.now()
	_, err := n.askMembers(ctx)
	if err != nil && ctx.Err() == nil {
		r.mu.Lock()
		r.failed = began
		r.mu.Unlock()
	}
	return err == nil
}

// Leave marks this server's row, since it is about to go: it is to get no new
// requests. Those who wait for changes are told at once, whether or not the database
// can be.
func (n *Node) Leave(ctx context.Context) error {
	r := &n.roster
	r.mu.Lock()
	r.leaving.Store(true)
	n.tell(slices.Clone(r.list))
	r.mu.Unlock()
	var err error
	for range leaveTries {
		limit, cancel := n.ask(ctx)
		_, err = n.cfg.Registry.Drain(limit, n.cfg.Self.ID, true)
		cancel()
		if err == nil || ctx.Err() != nil {
			break
		}
	}
	return err
}

// leaveTries is how often a server that goes tries to write it down.
const leaveTries = 3

// Draining tells whether this server's row is marked.
func (n *Node) Draining() bool {
	if n.roster.leaving.Load() {
		return true
	}
	r := &n.roster
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.list, func(m Member) bool { return m.ID == n.cfg.Self.ID })
	return i >= 0 && r.list[i].Draining && r.list[i].Boot == n.cfg.Self.Boot
}
