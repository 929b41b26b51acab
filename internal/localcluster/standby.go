package localcluster

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ReplayDelay makes a replica show each commit d after it was made on the
// primary, from now on; 0 ends it.
func (p *Postgres) ReplayDelay(ctx context.Context, d time.Duration) error {
	return p.Set(ctx, "recovery_min_apply_delay", fmt.Sprintf("%dms", d.Milliseconds()))
}

// PauseReplay stops a replica at the position where it is. It still receives.
func (s *server) PauseReplay(ctx context.Context) error {
	a := s.Asker()
	defer a.Close()
	if _, err := a.Ask(ctx, "SELECT pg_wal_replay_pause()"); err != nil {
		return err
	}
	return until(ctx, 2*time.Millisecond, s.name+" to pause", func() (bool, error) {
		state, err := a.Ask(ctx, "SELECT pg_get_wal_replay_pause_state()")
		return state == "paused", err
	})
}

// ResumeReplay lets it go on.
func (s *server) ResumeReplay(ctx context.Context) error {
	_, err := s.Exec(ctx, "SELECT pg_wal_replay_resume()")
	return err
}

// Promote makes a replica a primary, on a new timeline, and returns when it takes writes.
func (s *server) Promote(ctx context.Context) error {
	done, err := s.Exec(ctx, "SELECT pg_promote(true, 60)")
	if err == nil && done != "t" {
		err = fmt.Errorf("localcluster: %s was not promoted within 60 s", s.name)
	}
	return err
}

// Timeline is the one that it writes, or receives. On a primary it is read from
// the name of the current segment: the control file is late after a promotion.
func (s *server) Timeline(ctx context.Context) (tli uint32, err error) {
	text, err := s.Exec(ctx, `SELECT CASE WHEN pg_is_in_recovery()
		THEN coalesce((SELECT received_tli FROM pg_stat_wal_receiver), (SELECT timeline_id FROM pg_control_checkpoint()))
		ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END`)
	if err == nil {
		_, err = fmt.Sscan(text, &tli)
	}
	return tli, err
}

// FreezeSenders stops what sends the log to replicas, and nothing else: what is
// committed from now on reaches none of them, and clients are answered. Followed by a
// Kill it is how answered writes are lost without synchronous replication; a
// kill alone loses none, as the kernel still sends what is in its buffers. Who reads
// the log by logical decoding goes on. With names, only the replicas of these names
// are cut off.
func (s *server) FreezeSenders(names ...string) error {
	ctx, cancel := bounded(context.Background())
	defer cancel()
	sql := `SELECT pid FROM pg_stat_replication r WHERE NOT EXISTS (
		SELECT FROM pg_replication_slots l WHERE l.active_pid = r.pid AND l.slot_type = 'logical')`
	for i, name := range names {
		names[i] = quote(name)
	}
	if len(names) > 0 {
		sql += " AND application_name IN (" + strings.Join(names, ", ") + ")"
	}
	pids, err := s.Exec(ctx, sql)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.senders(stop, strings.Fields(pids))
}

// ThawSenders lets them go on.
func (s *server) ThawSenders() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.senders(resume, nil)
}

// senders signals the walsenders of these process ids; nil: all.
func (s *server) senders(signal func(int) error, pids []string) error {
	n := 0
	for _, m := range members(s.match...) {
		if strings.Contains(m.line, " walsender ") && (pids == nil || slices.Contains(pids, strconv.Itoa(m.pid))) {
			n++
			if err := signal(m.pid); err != nil {
				return fmt.Errorf("localcluster: signal a walsender of %s: %w", s.name, err)
			}
		}
	}
	if n == 0 {
		return fmt.Errorf("localcluster: %s has no walsenders", s.name)
	}
	return nil
}
