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

// roll looks through the rows of members. Those that have long been dead are removed,
// so that no later tailer waits for them.
func (r *reign) roll(all []Member) {
	n := r.n
	now := n.now()
	others := 0
	rows := make(map[string]corpse, len(all))
	for _, m := range all {
		c, ok := r.dead[m.ID]
		if !ok || !c.Same(m) {
			c = corpse{m, now}
		}
		rows[m.ID] = c
		still := time.Duration(now - c.since)
		if m.ID != n.cfg.Self.ID && still < n.cfg.fresh() {
			others++
		}
		if still < n.cfg.dead() || r.present(m.ID) {
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
	r.shun(now, others)
}

// shun gives the reign up if there are others, all alive, and none of them has found
// its way here for a while: the way is closed, and one whom they can reach may take
// the place. Of two servers it is one alone either way if both ways are closed, and
// each turn is a pause for both: each server's turn is twice as long as its last.
func (r *reign) shun(now int64, others int) {
	n := r.n
	if len(r.peers) > 1 {
		n.turns.Store(0)
	}
	if others == 0 || len(r.peers) > 1 || r.lonely == 0 {
		r.lonely = now
		return
	}
	turns := n.turns.Load()
	if time.Duration(now-r.lonely) < n.cfg.shunned()<<turns {
		return
	}
	if others == 1 {
		n.turns.Store(min(turns+1, maxTurns))
	}
	n.log.Warn("no other server reaches this one, so it lets another read the log; is the address right?", "address", n.cfg.Self.Address)
	n.shy.Store(now + 2*int64(n.cfg.shunned()))
	r.depose("no other server reaches it")
}

// maxTurns bounds how long two servers that cannot reach each other wait for it.
const maxTurns = 6

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
