package localcluster

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Postgres is one server that this package runs, up, frozen, stopped or dead.
// Its methods may be called from any goroutine.
type Postgres struct {
	*server

	proc     *program          // the postmaster; under mu
	settings map[string]string // under mu
}

// StartPostgres starts one primary with an empty cluster. The context bounds
// the start, and not the life of the server.
func StartPostgres(ctx context.Context, opts Options) (*Postgres, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	p, err := newPostgres(opts)
	if err != nil {
		return nil, err
	}
	if err = layOut(ctx, p.as, p.bin, p.dir, p.data, opts.initArgs()); err == nil {
		err = p.startFirst(ctx)
	}
	if err != nil {
		_ = p.Destroy()
		return nil, err
	}
	return p, nil
}

func newPostgres(opts Options) (*Postgres, error) {
	s, err := newServer(opts)
	if err != nil {
		return nil, err
	}
	return &Postgres{server: s, settings: opts.base(s.name, s.dir)}, nil
}

// startFirst starts a primary for the first time.
func (p *Postgres) startFirst(ctx context.Context) error {
	if err := p.Start(ctx); err != nil || p.opts.Password == "" {
		return err
	}
	_, err := p.Exec(ctx, "ALTER ROLE postgres PASSWORD "+quote(p.opts.Password))
	return err
}

// Start starts a server that is down, after a Stop or a Kill, and returns when
// it answers queries; after a Kill that is when its recovery is done.
func (p *Postgres) Start(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	ctx, cancel := bounded(ctx)
	defer cancel()
	if p.gone {
		return fmt.Errorf("localcluster: %s is destroyed", p.name)
	}
	if err := p.reaped(ctx); err != nil || p.proc != nil {
		return err
	}
	if err := writeConf(p.as, p.dir, p.settings); err != nil {
		return err
	}
	if err := writeOwned(p.as, filepath.Join(p.dir, "pg_hba.conf"), p.opts.hba()); err != nil {
		return err
	}
	if err := writeOwned(p.as, filepath.Join(p.dir, "pg_ident.conf"), ""); err != nil {
		return err
	}
	proc, err := launch(p.as, p.dir, p.log(), nil, filepath.Join(p.bin, "postgres"),
		"-D", p.data, "-p", p.port.String(), "-c", "config_file="+filepath.Join(p.dir, "postgresql.conf"))
	if err != nil {
		return err
	}
	p.proc = proc
	return until(ctx, 2*time.Millisecond, p.name+" to start", func() (bool, error) {
		if proc.ended() {
			return false, fmt.Errorf("localcluster: PostgreSQL did not start: %w\n%s", proc.err, tail(p.log()))
		}
		// The status in the lock file is what pg_ctl waits for, too.
		lock := p.lockFile()
		return len(lock) > 7 && lock[0] == fmt.Sprint(proc.pid) && strings.TrimSpace(lock[7]) == "ready", nil
	})
}

// reaped waits for a killed postmaster to be so, and forgets one that has ended.
func (p *Postgres) reaped(ctx context.Context) error {
	if p.proc == nil {
		return nil
	}
	if len(members(p.data)) == 0 {
		select {
		case <-p.proc.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if p.proc.ended() {
		p.proc = nil
	}
	return nil
}

// Stop is a fast shutdown: transactions are rolled back, replicas get the rest
// of the log, and a checkpoint is written. A frozen server is thawed for it.
func (p *Postgres) Stop() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.proc.ended() {
		return nil
	}
	_ = interrupt(p.proc.pid)
	if err := thaw(p.match...); err != nil {
		return err
	}
	select {
	case <-p.proc.done:
		return nil
	case <-time.After(20 * time.Second):
		// Perhaps a replica that is frozen and so never takes the rest.
		return errors.Join(fmt.Errorf("localcluster: %s did not stop within 20 s and was killed", p.name), killAll(p.match...))
	}
}

// Restart is a Stop and a Start.
func (p *Postgres) Restart(ctx context.Context) error {
	if err := p.Stop(); err != nil {
		return err
	}
	return p.Start(ctx)
}

// KillBackend ends one of its sessions by SIGKILL, as the kernel does when memory runs
// out, or a process of its own if it has none. The server ends all the others then, and
// recovers from its log; it returns when that is done.
func (p *Postgres) KillBackend(ctx context.Context) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	const run = "(SELECT stats_reset FROM pg_stat_archiver)" // is thrown away before the log is read
	var before string
	return until(ctx, 5*time.Millisecond, p.name+" to recover", func() (bool, error) {
		found, err := p.Exec(ctx, "SELECT "+run+", pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()"+
			" ORDER BY backend_type = 'client backend' DESC, random() LIMIT 1")
		if err != nil {
			return false, ctx.Err()
		}
		at, text, _ := strings.Cut(found, "|")
		if before == "" {
			before = at
		}
		if at != before {
			return true, nil
		}
		if pid, err := strconv.Atoi(text); err == nil {
			_ = kill(pid) // it may have ended meanwhile
		}
		return false, nil
	})
}

// Set changes settings of a running server, names and values in turn, and has
// it reload; those that need a restart take effect with the next one. It returns
// when new sessions see them; processes that are there already do so within
// some milliseconds.
func (p *Postgres) Set(ctx context.Context, settings ...string) error {
	if len(settings)%2 != 0 {
		return errors.New("localcluster: Set takes names and values in turn")
	}
	a := p.Asker()
	defer a.Close()
	before, err := a.Ask(ctx, "SELECT pg_conf_load_time()")
	if err != nil {
		return err
	}
	p.mu.Lock()
	for i := 0; i < len(settings); i += 2 {
		p.settings[settings[i]] = settings[i+1]
	}
	err = writeConf(p.as, p.dir, p.settings)
	if err == nil && !p.proc.ended() {
		err = hangup(p.proc.pid)
	}
	p.mu.Unlock()
	if err != nil {
		return err
	}
	return until(ctx, 5*time.Millisecond, "a reload of "+p.name, func() (bool, error) {
		now, err := a.Ask(ctx, "SELECT pg_conf_load_time()")
		return now != before, err
	})
}
