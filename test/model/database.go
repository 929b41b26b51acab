package model

// What lies in the database: some records, and the rows of the cluster.
const (
	records    = 3
	servers    = 3
	tailerRow  = records
	memberRows = tailerRow + 1 // one for each server
	rows       = memberRows + servers
)

// commit is one transaction, which changes one row.
type commit struct {
	n      int // its position: 1 is the first
	line   *line
	row    int
	before *commit // the last one of the same row
	at     *node   // which took it
	shown  bool    // readers of that node see it

	// What the cluster's rows say.
	term, beat, holder, boot int
}

// snapshot is the last commit of every row.
type snapshot [rows]*commit

// entry is one of a log, and what a reader sees who has everything up to it.
type entry struct {
	*commit
	all *snapshot
}

// line is a history of the database: a promotion begins another one, and so does a
// restore, which nobody can tell from the number.
type line struct {
	id          int
	timeline    int
	incarnation int // as the servers call it once they have noticed
	parent      *line
	fork        int // of the parent's log it has this much
	log         []entry
}

// has tells whether c lies in l.
func (l *line) has(c *commit) bool {
	if c == nil {
		return true
	}
	most := c.n
	for at := l; at != nil; at = at.parent {
		if c.line == at {
			return true
		}
		if most > at.fork {
			return false
		}
	}
	return false
}

// last is the last commit of a row in l up to n, nil if there is none.
func (l *line) last(row, n int) *commit { return upTo(l.log, n)[row] }

// common is how much of l is in the later line m.
func (l *line) common(m *line) int {
	least := len(m.log)
	for at := m; at != l; at = at.parent {
		if at == nil {
			return 0
		}
		least = min(least, at.fork)
	}
	return min(least, len(l.log))
}

func upTo(log []entry, n int) *snapshot {
	if n = min(n, len(log)); n > 0 {
		return log[n-1].all
	}
	return &snapshot{}
}

// node is a database server.
type node struct {
	line     *line
	log      []entry // on its disk
	primary  bool
	down     bool
	frozen   bool
	since    float64   // when it went down or froze
	life     int       // connections of another life are lost
	upstream *node     // of a replica; nil: it has to be cloned
	replayed int       // what a replica says
	shows    int       // what it shows: redo makes visible before it says so
	hidden   []*commit // of a primary: on disk, and not seen by readers yet
}

func (d *node) answers() bool { return !d.down && !d.frozen }

// streams tells whether a replica receives.
func (d *node) streams() bool {
	return d.upstream != nil && d.upstream.answers() && d.upstream.line == d.line
}

// locked tells whether somebody holds the lock of a row.
func (d *node) locked(row int) bool {
	for _, c := range d.hidden {
		if c.row == row {
			return true
		}
	}
	return false
}

// commit appends to the log. Who waits for it to be shown waits for its COMMIT's return.
func (d *node) commit(c commit) *commit {
	all := *upTo(d.log, len(d.log))
	made := &c
	made.n, made.line, made.at, made.before = len(d.log)+1, d.line, d, all[c.row]
	all[c.row] = made
	d.log = append(d.log, entry{made, &all})
	d.line.log = d.log
	d.hidden = append(d.hidden, made)
	return made
}

// view is what a reader sees now.
func (d *node) view() snapshot {
	if !d.primary {
		return *upTo(d.log, d.shows)
	}
	v := *upTo(d.log, len(d.log))
	for _, c := range d.hidden {
		v[c.row] = c.before
	}
	return v
}

// step is one of the database's: something is received, replayed or shown.
func (w *world) databaseStep() {
	d := w.nodes[w.r.Intn(len(w.nodes))]
	if !d.answers() {
		return
	}
	if d.primary {
		w.show(d)
		return
	}
	switch w.r.Intn(3) {
	case 0:
		d.receive(w.r.Intn(4))
	case 1:
		if w.r.Intn(w.lag) == 0 {
			d.shows = max(d.shows, min(len(d.log), d.shows+1+w.r.Intn(6)))
		}
	case 2:
		d.replayed = d.shows
	}
}

// receive takes the next of the upstream's log, and follows it onto a new line.
func (d *node) receive(n int) {
	up := d.upstream
	if up == nil || !up.answers() {
		return
	}
	if up.line != d.line {
		if d.line.common(up.line) < len(d.log) {
			d.upstream = nil // it has what the new line has not
			d.down = true
			d.life++
			return
		}
		d.line = up.line
	}
	d.log = append(d.log, up.log[len(d.log):min(len(up.log), len(d.log)+n)]...)
}

// show makes some commit of a primary visible: any one, if a replica has it where
// that is waited for.
func (w *world) show(d *node) {
	if len(d.hidden) == 0 || w.r.Intn(w.shy) > 0 {
		return
	}
	i := w.r.Intn(len(d.hidden))
	if c := d.hidden[i]; !w.sync || w.replicated(d, c) {
		c.shown = true
		d.hidden = append(d.hidden[:i], d.hidden[i+1:]...)
	}
}

func (w *world) replicated(d *node, c *commit) bool {
	for _, r := range w.nodes {
		if r != d && r.upstream == d && r.line == d.line && len(r.log) >= c.n {
			return true
		}
	}
	return false
}
