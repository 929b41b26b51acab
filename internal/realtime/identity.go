package realtime

import (
	"context"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/store"
)

// identity names an auth record.
type identity struct{ collectionID, id string }

func identityOf(rec *pando.Record) identity {
	if rec == nil {
		return identity{}
	}
	return identity{rec.Collection.ID, rec.ID()}
}

func secretOf(c *pando.Collection) string {
	if c == nil || c.Auth == nil {
		return ""
	}
	return c.Auth.AuthToken.Secret
}

// who is whom the client's subscriptions are judged for; the caller holds the lock.
func (c *client) who() *pando.Record {
	if c.unsure {
		return nil
	}
	return c.auth
}

// setIdentity makes rec, which may be nil, the identity of a connection; the
// caller holds the lock.
func (s *Realtime) setIdentity(c *client, rec *pando.Record) {
	if old := identityOf(c.auth); c.auth != nil && old != identityOf(rec) {
		delete(s.identities[old], c)
		if len(s.identities[old]) == 0 {
			delete(s.identities, old)
		}
	}
	c.auth, c.secret, c.unsure = rec, "", false
	if rec == nil {
		return
	}
	c.secret = secretOf(rec.Collection)
	id := identityOf(rec)
	if s.identities[id] == nil {
		s.identities[id] = map[*client]bool{}
	}
	s.identities[id][c] = true
}

// followIdentity keeps the connections of a changed auth record up to date: they
// see its new values, or become guests if its tokens are void.
func (s *Realtime) followIdentity(ch *changes.Change) {
	if !ch.Record.Collection.IsAuth() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.identities[identityOf(ch.Record)] {
		s.renew(c, ch.Record, ch.Action == changes.Delete)
	}
}

// renew gives a connection its record as it is now; the caller holds the lock.
func (s *Realtime) renew(c *client, now *pando.Record, gone bool) {
	if gone || !c.goesBy(now) {
		s.setIdentity(c, nil)
		return
	}
	c.auth, c.unsure = now, false
}

// goesBy tells whether the tokens of rec are still those that the connection's identity
// was shown with; the caller holds the lock.
func (c *client) goesBy(rec *pando.Record) bool {
	return rec.String("tokenKey") == c.auth.String("tokenKey") && secretOf(rec.Collection) == c.secret
}

// identify makes who, which may be nil, the identity of a connection. It was read
// before the connection was known to followIdentity, and what changed in between has
// passed by: so it is looked up once more, and counts for nothing before.
func (s *Realtime) identify(ctx context.Context, c *client, who *pando.Record) error {
	s.mu.Lock()
	if s.clients[c.id] != c { // it left meanwhile
		s.mu.Unlock()
		return unknownClient()
	}
	if c.auth != nil && identityOf(c.auth) != identityOf(who) {
		s.mu.Unlock()
		return &pando.Error{
			Kind:    pando.KindForbidden,
			Message: "The current and the previous request authorization don't match.",
		}
	}
	if who == nil {
		s.mu.Unlock()
		return nil
	}
	if c.auth == nil || !c.goesBy(who) {
		s.setIdentity(c, who)
		c.unsure = true
	}
	x := connection{c, c.auth}
	s.mu.Unlock()
	return s.refresh(ctx, []connection{x})
}

// recheckIdentities looks every connection's record up, since a change of the catalog
// may have voided tokens or refuse superusers from their address, and unlisted changes
// anything. Whoever cannot be looked up has to come back.
func (s *Realtime) recheckIdentities(ctx context.Context) {
	s.mu.RLock()
	var all []connection
	for _, set := range s.identities {
		for c := range set {
			all = append(all, connection{c, c.auth})
		}
	}
	s.mu.RUnlock()
	if err := s.refresh(ctx, all); err != nil {
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

func (s *Realtime) refresh(ctx context.Context, list []connection) error {
	if len(list) == 0 {
		return nil
	}
	ids := map[string][]string{} // by collection
	for _, x := range list {
		ids[x.auth.Collection.ID] = append(ids[x.auth.Collection.ID], x.auth.ID())
	}
	found := map[identity]*pando.Record{}
	var settings *pando.Settings
	err := s.store.Read(ctx, func(r store.Reader) error {
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
		return nil
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range list {
		if x.client.auth != x.auth { // somebody knows better by now
			continue
		}
		now := found[identityOf(x.auth)]
		refused := x.auth.IsSuperuser() && !settings.TakesSuperuserFrom(x.client.ip)
		s.renew(x.client, now, now == nil || refused)
	}
	return nil
}
