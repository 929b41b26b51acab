package sqlite

import (
	"time"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

const (
	// longLog is how many times Options.CheckpointPages the log may get before
	// readers are waited for. Up to then a checkpoint waits for nobody.
	longLog = 8
	// restartWait is how long that may take.
	restartWait = 200 * time.Millisecond
)

// checkpointer takes the log back into the database file. SQLite would do so
// within a commit; here the callers have had their answers by then.
type checkpointer struct {
	pages  int // Options.CheckpointPages
	next   int // length of the log, in pages, that is worth another try
	failed bool
}

// onCommit notes how long the log is, in pages.
func onCommit(_ *libc.TLS, id, _, _ uintptr, pages int32) int32 {
	conns.RLock()
	c := conns.byID[id]
	conns.RUnlock()
	c.logPages = int(pages)
	return lib.SQLITE_OK
}

// watchLog keeps conn.logPages up to date.
func (c *conn) watchLog() { lib.Xsqlite3_wal_hook(c.tls, c.db, callback(onCommit), c.id) }

// checkpoint runs after each commit. Pages that an open snapshot still needs
// stay in the log, so a try may get only half way; the next one comes when the
// log has grown by half again. A log that becomes very long, since there is
// always some reader who uses it, is a reason to wait for them: seldom, as it may
// be one that stays for long, such as a backup.
func (w *writer) checkpoint() {
	k := &w.log
	if w.c.logPages < k.pages {
		k.next = k.pages
		return
	}
	if w.c.logPages < k.next {
		return
	}
	k.next = w.c.logPages * 3 / 2
	var err error
	if w.c.logPages < longLog*k.pages {
		err = w.c.checkpoint(lib.SQLITE_CHECKPOINT_PASSIVE)
	} else {
		w.c.setLockWait(restartWait)
		err = w.c.checkpoint(lib.SQLITE_CHECKPOINT_RESTART)
		w.c.setLockWait(w.s.opts.LockWait)
	}
	// A full disk fails here as often as it is tried; it is told once.
	if err != nil && !k.failed {
		w.s.log.Error("the log cannot be taken back into the database", "pages", w.c.logPages, "err", err)
	}
	k.failed = err != nil
}

// checkpoint takes as much of the log back as the mode allows. That others are
// in the way is no error.
func (c *conn) checkpoint(mode int32) error {
	rc := lib.Xsqlite3_wal_checkpoint_v2(c.tls, c.db, 0, mode, 0, 0)
	if rc == lib.SQLITE_OK || rc&0xff == lib.SQLITE_BUSY {
		return nil
	}
	return c.failure(rc)
}
