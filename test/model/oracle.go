package model

import "fmt"

// mark is a position in a history.
type mark struct {
	line *line
	n    int
}

// oracle knows what was committed, in which order, and what of it is lost. It judges by
// that what the checker judges by what was answered.
type oracle struct {
	w    *world
	line *line                       // the latest that anybody was answered from
	n    int                         // and how far: the highest position that anybody was answered
	gave map[*process]*[records]mark // what each server has answered of each row
}

// present is what anybody was answered by now.
func (k *oracle) present() mark { return mark{k.line, k.n} }

// knows is a violation that it knows of.
func (k *oracle) knows(what, format string, args ...any) {
	k.w.known[what]++
	k.w.tell(what, "the oracle: "+fmt.Sprintf(format, args...))
}

// read judges an answer to a question that was asked when everybody had been answered
// up to least, and gives how far it goes.
func (k *oracle) read(c *session, p *process, q query, a answer, least, own mark, gave [records]mark) (seen mark) {
	w := k.w
	if a.query != q {
		k.knows("foreign", "%v is of %v: %s", q, a.query, a.how)
		return k.present()
	}
	from, to := q.tags()
	seen = mark{line: a.line}
	for i := from; i < to; i++ {
		if v := a.val[i]; v != nil {
			seen.n = max(seen.n, v.n)
		}
	}
	for i := from; i < to; i++ {
		v := a.val[i]
		if gave[i].beyond(a.line, i, v) && !restored(gave[i].line, a.line) {
			k.knows("marked-back", "row %d is %s after this server had answered it up to %d of line %d: %s", i, name(v), gave[i].n, gave[i].line.id, a.how)
		} else if !a.marked && least.beyond(a.line, i, v) {
			k.knows("old", "row %d is %s after somebody was answered up to %d of line %d: %s", i, name(v), least.n, least.line.id, a.how)
		}
		if c.keeps && own.beyond(a.line, i, v) && !restored(own.line, a.line) {
			k.knows("session", "row %d is %s after the same client was answered up to %d of line %d: %s", i, name(v), own.n, own.line.id, a.how)
		}
		if w.sync && !a.marked && v != nil && !v.shown && v.at.primary && !w.replicated(v.at, v) && v.line == v.at.line {
			k.knows("exposed", "row %d is %s, which no replica has: %s", i, name(v), a.how)
		}
	}
	for i := from; i < to; i++ {
		if seen.n > 0 && a.line.last(i, seen.n) != a.val[i] {
			k.knows("no-prefix", "row %d is %s beside another one of %d: %s", i, name(a.val[i]), seen.n, a.how)
		}
	}
	if !a.marked {
		k.raise(seen)
	}
	return seen
}

// given is what a server has answered of each row.
func (k *oracle) given(p *process) *[records]mark {
	if k.gave[p] == nil {
		k.gave[p] = new([records]mark)
	}
	return k.gave[p]
}

// restored tells whether one of two lines is what was restored of the other.
func restored(a, b *line) bool { return a != nil && a != b && a.timeline == b.timeline }

// later is the later of two.
func (m mark) later(o mark) mark {
	if o.line != nil && (m.line == nil || m.line == o.line && m.n < o.n || m.line.id < o.line.id) {
		return o
	}
	return m
}

// beyond tells whether m goes beyond v, which is what somebody was answered of a row
// from line l.
func (m mark) beyond(l *line, row int, v *commit) bool {
	if m.line == nil {
		return false
	}
	must := m.line.last(row, m.n)
	switch {
	case l.id > m.line.id:
		must = l.last(row, min(m.n, m.line.common(l)))
	case !m.line.has(v):
		return true // it was lost before the question was asked
	}
	return must != nil && (v == nil || v.n < must.n)
}

// raise notes that somebody was answered something.
func (k *oracle) raise(m mark) {
	switch {
	case m.line.id < k.line.id:
	case m.line == k.line:
		k.n = max(k.n, m.n)
	default: // from here on nobody may be answered from the line before
		k.n = max(m.n, min(k.n, k.line.common(m.line)))
		k.line = m.line
	}
}

// wrote judges the answer to a write.
func (k *oracle) wrote(c *commit) mark {
	if l := k.w.lines[len(k.w.lines)-1]; k.w.sync && l.incarnation == c.line.incarnation && !l.has(c) {
		k.knows("lost", "%s was answered, and was lost before", name(c))
	}
	k.raise(mark{c.line, c.n})
	return mark{c.line, c.n}
}

// lost says that of a line only so much is left. Restoring a database takes back
// whatever was answered, and everybody knows.
func (k *oracle) lost(l *line, left int, restored bool) {
	if k.w.sync && !restored && k.line == l && k.n > left {
		k.knows("lost", "%d was answered, and %d is left of line %d", k.n, left, l.id)
	}
}

func name(c *commit) string {
	if c == nil {
		return "as it began"
	}
	return fmt.Sprintf("that of %d of line %d", c.n, c.line.id)
}
