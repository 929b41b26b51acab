package wal

import "maps"

// names tells which table is which collection, at one position of the log.
type names struct {
	bySeq map[string]Collection
	ids   map[string]string // by the table's name
}

func newNames(list []Collection) *names {
	n := &names{bySeq: make(map[string]Collection, len(list)), ids: make(map[string]string, len(list))}
	for _, c := range list {
		n.set(c)
	}
	return n
}

func (n *names) clone() *names {
	return &names{bySeq: maps.Clone(n.bySeq), ids: maps.Clone(n.ids)}
}

// set notes a row of the table of collections. Two that trade their names do so in
// two steps, of which the first must not take the second's away.
func (n *names) set(c Collection) {
	n.remove(c.Seq)
	n.bySeq[c.Seq] = c
	n.ids[c.Name] = c.ID
}

func (n *names) remove(seq string) {
	old, ok := n.bySeq[seq]
	if !ok {
		return
	}
	delete(n.bySeq, seq)
	if n.ids[old.Name] == old.ID {
		delete(n.ids, old.Name)
	}
}

// renaming is a change of a row of the table of collections, made by a part of a
// transaction.
type renaming struct {
	sub     uint32
	row     Collection
	removed bool
}

func (n *names) apply(list []renaming) {
	for _, r := range list {
		if r.removed {
			n.remove(r.row.Seq)
		} else {
			n.set(r.row)
		}
	}
}
