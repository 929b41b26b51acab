package model

// fact is an answer that was true, and from where to where it is known to be.
type fact struct {
	query query
	epoch epoch
	stamp int // s: it holds every commit up to here
	val   [records]*commit
	line  *line // for the checker alone
}

// tier is the cache that all servers share: it can lose what it has, and bring back
// what it had.
type tier struct {
	now, old map[int]*fact
	under    int // the incarnation in its keys
}

// named is where a fact lies, and key is what it is compared by.
func (w *world) key(q query) query {
	if w.is(MissingAuthField) {
		q.viewer = 0
	}
	return q
}

func (w *world) named(e epoch, q query) int {
	q = w.key(q)
	return e.incarnation*100 + q.what%2*10 + q.viewer
}

// get looks a fact up.
func (w *world) get(e epoch, q query) *fact {
	f := w.tier.now[w.named(e, q)]
	if f == nil || w.key(f.query) != w.key(q) && !w.is(KeyCollide) {
		return nil
	}
	return f
}

func (w *world) put(f *fact) {
	if w.tier.now == nil {
		w.tier.now = map[int]*fact{}
	}
	w.tier.now[w.named(f.epoch, f.query)] = f
}

// holds tells whether a fact does, by what x knows.
func (w *world) holds(x *index, f *fact) bool {
	if f.epoch != x.epoch && !w.is(EpochIgnored) {
		return false
	}
	return f.stamp >= x.base && x.covers(f.query) <= f.stamp
}
