package cluster

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
)

// commit makes a commit, which views show after a while.
func (w *world) commit(tag position.Tag, shownAfter time.Duration) position.N {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.xid++
	w.flush += 10
	e := changes.Entry{N: w.flush, XID: w.xid, Tags: []position.Tag{tag}}
	w.log = append(w.log, e)
	w.flush += 3
	epoch := w.epoch
	show := func() {
		if epoch == w.epoch {
			delete(w.running, e.XID)
			w.shown[e.N] = time.Since(w.born).Nanoseconds()
		}
	}
	if shownAfter == 0 {
		show()
	} else {
		w.running[e.XID] = true
		time.AfterFunc(shownAfter, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			show()
		})
	}
	w.grow()
	return e.N
}

// noise is what the database writes to its log besides commits.
func (w *world) noise() position.N {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flush += 5
	return w.flush
}

// leaveSegment has the log go on in its next segment, of which the stream tells before
// what is left of the old one is on disk. written says that it is.
func (w *world) leaveSegment() (written func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	next := (w.flush/segmentUnit + 1) * segmentUnit
	w.unwritten = next - w.flush
	w.flush = next
	w.grow()
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.unwritten = 0
	}
}

// flushed is how far the log was, when.
type flushed struct {
	n  position.N
	at time.Time
}

// flushedBefore is how far the log was some time ago.
func (w *world) flushedBefore(lag time.Duration) (n position.N) {
	for _, f := range w.flushes {
		if time.Since(f.at) >= lag {
			n = f.n
		}
	}
	return n
}

func (w *world) grow() {
	if len(w.flushes) > 2000 {
		w.flushes = append(w.flushes[:0:0], w.flushes[1000:]...)
	}
	w.flushes = append(w.flushes, flushed{w.flush, time.Now()})
	close(w.grown)
	w.grown = make(chan struct{})
}

// failover promotes a replica that has lost the last commits, or none.
func (w *world) failover(lost int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	lost = min(lost, len(w.log))
	w.leaveEpoch()
	w.epoch.Timeline++
	w.xid -= uint64(lost) // they are given out again
	w.flush -= position.N(5 * lost)
	w.log = nil
	w.running = map[uint64]bool{}
	w.grow()
}

// crash has the primary go down and come back at once, without its standby: it shows
// what waited for that one, and may yet be lost.
func (w *world) crash() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waits.Store(true)
	w.running = map[uint64]bool{}
	w.opens++
	w.instance++
	w.grow()
}

// confirm has the standby come back, with all that it had not.
func (w *world) confirm() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.log {
		if _, ok := w.shown[e.N]; !ok {
			w.shown[e.N] = time.Since(w.born).Nanoseconds()
		}
	}
	w.waits.Store(false)
}

// restore puts an older copy in place.
func (w *world) restore(flush position.N) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.leaveEpoch()
	w.restored = true
	w.flush, w.log, w.running = flush, nil, map[uint64]bool{}
	w.tailer.Term -= min(w.tailer.Term, 1)
	w.opens++ // every connection ends
	w.instance++
	w.copied = w.instance
	w.grow()
}

func (w *world) reincarnate(_ context.Context, e position.Epoch, _, _ position.N) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e == w.epoch {
		w.epoch.Incarnation++
		w.restored = false
	}
	return nil
}

func (w *world) leaveEpoch() {
	for _, e := range w.log {
		if _, ok := w.shown[e.N]; !ok {
			w.hidden[w.epoch] = e.N
			break
		}
	}
	w.flushes = nil
	w.past[w.epoch] = w.log
	w.shown = map[position.N]int64{}
}

func (w *world) setDown(yes bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = yes
	if yes {
		w.opens++
	}
	w.grow()
}

// dropSlots ends every reader of the log.
func (w *world) dropSlots() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.opens++
	w.grow()
}

var errDown = errors.New("there is no primary")

// database is a server's way to the log.
type database struct {
	w *world
	l *life
}

func (d *database) Open(ctx context.Context) (LogReader, error) {
	if err := d.l.pass(ctx); err != nil {
		return nil, err
	}
	w := d.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down {
		return nil, errDown
	}
	return &reader{w: w, l: d.l, epoch: w.epoch, start: w.flush, to: w.flush, opens: w.opens, instance: w.instance, asked: make(chan struct{}, 1)}, nil
}

type reader struct {
	w         *world
	l         *life
	epoch     position.Epoch
	start, to position.N
	opens     int
	instance  uint64
	asked     chan struct{}
}

func (r *reader) Epoch() position.Epoch { return r.epoch }
func (r *reader) Start() position.N     { return r.start }
func (r *reader) Instance() uint64      { return r.instance }
func (r *reader) Ask() {
	select {
	case r.asked <- struct{}{}:
	default:
	}
}
func (r *reader) Close() error { return nil }

func (r *reader) Confirm(position.N) {}

func (r *reader) Next(ctx context.Context) (Chunk, error) {
	idle := time.NewTimer(20 * time.Millisecond)
	defer idle.Stop()
	over := false
	for {
		if err := r.l.pass(ctx); err != nil {
			return Chunk{}, err
		}
		r.w.mu.Lock()
		grown := r.w.grown
		if r.w.down || r.w.epoch != r.epoch || r.w.opens != r.opens {
			promoted := r.w.epoch.Timeline != r.epoch.Timeline
			r.w.mu.Unlock()
			if promoted { // it takes a while to be noticed
				time.Sleep(30 * time.Millisecond)
			}
			return Chunk{}, errDown
		}
		at := len(r.w.log)
		for at > 0 && r.w.log[at-1].N > r.to {
			at--
		}
		entries, flush := slices.Clone(r.w.log[at:]), r.w.flush
		lag := time.Duration(r.l.lag.Load())
		if lag > 0 {
			flush = max(r.to, r.w.flushedBefore(lag))
			for len(entries) > 0 && entries[len(entries)-1].N > flush {
				entries = entries[:len(entries)-1]
			}
		}
		r.w.mu.Unlock()
		if len(entries) > 0 || over {
			r.to = flush
			return Chunk{Entries: entries, To: flush}, nil
		}
		select {
		case <-grown:
		case <-idle.C:
			over = true
		case <-r.asked:
			over = true
		case <-ctx.Done():
			return Chunk{}, ctx.Err()
		}
	}
}

// registry is a server's way to the cluster's rows.
type registry struct {
	w *world
	l *life
}

// do asks the primary.
func (r *registry) do(ctx context.Context, f func(w *world)) error {
	if err := r.l.pass(ctx); err != nil {
		return err
	}
	select {
	case <-time.After(200 * time.Microsecond):
	case <-ctx.Done():
		return ctx.Err()
	}
	r.w.mu.Lock()
	if r.w.down {
		r.w.mu.Unlock()
		return errDown
	}
	f(r.w)
	r.w.mu.Unlock()
	return nil
}

// standby waits for one as a commit does.
func (r *registry) standby(ctx context.Context) error {
	if r.w.waits.Load() {
		<-ctx.Done()
	}
	return ctx.Err()
}

func (r *registry) Join(ctx context.Context, m Member) error {
	return r.do(ctx, func(w *world) { w.rows[m.ID] = m })
}

func (r *registry) Beat(ctx context.Context, m Member) (ok bool, err error) {
	err = r.do(ctx, func(w *world) {
		if row := w.rows[m.ID]; row.Boot == m.Boot {
			row.Beat++
			w.rows[m.ID], ok = row, true
		}
	})
	return ok, err
}

func (r *registry) Drain(ctx context.Context, id string, yes bool) (ok bool, err error) {
	err = r.do(ctx, func(w *world) {
		if row, there := w.rows[id]; there {
			row.Draining = yes
			w.rows[id], ok = row, true
		}
	})
	return ok, err
}

func (r *registry) Leave(ctx context.Context, m Member) error {
	return r.do(ctx, func(w *world) {
		if row := w.rows[m.ID]; row.Boot == m.Boot && (m.Beat == 0 || m.Beat == row.Beat) {
			delete(w.rows, m.ID)
		}
	})
}

func (r *registry) Members(ctx context.Context) (list []Member, err error) {
	err = r.do(ctx, func(w *world) { list = slices.Collect(maps.Values(w.rows)); w.asked++ })
	return list, err
}

func (r *registry) Tailer(ctx context.Context) (t Tailer, err error) {
	err = r.do(ctx, func(w *world) { t = w.tailer })
	return t, err
}

func (r *registry) TakeTailer(ctx context.Context, from Tailer, holder string) (now Tailer, ok bool, err error) {
	if err := r.standby(ctx); err != nil {
		return now, false, err
	}
	err = r.do(ctx, func(w *world) {
		if w.tailer.Term == from.Term && w.tailer.Beat == from.Beat {
			w.tailer = Tailer{Term: from.Term + 1, Beat: from.Beat + 1, Holder: holder}
			w.took = append(w.took, holder)
			ok = true
		}
		now = w.tailer
	})
	return now, ok, err
}

func (r *registry) RenewTailer(ctx context.Context, t Tailer) (ok bool, err error) {
	if err := r.standby(ctx); err != nil {
		return false, err
	}
	err = r.do(ctx, func(w *world) {
		if ok = w.tailer.Term == t.Term && w.tailer.Holder == t.Holder; ok {
			w.tailer.Beat++
		}
	})
	if slow := r.l.slow.Load(); slow > 0 && err == nil {
		select {
		case <-time.After(time.Duration(slow)):
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
	return ok, err
}

func (r *registry) Probe(ctx context.Context) (p Probe, err error) {
	err = r.do(ctx, func(w *world) { p = Probe{Epoch: w.epoch, Flush: w.flush - w.unwritten} })
	return p, err
}

func (r *registry) Visible(ctx context.Context) (v Visible, err error) {
	err = r.do(ctx, func(w *world) {
		v = Visible{Epoch: w.epoch, Max: w.xid + 1, Min: w.xid + 1, Running: slices.Sorted(maps.Keys(w.running))}
		if len(v.Running) > 0 {
			v.Min = v.Running[0]
		}
	})
	return v, err
}
