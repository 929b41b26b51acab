package localcluster

import (
	"context"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// PgBouncerOptions are of a pooler.
type PgBouncerOptions struct {
	// Mode is transaction if not set.
	Mode string
	// PoolSize is how many connections to the server it keeps for each user and
	// database, 20 if not set.
	PoolSize int
	// Users and their passwords: who may come, and how it logs in to the server.
	// Nobody but postgres, without a password, if not set.
	Users map[string]string
	// Settings are added to its configuration.
	Settings map[string]string
}

// PgBouncer is a pooler in front of one server.
type PgBouncer struct {
	Part
	as   *identity
	dir  string
	port *Port
	opts PgBouncerOptions
	proc *program
}

// StartPgBouncer starts one in front of target, host:port.
func StartPgBouncer(ctx context.Context, target string, opts PgBouncerOptions) (*PgBouncer, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	as, err := unprivileged()
	if err != nil {
		return nil, err
	}
	_, dir, err := newNode(as, false)
	if err != nil {
		return nil, err
	}
	b := &PgBouncer{Part: Part{[]string{dir + "/"}}, as: as, dir: dir, opts: opts}
	if b.port, err = ReservePort(); err == nil {
		err = b.write(target)
	}
	if err == nil {
		err = b.Start(ctx)
	}
	if err != nil {
		_ = b.Destroy()
		return nil, err
	}
	return b, nil
}

func (b *PgBouncer) write(target string) error {
	host, port, err := net.SplitHostPort(target)
	if err != nil {
		return fmt.Errorf("localcluster: %w", err)
	}
	users := b.opts.Users
	auth := "scram-sha-256"
	if len(users) == 0 {
		users, auth = map[string]string{"postgres": ""}, "trust"
	}
	settings := map[string]string{
		"listen_addr":       "127.0.0.1",
		"listen_port":       b.port.String(),
		"unix_socket_dir":   "",
		"auth_type":         auth,
		"auth_file":         filepath.Join(b.dir, "users"),
		"pool_mode":         "transaction",
		"default_pool_size": strconv.Itoa(max(b.opts.PoolSize, 0)),
		"max_client_conn":   "1000",
		"admin_users":       "postgres",
	}
	if b.opts.PoolSize == 0 {
		settings["default_pool_size"] = "20"
	}
	if b.opts.Mode != "" {
		settings["pool_mode"] = b.opts.Mode
	}
	maps.Copy(settings, b.opts.Settings)
	var ini, list strings.Builder
	fmt.Fprintf(&ini, "[databases]\n* = host=%s port=%s\n\n[pgbouncer]\n", host, port)
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&ini, "%s = %s\n", name, settings[name])
	}
	for _, name := range slices.Sorted(maps.Keys(users)) {
		fmt.Fprintf(&list, "%s %s\n", quoteName(name), quoteName(users[name]))
	}
	if err := writeOwned(b.as, filepath.Join(b.dir, "users"), list.String()); err != nil {
		return err
	}
	return writeOwned(b.as, b.config(), ini.String())
}

func (b *PgBouncer) config() string { return filepath.Join(b.dir, "pgbouncer.ini") }

// Start starts it again after a Kill.
func (b *PgBouncer) Start(ctx context.Context) error {
	if b.proc != nil {
		if len(members(b.match...)) > 0 {
			return nil
		}
		<-b.proc.done
	}
	bin, err := find("pgbouncer", "pgbouncer")
	if err != nil {
		return err
	}
	proc, err := launch(b.as, b.dir, filepath.Join(b.dir, "log"), nil, bin, b.config())
	if err != nil {
		return err
	}
	b.proc = proc
	return until(ctx, 2*time.Millisecond, "PgBouncer to start", func() (bool, error) {
		if proc.ended() {
			return false, fmt.Errorf("localcluster: PgBouncer did not start: %w\n%s", proc.err, tail(proc.log))
		}
		conn, err := net.Dial("tcp", b.Addr())
		if err == nil {
			_ = conn.Close()
		}
		return err == nil, nil
	})
}

// Addr is host:port.
func (b *PgBouncer) Addr() string { return b.port.Addr() }

// URL is a database's, through the pooler.
func (b *PgBouncer) URL(db, user string) string {
	return dbURL(b.Addr(), db, user, b.opts.Users[user])
}

// Destroy ends it and gives its port back.
func (b *PgBouncer) Destroy() error {
	err := b.Kill()
	b.port.Release()
	return err
}
