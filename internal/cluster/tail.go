package cluster

import (
	"context"
	"sync"

	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
)

// tail reads a log, and keeps its last entries: for members that were away for a
// moment, and for the day on which whoever is only ready to be the tailer becomes it.
type tail struct {
	epoch    position.Epoch
	instance uint64     // of the primary's run
	start    position.N // all commits beyond have been or will be read
	reader   LogReader
	now      func() int64
	keep     int64 // nanoseconds
	most     int   // of size, but for what is not safe
	cancel   context.CancelFunc
	ended    chan struct{}

	mu      sync.Mutex
	kept    []keptEntry
	size    int        // of kept, about
	from    position.N // kept is everything beyond
	to      position.N // up to here
	err     error      // the log is lost
	changed chan struct{}
}

type keptEntry struct {
	changes.Entry
	at   int64
	size int
}

// keptBytes is how much of a log is kept at most, but for what is not safe yet.
const keptBytes = 64 << 20

// openTail opens the log and begins to read. ctx is for the opening.
func openTail(ctx context.Context, c *Config) (*tail, error) {
	reader, err := c.Database.Open(ctx)
	if err != nil {
		return nil, err
	}
	reading, cancel := context.WithCancel(context.WithoutCancel(ctx))
	t := &tail{
		epoch: reader.Epoch(), instance: reader.Instance(), start: reader.Start(), reader: reader,
		now: c.BootTime, keep: int64(c.Keep), most: c.KeepBytes, cancel: cancel, ended: make(chan struct{}),
		from: reader.Start(), to: reader.Start(), changed: make(chan struct{}, 1),
	}
	go t.read(reading)
	return t, nil
}

func (t *tail) read(ctx context.Context) {
	defer close(t.ended)
	for {
		c, err := t.reader.Next(ctx)
		t.mu.Lock()
		if err != nil {
			t.err = err
		} else {
			t.add(c)
		}
		t.mu.Unlock()
		select {
		case t.changed <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

func (t *tail) add(c Chunk) {
	at := t.now()
	for _, e := range c.Entries {
		if e.N <= t.to {
			continue // a database that was restarted repeats
		}
		k := keptEntry{Entry: e, at: at, size: entrySpace(&e)}
		t.kept = append(t.kept, k)
		t.size += k.size
	}
	t.to = max(t.to, c.To)
}

// after is what was read beyond n. If that is no longer known, ok is false.
func (t *tail) after(n position.N) (entries []changes.Entry, to position.N, ok bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n < t.from {
		return nil, t.to, false, t.err
	}
	i := len(t.kept)
	for i > 0 && t.kept[i-1].N > n {
		i--
	}
	for _, k := range t.kept[i:] {
		entries = append(entries, k.Entry)
	}
	return entries, t.to, true, t.err
}

// covers tells whether everything beyond n is known.
func (t *tail) covers(n position.N) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return n >= t.from
}

// run is that of the primary whose log it is.
func (t *tail) run() position.Run {
	return position.Run{Timeline: t.epoch.Timeline, Instance: t.instance}
}

// made tells whether an index was made by the log of this run of the primary.
func (t *tail) made(x *position.Index) bool {
	return x.Epoch() == t.epoch && x.Instance() == t.instance
}

// space is about how many bytes the entries beyond n take.
func (t *tail) space(n position.N) (size int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := len(t.kept); i > 0 && t.kept[i-1].N > n; i-- {
		size += t.kept[i-1].size
	}
	return size
}

// full tells whether more is kept than may be, safe or not.
func (t *tail) full() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.size > 4*t.most
}

// forget lets go of what nobody will ask for: what is safe, and old or too much. What
// is not safe is needed by whoever becomes the tailer, to see whether it is visible.
func (t *tail) forget(safe position.N) {
	t.mu.Lock()
	old := t.now() - t.keep
	n := 0
	for n < len(t.kept) && t.kept[n].N <= safe && (t.kept[n].at < old || t.size > t.most) {
		t.size -= t.kept[n].size
		t.from = t.kept[n].N
		t.kept[n] = keptEntry{}
		n++
	}
	t.kept = t.kept[n:]
	t.mu.Unlock()
	if safe > 0 {
		t.reader.Confirm(safe)
	}
}

// lost is why the log is read no more.
func (t *tail) lost() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

func (t *tail) close() {
	t.cancel()
	_ = t.reader.Close()
	<-t.ended
}
