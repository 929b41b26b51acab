package sqlite

import (
	"strings"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// authorizer is asked about each thing that a statement would do, while it is
// being prepared; false refuses it. The names' meaning depends on the action.
type authorizer func(action int32, name1, name2 string) bool

// onlySelect lets nothing but reading of user tables through, for texts that
// come from a user; off again for the store's own.
func (c *conn) onlySelect(on bool) error {
	if !on {
		return c.authorize(nil)
	}
	return c.authorize(func(action int32, name1, _ string) bool {
		switch action {
		case lib.SQLITE_SELECT, lib.SQLITE_FUNCTION, lib.SQLITE_RECURSIVE:
			return true
		case lib.SQLITE_READ:
			return !strings.HasPrefix(strings.ToLower(name1), reserved)
		}
		return false
	})
}

// authorize sets who is asked; nil for nobody.
func (c *conn) authorize(f authorizer) error {
	c.allow = f
	fn := uintptr(0)
	if f != nil {
		fn = callback(onAuthorize)
	}
	if rc := lib.Xsqlite3_set_authorizer(c.tls, c.db, fn, c.id); rc != lib.SQLITE_OK {
		return c.failure(rc)
	}
	return nil
}

func onAuthorize(_ *libc.TLS, id uintptr, action int32, name1, name2, _, _ uintptr) int32 {
	conns.RLock()
	c := conns.byID[id]
	conns.RUnlock()
	if c.allow == nil || c.allow(action, goString(name1), goString(name2)) {
		return lib.SQLITE_OK
	}
	return lib.SQLITE_DENY
}
