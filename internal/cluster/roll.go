package cluster

import "time"

// callRoll asks who is registered, once the term is ours: see reign.
func (r *reign) callRoll() {
	for {
		limit, cancel := r.n.ask(r.ctx)
		all, err := r.n.cfg.Registry.Members(limit)
		cancel()
		if err == nil {
			r.post(func() {
				r.waited = map[string]bool{}
				for _, m := range all {
					if !r.heard[m.ID] {
						r.waited[m.ID] = true
					}
				}
			})
			return
		}
		if !r.n.pause(r.ctx, r.n.cfg.Tick) {
			return
		}
	}
}

// corpse is a row that may be one of a dead member.
type corpse struct {
	Member
	since int64
}

// roll removes the rows of members that have long been dead, so that no later tailer
// waits for them.
func (r *reign) roll(now int64) {
	if time.Duration(now-r.rolled) < r.n.cfg.Beat {
		return
	}
	r.rolled = now
	r.beside.Go(func() {
		limit, cancel := r.n.ask(r.ctx)
		defer cancel()
		all, err := r.n.cfg.Registry.Members(limit)
		if err == nil {
			r.post(func() { r.bury(all) })
		}
	})
}

func (r *reign) bury(all []Member) {
	n := r.n
	n.mu.Lock()
	n.members = all
	n.mu.Unlock()
	now := n.now()
	rows := make(map[string]corpse, len(all))
	for _, m := range all {
		c, ok := r.dead[m.ID]
		if !ok || c.Member != m {
			c = corpse{m, now}
		}
		rows[m.ID] = c
		if time.Duration(now-c.since) < n.cfg.dead() || r.present(m.ID) {
			continue
		}
		n.log.Info("a member that is gone is taken out of the database", "server", m.ID)
		r.beside.Go(func() {
			limit, cancel := n.ask(r.ctx)
			defer cancel()
			_ = n.cfg.Registry.Leave(limit, m) // or at the next roll
		})
	}
	r.dead = rows
}

// present tells whether a member is connected, or may have a lease.
func (r *reign) present(id string) bool {
	for p := range r.peers {
		if p.id == id {
			return true
		}
	}
	for w := range r.ghosts {
		if w.id == id {
			return true
		}
	}
	return false
}
