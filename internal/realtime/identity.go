package realtime

import (
	"context"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/position"
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
	c.auth, c.secret, c.known, c.unsure, c.leaves = rec, "", known{}, false, false
	if rec == nil {
		return
	}
	c.secret = secretOf(rec.Collection)
	id := identityOf(rec)
	c.tags = [...]position.Tag{position.RecordTag(id.collectionID, id.id), position.BulkTag(id.collectionID)}
	if s.identities[id] == nil {
		s.identities[id] = map[*client]bool{}
	}
	s.identities[id][c] = true
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
	if c.auth == nil || c.leaves || !c.goesBy(who) {
		s.setIdentity(c, who)
		c.unsure = true
	}
	x := connection{c, c.auth}
	s.mu.Unlock()
	_, _, err := s.refresh(ctx, []connection{x})
	return err
}
