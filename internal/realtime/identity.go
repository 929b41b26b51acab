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

// setIdentity makes rec, which may be nil, the identity of a connection; the
// caller holds the lock.
func (s *Realtime) setIdentity(c *client, rec *pando.Record) {
	if old := identityOf(c.auth); c.auth != nil && old != identityOf(rec) {
		delete(s.identities[old], c)
		if len(s.identities[old]) == 0 {
			delete(s.identities, old)
		}
	}
	c.auth, c.secret = rec, ""
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
	if gone || now.String("tokenKey") != c.auth.String("tokenKey") || secretOf(now.Collection) != c.secret {
		s.setIdentity(c, nil)
		return
	}
	c.auth = now
}

// confirmIdentity looks the record of a connection up once more. It was read
// before the connection was known to followIdentity; what changed in between has
// passed by.
func (s *Realtime) confirmIdentity(ctx context.Context, c *client) error {
	s.mu.RLock()
	auth := c.auth
	s.mu.RUnlock()
	if auth == nil {
		return nil
	}
	return s.refresh(ctx, []connection{{c, auth}})
}

// recheckIdentities looks every connection's record up, since a change of the
// catalog may have voided tokens, and unlisted changes anything.
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
	err := s.store.Read(ctx, func(r store.Reader) error {
		clear(found)
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
		s.renew(x.client, now, now == nil)
	}
	return nil
}
