package model

// taking is a server's try to become the tailer.
type taking struct {
	node  *node
	life  int
	from  *commit // the row as it was seen
	first float64 // for the first time
	begun float64
	row   *commit // under way
}

// take goes on with it: the row by compare-and-set, then the log.
func (s *server) take() {
	k := s.taking
	d := k.node
	if d.life != k.life || !d.primary || k.row != nil && s.clock()-k.begun > 4*renewal {
		s.taking = nil
		return
	}
	if !s.reaches(d) {
		return
	}
	if k.row == nil {
		now := d.view()[tailerRow]
		if d.locked(tailerRow) {
			return
		}
		if now != k.from {
			s.taking = nil
			return
		}
		term := 1
		if now != nil {
			term = now.term + 1
		}
		k.begun = s.clock()
		k.row = d.commit(commit{row: tailerRow, term: term, holder: s.id})
		return
	}
	if !k.row.shown {
		return
	}
	if now := d.view()[tailerRow]; now == nil || now.term != k.row.term {
		s.taking = nil
		return
	}
	s.taking = nil
	s.reign(d, k)
}

// reign begins. Whoever had the row before issues nothing more once D has gone by since
// the row was first seen as it was taken over, for it began its last renewal before; and
// nobody has a lease of it a lease later. Neither is waited for if every member has said
// HELLO: then nobody listens to it any more.
func (s *server) reign(d *node, k *taking) {
	r := s.standby
	s.standby = nil
	if r == nil || r.lost() || r.node != d {
		r = newReader(d)
	}
	s.w.count["reigns"]++
	t := &tailer{
		server: s, own: s.process, term: k.row.term, log: r, keeps: r.start, base: r.start, did: r.start,
		members: map[int]*peer{}, foreign: map[*process]bool{}, awaits: map[int]bool{},
		waiting: true, quiet: k.first + renewal + margin, until: k.first + renewal + margin + lease + margin, renewed: k.begun,
	}
	t.epoch = epoch{d.line.incarnation, d.line.timeline}
	if s.w.is(IncarnationIgnored) {
		t.epoch.incarnation = 0
	}
	v := d.view()
	for i := range servers {
		if v[memberRows+i] != nil {
			t.awaits[i] = true
		}
	}
	if x := s.index; x != nil && x.epoch == t.epoch && x.front >= r.start {
		t.at, t.base = x.at, x.base
	}
	s.tailer = t
	s.w.say("server %d reigns, term %d, epoch %v, start %d, base %d, awaits %v", s.id, t.term, t.epoch, r.start, t.base, t.awaits)
}
