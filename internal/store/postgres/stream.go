package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/mutant"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/registry"
)

// Where a stream tells of all commits, of other servers and of other programs too
// (internal/cluster), a store goes by that alone (docs/adr/0008):
//
//   - A commit is answered when S has reached it, so that every server judges by it.
//   - A read notes how far the index knows the log when it begins: whatever was
//     answered to anybody before lies within that. What it reads must hold the last
//     change of its tags up to there. A replica says how far it is in a statement
//     before the question and again in one behind it, the primary shows everything up
//     to S.
//   - What was read is answered when S has reached the last change that it can have
//     seen. So whatever is put into a cache has been answered by then.
//
// Everything that is compared is of one index. If another one has taken its place
// by the end, the read begins anew.

// present is the index of now.
func (s *Store) present() *position.Index {
	if s.clock != nil {
		return s.clock.Index()
	}
	return s.index
}

// streamed waits until everybody knows of a commit, and is its position. Nobody
// waits longer than commits.wait: by then every server has heard of it, or knows that
// it has not heard. flushed is how far the log was on disk behind the commit.
func (k *commits) streamed(f *flight, timeline uint32, flushed position.N, published func()) position.N {
	ctx, cancel := context.WithTimeout(context.Background(), k.wait)
	defer cancel()
	if k.onHeld != nil {
		defer func(since time.Time) { k.onHeld(time.Since(since)) }(time.Now())
	}
	n := flushed
	if mutant.WriteUnheld {
		published()
		return n
	}
	for ctx.Err() == nil {
		x := k.clock.Index()
		if !x.Streamed() || x.Epoch().Timeline != timeline {
			if !k.clock.Await(ctx, x) {
				break
			}
			continue
		}
		at, err := x.AwaitCommit(ctx, f.xid, flushed)
		if !errors.Is(err, position.ErrRetired) {
			n = at // as far as the stream has told, also if the time is up
			break
		}
	}
	if !f.unsure && ctx.Err() != nil {
		// The answer may tell of what was read, too.
		k.clock.ShowOf(k.clock.Index(), position.Token{Timeline: timeline, N: n}, slices.Concat(f.tags, f.read.tags), f.all || f.read.all)
	}
	published()
	return n
}

// own keeps the changes that were committed here until the stream brings them: it
// knows less of them than who made them.
type own struct {
	mu    sync.Mutex
	run   position.Run // of the stream
	by    map[ownKey][]changes.Change
	order []ownKey
}

// ownKey names a transaction. Its number alone does not: what a failover or a crash of
// the primary has taken back, another transaction gets the number of.
type ownKey struct {
	run position.Run
	xid uint64 // 0: not known
}

// ownMost is how many transactions are remembered; the stream is not that late.
const ownMost = 4096

func (o *own) put(k ownKey, list []changes.Change) {
	if k.xid == 0 || len(list) == 0 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.by == nil {
		o.by = make(map[ownKey][]changes.Change)
	}
	if _, ok := o.by[k]; !ok {
		o.order = append(o.order, k)
	}
	o.by[k] = list
	for len(o.order) > ownMost {
		delete(o.by, o.order[0])
		o.order = o.order[1:]
	}
}

// take gives the changes of a transaction that the stream has brought. A stream of
// another run brings none of those before any more.
func (o *own) take(k ownKey) []changes.Change {
	o.mu.Lock()
	defer o.mu.Unlock()
	if k.run != o.run {
		o.run = k.run
		other := func(k ownKey) bool { return k.run != o.run }
		maps.DeleteFunc(o.by, func(k ownKey, _ []changes.Change) bool { return other(k) })
		o.order = slices.DeleteFunc(o.order, other)
	}
	list := o.by[k]
	delete(o.by, k)
	return list
}

// drop forgets a transaction that was not committed.
func (o *own) drop(k ownKey) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.by, k)
}

// keepOwn keeps what the transaction changes, if its number is known by now.
func (t *tx) keepOwn(f *flight) {
	if t.s.clock == nil || t.xid == "" || f.own.xid != 0 {
		return
	}
	on := t.node.member.Report()
	f.own = ownKey{position.Run{Timeline: on.Timeline, Instance: on.Instance}, t.number()}
	t.s.commits.own.put(f.own, t.changes)
}

// number is the transaction's, 0 if it is not known.
func (t *tx) number() uint64 {
	n, _ := strconv.ParseUint(t.xid, 10, 64)
	return n
}

// awaitSeen waits until what a transaction that is not kept was told may be
// answered: a refusal tells of others' commits too.
func (s *Store) awaitSeen(ctx context.Context, seen position.N) {
	if s.clock == nil || seen == 0 || s.clock.Age() > 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, s.opts.CommitWait)
	defer cancel()
	for ctx.Err() == nil {
		x := s.clock.Index()
		if !x.Streamed() {
			s.clock.Await(ctx, x)
		} else if err := x.AwaitSafe(ctx, seen); !errors.Is(err, position.ErrRetired) {
			return
		}
	}
}

// mark asks a node how far it is: a replica before the question how far it has
// replayed, any node behind it what it cannot have gone beyond. Redo makes a
// commit visible before it says so, hence what was received; without a receiver
// nobody knows.
type mark struct {
	replica  bool
	timeline uint32
	n        position.N
	received position.N // by a replica, where that was asked; 0: nobody knows
	known    bool
}

const (
	stampSQL = `SELECT pg_is_in_recovery(), pg_last_wal_replay_lsn() - '0/0',
		(SELECT received_tli FROM pg_stat_get_wal_receiver())::text`
	boundSQL = `SELECT pg_is_in_recovery(), CASE WHEN pg_is_in_recovery()
			THEN CASE WHEN pg_last_wal_receive_lsn() IS NOT NULL THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) - '0/0' END
			ELSE pg_current_wal_flush_lsn() - '0/0' END,
		CASE WHEN pg_is_in_recovery() THEN (SELECT received_tli FROM pg_stat_get_wal_receiver())::text
			ELSE substr(pg_walfile_name(pg_current_wal_flush_lsn()), 1, 8) END`
	// Where nothing comes any more, what was received may end within a record, which is
	// never replayed.
	reachedSQL = `SELECT pg_is_in_recovery(),
		CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END - '0/0',
		CASE WHEN pg_is_in_recovery() THEN (SELECT received_tli FROM pg_stat_get_wal_receiver())::text
			ELSE substr(pg_walfile_name(pg_current_wal_flush_lsn()), 1, 8) END,
		CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() - '0/0' END`
)

// query asks; where alone, in a transaction of its own, lest the question's
// snapshot be older.
func (m *mark) query(sql string, alone bool) *query {
	return &query{text: true, sql: sql, commits: alone, row: func(_ *query, v [][]byte) error {
		*m = mark{replica: string(v[0]) == "t"}
		if v[1] == nil {
			return nil
		}
		n, err := strconv.ParseUint(string(v[1]), 10, 64)
		if err != nil {
			return err
		}
		m.n = position.N(n)
		if len(v) > 3 && v[3] != nil {
			received, err := strconv.ParseUint(string(v[3]), 10, 64)
			if err != nil {
				return err
			}
			m.received = position.N(received)
		}
		if v[2] == nil {
			return nil // there is no receiver, or we may not know
		}
		base := 10
		if !m.replica {
			base = 16
		}
		tl, err := strconv.ParseUint(string(v[2]), base, 32)
		if err != nil {
			return err
		}
		m.timeline, m.known = uint32(tl), true
		return nil
	}}
}

// streamRead is what a snapshot keeps where there is a stream.
type streamRead struct {
	x     *position.Index
	front position.N // F when the read began, before any try: what was answered by then
	least position.N // what the client has seen, where that is beyond what everybody shows
	later uint32     // the timeline that it has seen that on, if that is later than the index's
	again bool       // a try of it has failed
	began time.Time  // the read, before any try

	degraded bool       // there is no lease, and no primary: the answer is marked, and not kept
	sure     position.N // then, how far a node shows whatever was answered before it began
	blind    position.N // as far as nobody knows what that was of
	ahead    uint32     // of this timeline the primary may not show all that a replica has; 0: of none

	exact bool             // S stands still: what the primary shows is asked for with what it sees
	sees  registry.Visible // which transactions the snapshot holds, where that was asked
	tags  []position.Tag
	upper position.N // nothing that was read lies beyond

	timeline uint32 // that of upper
}

// seen notes how far the client of a read has come that keeps positions, if that is
// beyond what any node shows that will do for others.
func (r *streamRead) seen(ctx context.Context) {
	t, ok := position.SessionOf(ctx).Require()
	if !ok {
		return
	}
	r.beyond(t)
}

// beyond notes that the read must show what was shown before, by this server or to this
// client, as far as what everybody asks for does not.
func (r *streamRead) beyond(t position.Token) {
	known := r.front
	if r.degraded {
		known = min(known, r.sure)
	}
	if t.Timeline > r.x.Epoch().Timeline {
		r.later = max(r.later, t.Timeline)
	} else if t.N <= known {
		return
	}
	r.least = max(r.least, t.N)
}

// fronts is F of the tries of a read.
type fronts struct {
	n      position.N
	marked bool // the last try had no lease
}

// of is F of the next: as it was when the read began. Without a lease this server may answer
// meanwhile what is beyond that, and the read will be marked like those answers, whether or
// not there is a lease when it ends: then F is what is known by now.
func (f *fronts) of(x *position.Index, degraded bool) position.N {
	if f.n == 0 || degraded || f.marked {
		f.n = x.Frontier()
	}
	f.marked = degraded
	return f.n
}

// withoutLease is how far a node must be then, where so much was shown before: S, for whatever
// lies beyond and was not answered may be lost with the primary.
func (r *streamRead) withoutLease(shown position.Shown) {
	r.degraded, r.blind, r.ahead = true, shown.Blind, shown.Ahead
	r.sure = max(min(r.front, r.x.Safe()), shown.N)
	if shown.Timeline > r.x.Epoch().Timeline {
		r.least, r.later = shown.N, shown.Timeline
	}
}

// stampedNeed is how far a node must be to answer a question about tags.
func (r *snapshot) stampedNeed(tags []position.Tag) position.N {
	if r.stream.exact {
		return 0 // it shows everything up to S, and whatever else it does is looked at
	}
	if r.stream.degraded {
		need := r.stream.sure
		if r.stream.blind <= r.stream.x.Frontier() {
			need = min(need, r.stream.x.Covers(tags))
		}
		return max(need, r.need, r.stream.least)
	}
	return max(min(r.stream.x.Covers(tags), r.stream.front), r.need, r.stream.least)
}

// unleased tells whether the primary is asked without a lease, which only mutants do.
func (r *snapshot) unleased() bool { return mutant.Unleased && !r.stream.x.Leased() }

// settled waits until S is where the primary can be asked for need.
func (r *snapshot) settled(ctx context.Context, need position.N) error {
	if r.stream.x.Safe() < need && !r.stream.exact && !mutant.PrimaryByFlush && !r.unleased() {
		if err := r.stuck(ctx, need, func(wait context.Context) error { return r.stream.x.AwaitSafe(wait, need) }); err != nil {
			return r.unsettled(ctx, err)
		}
	}
	if least := r.stream.least; r.stream.exact && least > r.stream.x.Safe() {
		// The client has seen what the primary may not show yet.
		wait, cancel := context.WithTimeout(ctx, r.s.opts.WriteWait)
		defer cancel()
		if err := r.stream.x.AwaitSafe(wait, least); err != nil {
			return r.unsettled(ctx, err)
		}
	}
	r.floor = r.stream.x.Safe()
	return nil
}

// stuck waits for S to reach n by await, but not for long if it stands still: then the
// primary is asked what it shows, and which transactions that holds.
func (r *snapshot) stuck(ctx context.Context, n position.N, await func(context.Context) error) error {
	if n > r.stream.x.Safe() && r.stream.x.Stuck() {
		return errSettles
	}
	wait, cancel := context.WithTimeout(ctx, settleWait)
	defer cancel()
	err := await(wait)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return errSettles
	}
	return err
}

// settleWait is how long S is waited for, before it is thought to stand still.
const settleWait = 150 * time.Millisecond

// errSettles says that S stands still below what was read, or is to be.
var errSettles = errors.New("postgres: a commit is in the log that the primary does not show yet")

// awaitAnother waits until x is not the present index any more.
func (s *Store) awaitAnother(ctx context.Context, x *position.Index) error {
	wait, cancel := context.WithTimeout(ctx, s.opts.WriteWait)
	defer cancel()
	if s.clock.Await(wait, x) {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return unheard(nil)
}

// unheard is the error of who does not hear of the others in time.
func unheard(err error) error {
	return &pando.Error{
		Kind: pando.KindUnavailable, Err: err,
		Message: "The servers do not hear of each other's changes at the moment. Please try again in a moment.",
	}
}

// unsettled is what becomes of a read that has waited in vain.
func (r *snapshot) unsettled(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, position.ErrRetired), errors.Is(err, errSettles):
		r.again = err
		return errAgain
	}
	return unheard(err)
}

// judgeMarks tells whether what was read between two marks may be used.
func (r *snapshot) judgeMarks(need position.N, before, after mark) error {
	if r.unleased() {
		return nil
	}
	epoch := r.stream.x.Epoch()
	switch {
	case after.replica != r.replica:
		return r.elsewhere(errNotWhatItWas)
	case r.stream.degraded: // there is nobody to receive from
		timeline := after.timeline
		if r.replica && !after.known { // nothing comes any more
			timeline = r.node.member.Report().Timeline
		}
		if timeline < r.stream.later {
			return r.elsewhere(errNotWhatItWas)
		}
		if r.replica && !r.stamped && before.n < need {
			return r.elsewhere(errNotWhatItWas)
		}
		// The primary that the index is of may have been replaced, and one that was
		// promoted since shows all that the replica did which it was.
		if !r.replica && (!after.known || after.timeline <= epoch.Timeline || after.timeline == r.stream.ahead || after.n < need) {
			return r.elsewhere(errNotWhatItWas)
		}
		if !r.stamped {
			r.floor, r.stamped = before.n, true
		}
		if r.replica {
			r.node.member.Learn(after.n)
		}
		// A replica may follow a new primary already.
		r.stream.upper, r.stream.timeline = max(r.stream.upper, after.n), max(r.stream.timeline, epoch.Timeline, timeline)
		return nil
	case !after.known || after.timeline != epoch.Timeline:
		return r.elsewhere(errNotWhatItWas)
	case r.replica && (!before.known || !before.replica || before.timeline != epoch.Timeline || after.n < before.n):
		return r.elsewhere(errNotWhatItWas)
	}
	if r.replica {
		r.node.member.Learn(before.n)
		if !r.stamped && r.reached < need {
			r.node.member.Guessed(before.n >= need)
		}
		if !r.stamped {
			r.floor, r.reached, r.stamped = before.n, before.n, true
		}
	}
	if mutant.PrimaryByFlush && !r.replica {
		r.floor = after.n
	}
	r.stream.upper = max(r.stream.upper, after.n)
	if mutant.NoUpperStamp {
		r.stream.upper = r.floor
	}
	if r.floor < need || r.floor < r.stream.x.Base() {
		return r.elsewhere(errors.New("postgres: the node has not come as far"))
	}
	return nil
}

var errNotWhatItWas = errors.New("postgres: the node is not what it was")

// releaseRead waits until what was read may be answered. The connection has been
// given back.
func (r *snapshot) releaseRead(ctx context.Context) error {
	x := r.stream.x
	if x != nil && r.stream.degraded {
		show := r.s.clock.Show
		if r.replica {
			show = r.s.clock.ShowAhead
		}
		show(x, position.Token{Timeline: r.stream.timeline, N: r.stream.upper})
		if r.stream.upper > 0 {
			r.s.given(ctx, r.stream.timeline, r.stream.upper)
		}
		return nil
	}
	if x == nil || mutant.ReadUnheld {
		return nil
	}
	if r.unleased() { // no one has a lease any more that has not heard of what was read
		mutant.Outlast(mutant.Zombie)
		return nil
	}
	if r.stream.upper > 0 {
		n, err := r.awaitRelease(ctx, x)
		if err != nil {
			return r.unsettled(ctx, err)
		}
		if r.again = r.torn(x); r.again != nil {
			return errAgain
		}
		if t, ok := position.SessionOf(ctx).Require(); ok && t.Timeline == x.Epoch().Timeline && t.N <= r.stream.upper {
			n = max(n, t.N) // what the client has asked for was there
		}
		r.s.given(ctx, x.Epoch().Timeline, n)
	}
	if r.s.clock.Index() != x {
		r.again = position.ErrRetired
		return errAgain
	}
	return nil
}

func (r *snapshot) awaitRelease(ctx context.Context, x *position.Index) (n position.N, err error) {
	if !r.stream.exact {
		err = r.stuck(ctx, x.Release(r.stream.upper, r.stream.tags), func(wait context.Context) error {
			n, err = x.AwaitRelease(wait, r.stream.upper, r.stream.tags)
			return err
		})
		return n, err
	}
	wait, cancel := context.WithTimeout(ctx, r.s.opts.WriteWait)
	defer cancel()
	if err := x.AwaitFrontier(wait, r.stream.upper); err != nil {
		return 0, err
	}
	n, ok := x.Shown(r.stream.sees.Sees, r.stream.upper, r.stream.tags)
	if !ok {
		return x.AwaitRelease(wait, r.stream.upper, r.stream.tags)
	}
	return max(n, min(x.Safe(), x.Covers(r.stream.tags))), x.AwaitSafe(wait, n)
}

// errTorn says that what was read holds a commit, and lacks one before it.
var errTorn = errors.New("postgres: the primary showed two commits in another order than its log")

// tearable tells whether an answer about several records may contradict one that a
// replica gives.
func (r *snapshot) tearable() bool {
	return r.stream.x != nil && !r.replica && !r.stream.degraded && !r.s.nodes.sole()
}

// errUntold says that so much was committed while it was read that nobody knows whether
// it is torn. A question that takes so long is not asked as often as one that is.
var errUntold = errors.New("postgres: more was committed meanwhile than is remembered")

// torn tells whether it may do so: everything up to its upper bound is known by now.
func (r *snapshot) torn(x *position.Index) error {
	if r.stream.sees.Max == 0 || mutant.PrefixUnchecked {
		return nil
	}
	torn, known := x.Torn(r.stream.sees.Sees, r.floor, r.stream.upper, r.stream.tags)
	switch {
	case !known:
		return errUntold
	case torn:
		return errTorn
	}
	return nil
}

// Bring makes sure that the catalog is at least of a version that a commit of the
// stream has made; 0 stands for whatever the primary shows. It is called before the
// index learns of that commit, so that who judges by it knows the rules that it made.
//
// It fails if the database has gone on without that commit: who has told of it is not
// to be followed then.
func (s *Store) Bring(ctx context.Context, version uint64) error {
	if version > 0 && s.Catalog().Version >= version {
		return nil
	}
	for try := 1; ; try++ {
		if err := s.refresh(ctx); err != nil {
			return err
		}
		// Its commit may be in the log and not be shown yet.
		now := s.now.Load()
		if now.cat.Version >= version {
			return nil
		}
		if s.clock != nil && now.epoch.After(s.clock.Index().Epoch()) {
			return fmt.Errorf("postgres: the catalog of version %d is not in the database any more", version)
		}
		if err := pause(ctx, min(try, 4)); err != nil {
			return err
		}
	}
}
