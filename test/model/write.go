package model

// write is one of c by s.
func (w *world) write(c *session, s *server) (step, func(bool)) {
	row := w.r.Intn(records)
	end := func(bool) { c.busy = false }
	var made *commit
	var d *node
	var life, flushed int
	var returned float64
	var begin, shown, behind, wait step
	begun, asked := s.clock(), w.check.now()
	fail := func() step {
		w.count["not written"]++
		end(false)
		return nil
	}
	begin = func() step {
		d = s.primary
		switch {
		case s.clock()-begun > readWait:
			return fail()
		case d == nil || !s.reaches(d) || !d.primary || d.locked(row) || len(d.hidden) > 5:
			return begin
		}
		life = d.life
		made = d.commit(commit{row: row})
		w.check.rows[row].Raise(made.value())
		return shown
	}
	shown = func() step { // the COMMIT has not returned yet
		switch {
		case d.life != life || s.clock()-begun > 20*readWait:
			return fail() // nobody knows whether it is there
		case !made.shown || !s.reaches(d):
			return shown
		}
		return behind
	}
	behind = func() step {
		if d.life != life {
			return fail()
		}
		if !s.reaches(d) {
			return behind
		}
		flushed, returned = len(d.log), s.clock()
		return wait
	}
	wait = func() step {
		x, of := s.index, epoch{made.line.incarnation, made.line.timeline}
		// The code writes to no database that lies behind what is known of it.
		known := x != nil && x.epoch == of &&
			(x.front >= made.n && x.safe >= made.n || x.safe >= flushed)
		late := s.clock()-returned > lease+margin
		if !known && !late && !w.is(WriteUnheld) {
			return wait
		}
		if !known {
			w.count["timed"]++
			n := flushed
			if x != nil && x.epoch == of && x.front >= made.n {
				n = made.n // it knows where that lies
			}
			s.showWrite(token{of, n}, row, x)
		}
		w.check.wrote(c, s, made, asked)
		if c.keeps {
			c.keep(token{of, made.n})
		}
		end(true)
		return nil
	}
	return begin, end
}
