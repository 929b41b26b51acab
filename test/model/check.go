package model

import (
	"fmt"

	"github.com/anishathalye/porcupine"

	"github.com/pandobase/pando/test/judge"
)

// answer is what somebody was given.
type answer struct {
	query  query
	line   *line // that it was read from; no server knows
	val    [records]*commit
	marked bool // it says that it may be old
	how    string
}

// query is what is asked for: one record, or all of them.
type query struct {
	what   int // records: all
	viewer int
}

const viewers = 2

// tags are the records that it depends on.
func (q query) tags() (from, to int) {
	if q.what == records {
		return 0, records
	}
	return q.what, q.what + 1
}

// checker judges every answer when it is given, by what had been answered before it was
// asked for. It is the one that judges real servers, and knows no more than there. An
// oracle, which does, judges too.
type checker struct {
	w      *world
	rows   [records]judge.Register
	lists  judge.Chain
	second *judge.Sample // nil once something that was answered is lost
	oracle oracle
}

// asked is what had been answered when something was asked for.
type asked struct {
	begun  int64
	bounds [records]judge.Bound

	least, own mark // the same, as the oracle knows it
	gave       [records]mark
}

func newChecker(w *world) *checker {
	k := &checker{w: w, oracle: oracle{w: w, gave: map[*process]*[records]mark{}}}
	if w.sync {
		k.second = judge.NewSample(records, k.now)
	}
	return k
}

// violation is one that the checker has found.
func (w *world) violation(what, format string, args ...any) {
	w.found[what]++
	w.tell(what, fmt.Sprintf(format, args...))
}

// tell tells of a violation, and keeps the first.
func (w *world) tell(what, how string) {
	w.say("VIOLATION %s %s", what, how)
	if w.first == "" {
		w.first = fmt.Sprintf("at %.1f: %s: %s", w.now, what, how)
	}
}

// now is the time as Porcupine wants it.
func (k *checker) now() int64 { return int64(k.w.now * 1e6) }

// asks is what has been answered by now.
func (k *checker) asks(c *session, s *server) asked {
	a := asked{begun: k.now(), least: k.oracle.present(), own: c.seen, gave: *k.oracle.given(s.process)}
	for i := range k.rows {
		a.bounds[i] = k.rows[i].Bound()
	}
	return a
}

// read judges an answer of s to c. reset says that the client is told that something which it
// has seen is lost.
func (k *checker) read(c *session, s *server, q query, a answer, was asked, reset bool) {
	k.w.count["answers"]++
	if a.marked {
		k.w.count["marked"]++
	}
	if reset {
		was.own, c.seen = mark{}, mark{}
		c.shown = judge.NewSession(records)
	}
	seen := k.oracle.read(c, s.process, q, a, was.least, was.own, was.gave)
	c.seen = c.seen.later(seen)
	if a.query != q {
		k.w.violation("foreign", "%v was answered to who asked for %v: %s", a.query, q, a.how)
		return
	}
	by := judge.Answer{Server: s.id, Marked: a.marked}
	var state [records]int64
	from, to := q.tags()
	for i := from; i < to; i++ {
		v := k.w.value(i, a.val[i])
		state[i] = v
		gave := &k.oracle.given(s.process)[i]
		*gave = gave.later(seen)
		if !k.rows[i].Saw(by, was.bounds[i], v) {
			what := "old"
			if a.marked {
				what = "marked-back"
			}
			k.w.violation(what, "row %d is %d, after %s: %s", i, v, k.rows[i].Text(by, was.bounds[i]), a.how)
		}
		if c.keeps {
			if before, with, ok := c.shown.Saw(i, v, a.how); !ok {
				k.w.violation("session", "row %d is %d, after the same client was answered %d (%s): %s", i, v, before, with, a.how)
			}
		}
		if !a.marked && k.second != nil {
			k.second.Read(i, was.begun, v)
		}
	}
	if q.what == records {
		k.lists.Add(state[:])
	}
}

// wrote judges the answer of s to a write of c that began at begun.
func (k *checker) wrote(c *session, s *server, made *commit, begun int64) {
	k.w.count["written"]++
	k.w.say("written %d of line %d", made.n, made.line.id)
	seen := k.oracle.wrote(made)
	gave := &k.oracle.given(s.process)[made.row]
	*gave = gave.later(seen)
	c.seen = c.seen.later(seen)
	v := k.w.value(made.row, made)
	if c.keeps {
		c.shown.Saw(made.row, v, "its own write")
	}
	k.rows[made.row].Noted(judge.Answer{Server: s.id}, v)
	if k.second != nil {
		k.second.Wrote(made.row, begun, v)
	}
}

// lost says that of a line only so much is left, and what there is now.
func (k *checker) lost(old *line, left int, restored bool) {
	k.oracle.lost(old, left, restored)
	if restored || !k.w.sync {
		k.second = nil
	}
	k.chained()
	for i := range k.rows {
		v := old.last(i, left).value()
		k.rows[i].Lose(v)
		for _, c := range k.w.who {
			c.shown.Lose(i, v)
		}
	}
}

// chained judges the lists so far.
func (k *checker) chained() {
	if pair := k.lists.Check(); pair != nil {
		k.w.violation("lists", "two lists cannot both be snapshots: %v and %v", pair[0], pair[1])
	}
	k.lists = judge.Chain{}
}

// end judges what takes all of it.
func (k *checker) end() {
	k.chained()
	if k.second == nil {
		return
	}
	go k.second.End()
	k.second.Judge()
	k.w.count["unjudged"] += k.second.Skipped + k.second.Verdicts[porcupine.Unknown]
	for _, no := range k.second.Illegal {
		k.w.violation("second", "the history of row %d is not linearizable from %d on", no.Record, no.From)
	}
}

// value is what c wrote: the greater, the later.
func (c *commit) value() int64 {
	if c == nil {
		return 0
	}
	return int64(c.line.id)<<32 | int64(c.n)
}

// value is what is left of c by now, which somebody was answered of a row: what is lost counts
// as what was before.
func (w *world) value(row int, c *commit) int64 {
	if l := w.lines[len(w.lines)-1]; !l.has(c) {
		c = c.line.last(row, c.line.common(l))
	}
	return c.value()
}
