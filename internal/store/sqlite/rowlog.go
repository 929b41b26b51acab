package sqlite

import (
	"slices"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// rowsLogged is how many changed rows the log of a table holds, and how many of
// one commit are noted at all.
const rowsLogged = 2048

// rowNotes are the rows that the writer's connection has changed since they were
// last cleared. A change that was rolled back is among them: what is made of the
// notes asks the database, so a note too many costs time and nothing else.
type rowNotes struct {
	list  []rowNote
	names map[string]string // the tables' names, each made once
	more  bool              // more than are listed
}

type rowNote struct {
	table string
	row   int64
}

// watchRows has every row noted that any statement inserts, updates or deletes.
// SQLite tells of all of them but those of a DELETE without WHERE, which
// [tx.Truncate] and schema changes report on their own.
func (c *conn) watchRows() { lib.Xsqlite3_update_hook(c.tls, c.db, callback(onRow), c.id) }

// onRow notes one row.
func onRow(_ *libc.TLS, id uintptr, _ int32, _, table uintptr, row int64) {
	conns.RLock()
	c := conns.byID[id]
	conns.RUnlock()
	n := &c.rows
	if len(n.list) >= rowsLogged {
		n.more = true
		return
	}
	length := 0 // found byte by byte: what lies beyond the name may not be ours to read
	for *at[byte](table + uintptr(length)) != 0 {
		length++
	}
	name := bytesAt(table, length)
	text, known := n.names[string(name)]
	if !known {
		if n.names == nil || len(n.names) >= 1024 {
			n.names = make(map[string]string)
		}
		text = string(name)
		n.names[text] = text
	}
	n.list = append(n.list, rowNote{text, row})
}

func (n *rowNotes) clear() { n.list, n.more = n.list[:0], false }

// rowLog is which rows of one table changed lately.
type rowLog struct {
	from uint64 // changes up to and with this position are forgotten or were never seen
	list []rowChange
}

type rowChange struct {
	csn uint64
	row int64
}

func (l *rowLog) add(csn uint64, row int64) {
	if len(l.list) >= rowsLogged {
		half := len(l.list) / 2
		l.from = l.list[half-1].csn // which may have more in the half that stays
		l.list = append(l.list[:0], l.list[half:]...)
	}
	l.list = append(l.list, rowChange{csn, row})
}

// between lists the rows changed by commits after one position, up to and with
// another; false if that is not known, or if there are more than most.
func (l *rowLog) between(after, upTo uint64, most int) ([]int64, bool) {
	if after < l.from {
		return nil, false
	}
	i, _ := slices.BinarySearchFunc(l.list, after+1, func(c rowChange, csn uint64) int {
		switch {
		case c.csn < csn:
			return -1
		case c.csn > csn:
			return 1
		}
		return 0
	})
	var rows []int64
	for _, c := range l.list[i:] {
		if c.csn > upTo {
			break
		}
		if len(rows) == most {
			return nil, false
		}
		rows = append(rows, c.row)
	}
	slices.Sort(rows)
	return slices.Compact(rows), true
}
