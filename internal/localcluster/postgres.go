package localcluster

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Postgres is one server, running, frozen, stopped or dead. Its port is its own
// until Destroy: a server that is down refuses connections, and one that is
// started again is where it was. Its methods may be called from any goroutine.
type Postgres struct {
	opts      Options
	as        *identity
	name      string // cluster_name
	dir, data string
	bin       string
	port      *port

	mu       sync.Mutex // one change at a time
	proc     *program
	settings map[string]string
	gone     bool
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
		err = p.Start(ctx)
	}
	if err == nil && opts.Password != "" {
		_, err = p.Exec(ctx, "ALTER ROLE postgres PASSWORD "+quote(opts.Password))
	}
	if err != nil {
		_ = p.Destroy()
		return nil, err
	}
	return p, nil
}

// newPostgres is a node without data.
func newPostgres(opts Options) (*Postgres, error) {
	bin, err := postgresBin()
	if err != nil {
		return nil, err
	}
	as, err := unprivileged()
	if err != nil {
		return nil, err
	}
	name, dir, err := newNode(as)
	if err != nil {
		return nil, err
	}
	port, err := reservePort()
	if err != nil {
		return nil, fmt.Errorf("localcluster: %w", err)
	}
	p := &Postgres{opts: opts, as: as, name: name, dir: dir, data: filepath.Join(dir, "data"), bin: bin, port: port}
	p.settings = opts.base(name, dir)
	return p, nil
}

// Start starts a server that is down, after a Stop or a Kill, and returns when
// it answers queries; after a Kill that is when its recovery is done.
func (p *Postgres) Start(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	ctx, cancel := bounded(ctx)
	defer cancel()
	switch {
	case p.gone:
		return fmt.Errorf("localcluster: %s is destroyed", p.name)
	case !p.proc.ended():
		return nil
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
		lock := p.lockFile()
		return len(lock) > 7 && lock[0] == fmt.Sprint(proc.pid) && strings.TrimSpace(lock[7]) == "ready", nil
	})
}

// lockFile is postmaster.pid line by line: pid, directory, start, port, socket,
// address, segment, status. The status is what pg_ctl waits for too.
func (p *Postgres) lockFile() []string {
	text, _ := os.ReadFile(filepath.Join(p.data, "postmaster.pid"))
	return strings.Split(string(text), "\n")
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
	if err := thaw(p.names()...); err != nil {
		return err
	}
	select {
	case <-p.proc.done:
		return nil
	case <-time.After(20 * time.Second):
		// Perhaps a replica that is frozen and so never takes the rest.
		return errors.Join(fmt.Errorf("localcluster: %s did not stop within 20 s and was killed", p.name), p.killAll())
	}
}

// Kill ends the server as a power cut would: the postmaster and all its
// children at once, by SIGKILL, frozen or not.
func (p *Postgres) Kill() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.killAll()
}

func (p *Postgres) killAll() error {
	err := killAll(p.names()...)
	if p.proc != nil && err == nil {
		<-p.proc.done
	}
	return err
}

// Freeze stops all its processes where they are. The kernel goes on to accept
// connections for it; nothing answers, as with a machine that hangs.
func (p *Postgres) Freeze() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return freeze(p.names()...)
}

// Thaw lets a frozen server go on, as if no time had passed.
func (p *Postgres) Thaw() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return thaw(p.names()...)
}

// Restart is a Stop and a Start.
func (p *Postgres) Restart(ctx context.Context) error {
	if err := p.Stop(); err != nil {
		return err
	}
	return p.Start(ctx)
}

// Destroy kills the server, deletes its data and gives its port back. It may be
// called twice.
func (p *Postgres) Destroy() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		return nil
	}
	if err := p.killAll(); err != nil {
		return err
	}
	p.forgetSegment()
	p.gone = true
	p.port.release()
	if err := os.RemoveAll(p.dir); err != nil {
		return fmt.Errorf("localcluster: %w", err)
	}
	return nil
}

func (p *Postgres) forgetSegment() {
	if lock := p.lockFile(); len(lock) > 6 {
		if f := strings.Fields(lock[6]); len(f) == 2 {
			freeSegment(f[1])
		}
	}
}

// Set changes settings of a running server and has it reload; those that need a
// restart take effect with the next one. It returns when new sessions see them;
// processes that are there already do so within some milliseconds.
func (p *Postgres) Set(ctx context.Context, settings ...string) error {
	if len(settings)%2 != 0 {
		return errors.New("localcluster: Set takes names and values in turn")
	}
	before, err := p.Exec(ctx, "SELECT pg_conf_load_time()")
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
		now, err := p.Exec(ctx, "SELECT pg_conf_load_time()")
		return now != before, err
	})
}

// names tell its processes from all others.
func (p *Postgres) names() []string { return []string{p.dir + "/", p.name + ":"} }

func (p *Postgres) log() string { return filepath.Join(p.dir, "log") }

// Log is the end of the server's log.
func (p *Postgres) Log() string { return tail(p.log()) }

// Name is its cluster_name.
func (p *Postgres) Name() string { return p.name }

// Addr is host:port.
func (p *Postgres) Addr() string { return p.port.addr() }

// DataDir is its data directory.
func (p *Postgres) DataDir() string { return p.data }

// Pid is the postmaster's, 0 if there is none.
func (p *Postgres) Pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.proc.ended() {
		return 0
	}
	return p.proc.pid
}

// URL is for a client: postgres://user@127.0.0.1:port/db, with the password in
// it if the user is postgres and has one.
func (p *Postgres) URL(db, user string) string { return dbURL(p.Addr(), db, user, p.opts.Password) }

func dbURL(addr, db, user, password string) string {
	u := url.URL{Scheme: "postgres", Host: addr, Path: "/" + db, User: url.User(user)}
	if user == "postgres" && password != "" {
		u.User = url.UserPassword(user, password)
	}
	return u.String()
}
