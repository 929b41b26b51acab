package sqlite

import (
	"context"
	"fmt"
	"sync"

	"github.com/pandobase/pando"
)

// countSteps is how many of its latest changes a table's count remembers: a
// snapshot older than that counts for itself.
const countSteps = 1024

// counts knows how many rows each table has at each recent position, so that a
// list need not count them. The writer notes every change before its commit
// becomes visible, so a snapshot finds the count that is exact for it, whatever
// is committed meanwhile.
type counts struct {
	counting chan struct{} // one token: somebody counts rows

	mu     sync.Mutex
	tables map[string]*tableCount // by collection id
	floor  uint64                 // nothing is known of before this position
}

// tableCount is the row count of a table: base, once somebody has counted, plus
// the sum of the changes up to a position.
type tableCount struct {
	base  int64
	known bool
	from  uint64 // steps before this position are forgotten or were never seen
	start int64  // sum at from
	steps []countStep
}

type countStep struct {
	csn uint64
	sum int64 // of all changes up to and with csn
}

// at is the sum of changes at a position; false if that is too long ago.
func (t *tableCount) at(csn uint64) (int64, bool) {
	if csn < t.from {
		return 0, false
	}
	for i := len(t.steps) - 1; i >= 0; i-- {
		if t.steps[i].csn <= csn {
			return t.steps[i].sum, true
		}
	}
	return t.start, true
}

func (t *tableCount) sum() int64 {
	if n := len(t.steps); n > 0 {
		return t.steps[n-1].sum
	}
	return t.start
}

func (k *counts) table(id string) *tableCount {
	t := k.tables[id]
	if t == nil {
		if k.tables == nil {
			k.tables = make(map[string]*tableCount)
		}
		t = &tableCount{from: k.floor}
		k.tables[id] = t
	}
	return t
}

// change notes, before it is committed, that commit csn adds delta rows.
func (k *counts) change(csn uint64, deltas map[string]int64) {
	if len(deltas) == 0 {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for id, d := range deltas {
		t := k.table(id)
		if len(t.steps) >= countSteps {
			half := len(t.steps) / 2
			t.from, t.start = t.steps[half-1].csn, t.steps[half-1].sum
			t.steps = append(t.steps[:0], t.steps[half:]...)
		}
		t.steps = append(t.steps, countStep{csn, t.sum() + d})
	}
}

// retract takes back the changes of a commit that failed.
func (k *counts) retract(csn uint64, deltas map[string]int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for id := range deltas {
		t := k.table(id)
		if n := len(t.steps); n > 0 && t.steps[n-1].csn == csn {
			t.steps = t.steps[:n-1]
		}
	}
}

// restart notes, before it is committed, that commit csn makes or drops a table
// as a whole. Snapshots from before count for themselves.
func (k *counts) restart(csn uint64, id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.tables == nil {
		k.tables = make(map[string]*tableCount)
	}
	k.tables[id] = &tableCount{from: csn}
}

// forget drops everything known: another program wrote, up to position csn.
func (k *counts) forget(csn uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tables, k.floor = nil, csn
}

// get is the number of rows at a position, if it is known.
func (k *counts) get(id string, csn uint64) (int64, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	t := k.table(id)
	if !t.known {
		return 0, false
	}
	sum, ok := t.at(csn)
	return t.base + sum, ok
}

// learn is told how many rows somebody counted at a position.
func (k *counts) learn(id string, csn uint64, n int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	t := k.table(id)
	if sum, ok := t.at(csn); ok && csn >= k.floor {
		t.base, t.known = n-sum, true
	}
}

// count is the number of records in a table, exact for the snapshot.
func (r *reader) count(ctx context.Context, c *pando.Collection) (int, error) {
	if r.inTx {
		return r.countRows(c) // a transaction sees its own rows
	}
	k, csn := &r.s.counts, uint64(r.Stamp())
	if n, ok := k.get(c.ID, csn); ok {
		return int(n), nil
	}
	// A large table takes long to count: one reader does it, the others wait
	// for what it learns.
	select {
	case k.counting <- struct{}{}:
		defer func() { <-k.counting }()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	if n, ok := k.get(c.ID, csn); ok {
		return int(n), nil
	}
	n, err := r.countRows(c)
	if err == nil {
		k.learn(c.ID, csn, int64(n))
	}
	return n, err
}

func (r *reader) countRows(c *pando.Collection) (int, error) {
	n, ok, err := r.c.queryInt("SELECT count(*) FROM " + quote(c.Name))
	if err == nil && !ok {
		err = fmt.Errorf("count: no row")
	}
	return int(n), err
}
