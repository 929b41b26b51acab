package realtime

import (
	"context"
	"slices"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
)

// known says up to when an identity is right: it holds every change up to n, and was
// taken on by a catalog of that version. Those of another run are other positions.
type known struct {
	n       position.N
	run     position.Run
	catalog uint64
}

// follow keeps the connections of changed auth records up to date: they see its values as
// of b. Whoever's tokens b has made void, or whom it has deleted, leaves behind it.
func (s *Realtime) follow(b *changes.Batch) {
	s.eachIdentity(b, func(c *client, ch *changes.Change) {
		switch {
		case b.Run == c.known.run && b.Position < c.known.n: // it was looked up since
		case ch.Action == changes.Delete:
			c.leaves = true
		case c.unsure && !c.goesBy(ch.Record):
			s.setIdentity(c, nil)
		default:
			c.leaves = c.leaves || !c.goesBy(ch.Record)
			c.auth, c.unsure = ch.Record, false
			c.known.n, c.known.run = b.Position, b.Run
		}
	})
}

// dismiss makes guests of those whom b was the last to be told to.
func (s *Realtime) dismiss(b *changes.Batch) {
	s.eachIdentity(b, func(c *client, _ *changes.Change) {
		if c.leaves {
			s.setIdentity(c, nil)
		}
	})
}

// eachIdentity calls f for each connection of each record that b changes, under the lock.
func (s *Realtime) eachIdentity(b *changes.Batch, f func(*client, *changes.Change)) {
	for i := range b.Changes {
		ch := &b.Changes[i]
		if !ch.Record.Collection.IsAuth() {
			continue
		}
		s.mu.Lock()
		for c := range s.identities[identityOf(ch.Record)] {
			f(c, ch)
		}
		s.mu.Unlock()
	}
}

// verify looks up whoever is to get a letter and may have changed since b, as the index
// knows. What they are told holds what is there now, by rules of now: it must not go to
// whoever they were then. changed are somebody else than the letter was written for, over
// are nobody any more, or could not be looked up.
//
// It comes behind the writing: by then the index knows of all that was read.
func (s *Realtime) verify(ctx context.Context, b *changes.Batch, letters []letter) (changed, over []*client) {
	list := s.outdated(b, letters)
	changed, over, err := s.refresh(ctx, list)
	if err != nil {
		s.log.Error("realtime: identities could not be checked", "error", err)
		for _, x := range list {
			over = append(over, x.client)
		}
	}
	return changed, over
}

// outdated lists for whom the letters may not be any more.
func (s *Realtime) outdated(b *changes.Batch, letters []letter) (list []connection) {
	x, catalog := s.index(), s.store.Catalog().Version
	seen := map[*client]bool{}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, l := range letters {
		c := l.sub.client
		if l.auth == nil || l.leaves || c.auth == l.auth && c.still(x, b, catalog) || seen[c] {
			continue
		}
		seen[c] = true
		list = append(list, connection{c, l.auth})
	}
	return list
}

// still tells whether a connection is whose it was at b; the caller holds the lock.
func (c *client) still(x *position.Index, b *changes.Batch, catalog uint64) bool {
	if x == nil || c.known.catalog != catalog {
		return false
	}
	var n position.N
	if c.known.run == x.Run() {
		n = c.known.n
	}
	if b.Run == x.Run() { // up to there all was followed
		n = max(n, b.Position)
	}
	return x.Valid(n, c.tags[:])
}

// recheckIdentities looks every connection's record up, since a change of the catalog
// may have voided tokens or refuse superusers from their address, and unlisted changes
// anything. Whoever cannot be looked up has to come back.
func (s *Realtime) recheckIdentities(ctx context.Context) {
	s.mu.RLock()
	var all []connection
	for _, set := range s.identities {
		for c := range set {
			if !c.leaves {
				all = append(all, connection{c, c.auth})
			}
		}
	}
	s.mu.RUnlock()
	if _, _, err := s.refresh(ctx, all); err != nil {
		s.log.Error("realtime: identities could not be checked", "error", err)
		clients := make([]*client, len(all))
		for i, x := range all {
			clients[i] = x.client
		}
		s.part(clients, "it could not be checked whose they are")
	}
}

// connection is a client with the identity it had when it was looked at.
type connection struct {
	client *client
	auth   *pando.Record
}

// refresh looks identities up. changed are somebody else than they were in list, or have
// other values, over are nobody.
func (s *Realtime) refresh(ctx context.Context, list []connection) (changed, over []*client, err error) {
	if len(list) == 0 {
		return nil, nil, nil
	}
	ids := map[string][]string{} // by collection
	for _, x := range list {
		ids[x.auth.Collection.ID] = append(ids[x.auth.Collection.ID], x.auth.ID())
	}
	found := map[identity]*pando.Record{}
	var settings *pando.Settings
	var as known
	run := s.run()
	err = s.store.Read(ctx, func(r store.Reader) error {
		clear(found)
		settings = r.Catalog().Settings
		for collectionID, list := range ids {
			col := r.Catalog().Collection(collectionID)
			if col == nil || col.ID != collectionID || !col.IsAuth() {
				continue
			}
			records, err := r.Records(ctx, col, list)
			if err != nil {
				return err
			}
			for _, rec := range records {
				found[identityOf(rec)] = rec
			}
		}
		as = known{r.Stamp(), run, r.Catalog().Version}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	if s.run() != run {
		as.n = 0 // of which of them that is, nobody knows
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range list {
		c := x.client
		if c.auth == x.auth { // else somebody knows better by now
			now := found[identityOf(x.auth)]
			refused := x.auth.IsSuperuser() && !settings.TakesSuperuserFrom(c.ip)
			s.renew(c, now, as, now == nil || refused)
		}
		switch c.auth {
		case nil:
			over = append(over, c)
		case x.auth:
		default:
			changed = append(changed, c)
		}
	}
	return changed, over, nil
}

// index is that of now, nil if there is none that knows of all changes.
func (s *Realtime) index() *position.Index {
	if s.clock == nil {
		return nil
	}
	return s.clock.Index()
}

// run is that of whose positions the index is.
func (s *Realtime) run() (r position.Run) {
	if x := s.index(); x != nil {
		r = x.Run()
	}
	return r
}

// renew gives a connection its record as it is now; the caller holds the lock.
func (s *Realtime) renew(c *client, now *pando.Record, as known, gone bool) {
	if gone || !c.goesBy(now) {
		s.setIdentity(c, nil)
		return
	}
	if now.Collection != c.auth.Collection || !slices.EqualFunc(now.Values, c.auth.Values, store.SameValue) {
		c.auth = now
	}
	c.known, c.unsure = as, false
}
