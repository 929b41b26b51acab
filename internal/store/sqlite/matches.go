package sqlite

import (
	"container/list"
	"encoding/binary"
	"math"
	"slices"
	"sync"
)

const (
	// matchesMost is how many rows a search finds that is remembered, and that
	// it looks for before it leaves the counting to SQLite.
	matchesMost = 4096
	// matchesBytes bounds what is remembered, all together.
	matchesBytes = 4 << 20
	// matchKeyBytes bounds the statement of a search that is remembered.
	matchKeyBytes = 8 << 10
	// stepsPerRow is what it costs to ask about one changed row, in steps of
	// SQLite's machine, reckoned generously.
	stepsPerRow = 64
)

// matches remembers which rows of a table met some conditions, so that a list
// after a write need not read the table again. A search (the statement that
// finds the rows, with its values) is kept with its result as of a position. A
// snapshot of a later position asks the log which rows of the table changed in
// between, asks the database about these alone, and has the result of its own:
//
//	rows(now) = rows(then) without changed, and those of changed that match now
//
// This is exact for conditions that hang on nothing but the row itself, whatever
// they are: the database judges each changed row as it is in the snapshot, and
// the other rows are the same as they were. The log is told of a commit before
// anybody can see it, so a snapshot finds every change that it holds there; what
// the log cannot vouch for (a table changed as a whole, another program wrote,
// too much has happened) is searched again. It is a refinement within Find: who
// asks cannot tell, and everything else judges by positions as before.
type matches struct {
	mu     sync.Mutex
	sets   map[string]*list.Element // of *matchSet, by key
	used   list.List                // the last used in front
	bytes  int
	tables map[string]*rowLog // by name, of tables with a search
	floor  uint64             // nothing is known of before this position
	last   uint64             // position of the last commit noted

	recalled uint64 // searches that were spared
}

// matchSet is what one search found. It is never changed, as readers share it.
type matchSet struct {
	key, table string
	csn        uint64
	touched    uint64  // a commit up to this position was the last to change a row that matched before or after
	rows       []int64 // ascending
	many       bool    // there were too many to be remembered
	steps      int     // of SQLite's machine, that the search took
}

// matching is the rows found; nil if they are too many, or s is nil.
func (s *matchSet) matching() []int64 {
	if s == nil || s.many {
		return nil
	}
	return s.rows
}

func (s *matchSet) size() int { return 256 + len(s.key) + 8*cap(s.rows) }

// matchKey is the text of a search; "" if it is not worth remembering.
func matchKey(sql string, args []any) string {
	key := binary.AppendUvarint(make([]byte, 0, len(sql)+16*len(args)), uint64(len(sql)))
	key = append(key, sql...)
	for _, v := range args {
		switch v := v.(type) {
		case nil:
			key = append(key, 0)
		case string:
			key = append(binary.AppendUvarint(append(key, 's'), uint64(len(v))), v...)
		case int64:
			key = binary.BigEndian.AppendUint64(append(key, 'i'), uint64(v))
		case float64:
			key = binary.BigEndian.AppendUint64(append(key, 'f'), math.Float64bits(v))
		case bool:
			key = append(key, 'n')
			if v {
				key[len(key)-1] = 'y'
			}
		default:
			return ""
		}
	}
	if len(key) > matchKeyBytes {
		return ""
	}
	return string(key)
}

// get finds a search's last result, and the rows that have changed from then to
// the snapshot at csn. It is nil if it cannot tell, or if to search again is
// cheaper.
func (m *matches) get(key string, csn uint64) (*matchSet, []int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.sets[key]
	if e == nil || csn < m.floor {
		return nil, nil
	}
	m.used.MoveToFront(e)
	s := e.Value.(*matchSet)
	if s.many {
		if csn-s.csn > matchesMost { // they can have become few
			return nil, nil
		}
		return s, nil
	}
	if s.csn > csn {
		return nil, nil // an older snapshot, of a read that began before
	}
	changed, ok := m.tables[s.table].between(s.csn, csn, max(s.steps/stepsPerRow, 16))
	if !ok {
		return nil, nil
	}
	m.recalled++
	return s, changed
}

// keep remembers what a snapshot at s.csn found.
func (m *matches) keep(s *matchSet) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.csn < m.floor {
		return
	}
	log := m.tables[s.table]
	if log == nil {
		// Commits of before were not written down, and the last of them may
		// be one that the snapshot does not hold.
		log = &rowLog{from: m.last}
		if m.tables == nil {
			m.sets, m.tables = make(map[string]*list.Element), make(map[string]*rowLog)
		}
		m.tables[s.table] = log
	}
	e := m.sets[s.key]
	if s.csn < log.from || e != nil && e.Value.(*matchSet).csn > s.csn {
		return
	}
	if e == nil {
		m.sets[s.key] = m.used.PushFront(s)
	} else {
		m.bytes -= e.Value.(*matchSet).size()
		e.Value = s
		m.used.MoveToFront(e)
	}
	for m.bytes += s.size(); m.bytes > matchesBytes; {
		m.remove(m.used.Back())
	}
}

// drop forgets a search.
func (m *matches) drop(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.sets[key]; e != nil {
		m.remove(e)
	}
}

func (m *matches) remove(e *list.Element) {
	s := m.used.Remove(e).(*matchSet)
	delete(m.sets, s.key)
	m.bytes -= s.size()
}

// change notes, before it is committed, which rows commit csn changes.
func (m *matches) change(csn uint64, n *rowNotes) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last = csn
	if n.more {
		m.forgetLocked(csn)
		return
	}
	for _, c := range n.list {
		if log := m.tables[c.table]; log != nil {
			log.add(csn, c.row)
		}
	}
}

// forget drops everything known up to position csn, before it is committed or
// published: tables were changed as a whole, or another program wrote.
func (m *matches) forget(csn uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forgetLocked(csn)
}

func (m *matches) forgetLocked(csn uint64) {
	m.sets, m.tables, m.bytes = nil, nil, 0
	m.used.Init()
	m.floor, m.last = csn, csn
}

// moved is what a snapshot at csn finds, if changed are the rows that changed
// since s, and found those of them that match in it.
func (s *matchSet) moved(csn uint64, changed, found []int64) *matchSet {
	next := *s
	next.csn = csn
	if len(changed) == 0 {
		return &next
	}
	next.rows = make([]int64, 0, len(s.rows)+len(found))
	for _, row := range s.rows {
		if _, is := slices.BinarySearch(changed, row); !is {
			next.rows = append(next.rows, row)
		}
	}
	if len(next.rows) == len(s.rows) && len(found) == 0 {
		next.rows = s.rows
		return &next
	}
	next.touched = csn
	next.rows = append(next.rows, found...)
	slices.Sort(next.rows)
	return &next
}
