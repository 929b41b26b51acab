package position_test

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"testing"

	"github.com/pandobase/pando/internal/position"
)

// protocol is what committers and readers do with the index, and the ways in
// which each step could be forgotten or be put elsewhere. The zero value is what
// pending.go says.
type protocol struct {
	beginLate      bool // Begin after the COMMIT was sent
	settleFirst    bool // pending no more before the position is raised
	askEarly       bool // the position is asked before the COMMIT
	positionFirst  bool // Need looks at the position before it looks whether it is pending
	ignorePending  bool // a replica will do for what is pending
	noSecondNeed   bool // what a replica has shown is answered whatever began meanwhile
	ignorePosition bool // any replica will do
}

const keys = 4

// schedule is a primary, replicas, committers and readers that take turns as a
// seed says. What is between two yields happens at once.
type schedule struct {
	rnd   *rand.Rand
	p     protocol
	index *position.Index

	log     []entry // on disk; the position of a commit is the length with it
	primary [keys]int
	next    [keys]int // values given out
	locked  [keys]bool
	replica [2]struct {
		values [keys]int
		replay position.N
		probed position.N // what readers know of replay
	}

	floor     [keys]int // the highest value that anybody was answered
	byReplica int       // answers from a replica
	again     int       // reads that were thrown away
	back      string    // a violation
}

type entry struct{ key, value int }

// tags of a key. Two keys share a slot.
func tags(key int) []position.Tag {
	return []position.Tag{[keys]position.Tag{7, 7 + 1<<16, 8, 9}[key]}
}

func newSchedule(seed uint64, p protocol) *schedule {
	return &schedule{rnd: rand.New(rand.NewPCG(seed, 0)), p: p, index: position.NewIndex(0)}
}

var errStopped = errors.New("stopped")

func (s *schedule) run(steps int) {
	actors := []func(yield func()){s.write, s.write, s.write, s.read, s.read, s.read}
	for i := range s.replica {
		actors = append(actors, func(yield func()) { s.apply(i, yield) })
	}
	var turns []func() (struct{}, bool)
	for _, act := range actors {
		next, stop := iter.Pull(func(yield func(struct{}) bool) {
			defer func() {
				if p := recover(); p != nil && p != errStopped {
					panic(p)
				}
			}()
			for {
				act(func() {
					if !yield(struct{}{}) {
						panic(errStopped)
					}
				})
			}
		})
		defer stop()
		turns = append(turns, next)
	}
	slow := s.rnd.IntN(2 * len(turns)) // in every other schedule, one of them
	for i := 0; i < steps && s.back == ""; i++ {
		if who := s.rnd.IntN(len(turns)); who != slow || s.rnd.IntN(8) == 0 {
			turns[who]()
		}
	}
}

func (s *schedule) write(yield func()) {
	key := s.rnd.IntN(keys)
	for s.locked[key] {
		yield()
	}
	s.locked[key] = true // as the row is
	s.next[key]++
	value := s.next[key]
	n := position.N(len(s.log))
	if !s.p.beginLate {
		s.index.Begin(tags(key))
		yield()
	}
	if s.rnd.IntN(10) == 0 { // it fails, for certain
		s.next[key]--
		s.locked[key] = false
		if !s.p.beginLate {
			s.index.Abandon(tags(key))
		}
		yield()
		return
	}
	s.log = append(s.log, entry{key, value})
	for range s.rnd.IntN(12) { // until a standby has confirmed it
		yield()
	}
	if s.p.beginLate {
		s.index.Begin(tags(key))
	}
	s.primary[key] = value
	s.locked[key] = false
	for range 1 + s.rnd.IntN(12) { // until the committer hears of it
		yield()
	}
	if !s.p.askEarly {
		n = position.N(len(s.log))
		yield()
	}
	if s.p.settleFirst {
		s.index.Abandon(tags(key))
		yield()
		s.index.Bump(n, tags(key))
	} else {
		s.index.Commit(n, tags(key))
	}
	yield()
	s.floor[key] = max(s.floor[key], value)
	yield()
}

// apply replays what comes next on a replica: it shows before the position says so.
func (s *schedule) apply(i int, yield func()) {
	r := &s.replica[i]
	if int(r.replay) < len(s.log) {
		e := s.log[r.replay]
		r.values[e.key] = e.value
		yield()
		r.replay++
	}
	yield()
	if s.rnd.IntN(3) == 0 {
		r.probed = r.replay
	}
}

func (s *schedule) read(yield func()) {
	key := s.rnd.IntN(keys)
	least := s.floor[key]
	yield()
	need, pending := s.need(key, yield)
	yield()
	i := s.rnd.IntN(len(s.replica))
	r := &s.replica[i]
	value, from := s.primary[key], "the primary"
	if (!pending || s.p.ignorePending) && (r.probed >= need || s.p.ignorePosition) {
		value, from = r.values[key], fmt.Sprintf("replica %d", i)
		yield()
		_, pending = s.index.Need(tags(key))
		if pending && !s.p.noSecondNeed {
			yield()
			value, from = s.primary[key], "the primary, the second time"
			s.again++
		} else {
			s.byReplica++
		}
	}
	yield()
	if value < least {
		s.back = fmt.Sprintf("key %d: %s showed %d, somebody was answered %d before", key, from, value, least)
	}
	s.floor[key] = max(s.floor[key], value)
}

// need is Index.Need with others coming in between.
func (s *schedule) need(key int, yield func()) (n position.N, pending bool) {
	if s.p.positionFirst {
		n, _ = s.index.Need(tags(key))
		yield()
		_, pending = s.index.Need(tags(key))
		return n, pending
	}
	_, pending = s.index.Need(tags(key))
	yield()
	n, _ = s.index.Need(tags(key))
	return n, pending
}

const schedules, stepsEach = 600, 1200

func TestNobodyGoesBackInAnySchedule(t *testing.T) {
	byReplica, again := 0, 0
	for seed := range uint64(schedules) {
		s := newSchedule(seed, protocol{})
		s.run(stepsEach)
		if s.back != "" {
			t.Fatalf("seed %d: %s", seed, s.back)
		}
		byReplica, again = byReplica+s.byReplica, again+s.again
	}
	if byReplica < 10*schedules || again < schedules {
		t.Errorf("%d answers from replicas, %d reads thrown away: too few to mean anything", byReplica, again)
	}
}

// TestEachStepIsNeeded: without any one of them somebody goes back.
func TestEachStepIsNeeded(t *testing.T) {
	for name, p := range map[string]protocol{
		"Begin after COMMIT":            {beginLate: true},
		"settled before raised":         {settleFirst: true},
		"position asked before":         {askEarly: true},
		"position before pending":       {positionFirst: true},
		"pending looked at only after":  {ignorePending: true},
		"pending looked at only before": {noSecondNeed: true},
		"any replica":                   {ignorePosition: true},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(10 * schedules) {
				s := newSchedule(seed, p)
				s.run(stepsEach)
				if s.back != "" {
					t.Logf("seed %d: %s", seed, s.back)
					return
				}
			}
			t.Errorf("nobody went back in %d schedules", 10*schedules)
		})
	}
}
