package consistency

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/test/target"
)

// slot is a logical one for PostgreSQL's own plugin (test_decoding): all that is committed in
// a database, in the order in which it was, also over a failover.
type slot struct {
	beside   func(sql string) (string, error)
	database string
	name     string

	mu   sync.Mutex // held while the primary is replaced, or crashes
	has  string     // the LSN that was read up to; after a crash the slot begins before it
	left string     // what only a primary had that is no more
}

func newSlot(database string, beside func(sql string) (string, error)) *slot {
	return &slot{beside: beside, database: database, name: "oracle_of_" + strings.ReplaceAll(database, "-", "_")}
}

// make makes it. What was committed before is not in it.
func (s *slot) make() error {
	_, err := s.beside(s.making())
	return err
}

func (s *slot) making() string {
	return fmt.Sprintf("SELECT pg_create_logical_replication_slot('%s', 'test_decoding')", s.name)
}

// drop ends it: PostgreSQL keeps its log for it.
func (s *slot) drop() error {
	_, err := s.beside(fmt.Sprintf("SELECT pg_drop_replication_slot('%s')", s.name))
	return err
}

// read takes what it has by now, a line for each change; "": nothing new.
func (s *slot) read() (text string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if text, s.left = s.left, ""; text != "" {
		return text, nil
	}
	// A transaction is not divided.
	text, err = s.beside(s.changes("NULL", "50000") + fmt.Sprintf("; SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '%s'", s.name))
	if i := strings.LastIndexByte(text, '\n'); err == nil && i >= 0 {
		text, s.has = text[:i], text[i+1:]
	}
	return text, err
}

// changes is the SQL for them, up to an LSN and about that many.
func (s *slot) changes(upto, most string) string {
	return fmt.Sprintf("SELECT coalesce(string_agg(data, E'\\n' ORDER BY ordinality), '') FROM "+
		"pg_logical_slot_get_changes('%s', %s, %s, 'include-xids', 'off', 'skip-empty-xacts', 'on') WITH ORDINALITY AS c (lsn, xid, data)", s.name, upto, most)
}

// failover has the primary of c replaced: the new one has a slot before anybody writes there,
// and what the old one had is read to the end of what they have in common.
func (s *slot) failover(ctx context.Context, c *target.Cluster, o target.FailoverOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o.Begun = func() error {
		_, err := c.Primary().ExecIn(ctx, s.database, s.making())
		return err
	}
	o.Ended = func(fork target.Fork) error {
		if err := s.resume(ctx, fork.Old); err != nil {
			return err
		}
		text, err := fork.Old.ExecIn(ctx, s.database, s.changes("'"+fork.LSN+"'", "NULL"))
		if text != "" && s.left != "" {
			s.left += "\n"
		}
		s.left += text
		return err
	}
	return c.Failover(ctx, o)
}

// resume has the slot of a server that has crashed go on where it was.
func (s *slot) resume(ctx context.Context, on *localcluster.Postgres) error {
	if s.has == "" {
		return nil
	}
	_, err := on.ExecIn(ctx, s.database, fmt.Sprintf("SELECT pg_replication_slot_advance(slot_name, greatest(confirmed_flush_lsn, '%s')) "+
		"FROM pg_replication_slots WHERE slot_name = '%s'", s.has, s.name))
	return err
}

// crash has the primary of c crash, and come back.
func (s *slot) crash(ctx context.Context, c *target.Cluster, crash func(context.Context, *localcluster.Postgres) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return c.Crash(ctx, crash, func() error { return s.resume(ctx, c.Primary()) })
}
