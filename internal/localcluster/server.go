package localcluster

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// server is what a PostgreSQL of ours is, whoever starts it. Its port is its own
// until Destroy: a server that is down refuses connections, and one that is
// started again is where it was.
type server struct {
	opts      Options
	as        *identity
	name      string // of the node, and its cluster_name if we start it
	dir, data string
	bin       string
	port      *Port
	match     []string // what command lines of its processes hold

	mu   sync.Mutex // one change of what runs at a time
	gone bool
}

// newServer is a node without data.
func newServer(opts Options) (*server, error) {
	bin, err := postgresBin()
	if err != nil {
		return nil, err
	}
	as, err := unprivileged()
	if err != nil {
		return nil, err
	}
	name, dir, err := newNode(as, opts.NoSync)
	if err != nil {
		return nil, err
	}
	port, err := ReservePort()
	if err != nil {
		return nil, err
	}
	return &server{
		opts: opts, as: as, name: name, dir: dir, data: filepath.Join(dir, "data"), bin: bin, port: port,
		match: []string{dir + "/", name + ":"},
	}, nil
}

// Kill ends all its processes at once by SIGKILL, frozen or not, as a power cut would.
func (s *server) Kill() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return killAll(s.match...)
}

// Freeze stops all its processes where they are. The kernel goes on to accept
// connections for it; nothing answers, as with a machine that hangs.
func (s *server) Freeze() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return freeze(s.match...)
}

// Thaw lets a frozen server go on, as if no time had passed.
func (s *server) Thaw() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return thaw(s.match...)
}

// Destroy kills the server, deletes its directory and gives its port back. It
// may be called twice.
func (s *server) Destroy() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return nil
	}
	if err := killAll(s.match...); err != nil {
		return err
	}
	s.forgetSegment()
	s.gone = true
	s.port.Release()
	if err := os.RemoveAll(s.dir); err != nil {
		return fmt.Errorf("localcluster: %w", err)
	}
	return nil
}

// wipe deletes the data of a server that is killed.
func (s *server) wipe() error {
	s.forgetSegment()
	if err := os.RemoveAll(s.data); err != nil {
		return fmt.Errorf("localcluster: %w", err)
	}
	return nil
}

func (s *server) forgetSegment() {
	if lock := s.lockFile(); len(lock) > 6 {
		if f := strings.Fields(lock[6]); len(f) == 2 {
			freeSegment(f[1])
		}
	}
}

// lockFile is postmaster.pid line by line: pid, directory, start, port, socket,
// address, segment, status.
func (s *server) lockFile() []string {
	text, _ := os.ReadFile(filepath.Join(s.data, "postmaster.pid"))
	return strings.Split(string(text), "\n")
}

// Pid is the postmaster's, 0 if there is none.
func (s *server) Pid() int {
	pid, _ := strconv.Atoi(s.lockFile()[0])
	for _, p := range members(s.data) {
		if p.pid == pid {
			return pid
		}
	}
	return 0
}

func (s *server) log() string { return filepath.Join(s.dir, "log") }

// Log is the end of the server's log.
func (s *server) Log() string { return tail(s.log()) }

// Name tells it from every other node on this machine.
func (s *server) Name() string { return s.name }

// Addr is host:port.
func (s *server) Addr() string { return s.port.Addr() }

// DataDir is its data directory.
func (s *server) DataDir() string { return s.data }

// URL is for a client: postgres://user@127.0.0.1:port/db, with the password in
// it if the user is postgres and has one.
func (s *server) URL(db, user string) string {
	return dbURL(s.Addr(), db, user, s.opts.passwordOf(user))
}

// Relay is a new relay to the server.
func (s *server) Relay() (*Relay, error) {
	r, err := NewRelay(s.Addr())
	if err == nil {
		r.opts = s.opts
	}
	return r, err
}

// dbURL is libpq's form; addr may be several, with commas.
func dbURL(addr, db, user, password string) string {
	u := url.URL{Scheme: "postgres", Host: addr, Path: "/" + db, User: url.User(user)}
	if password != "" {
		u.User = url.UserPassword(user, password)
	}
	return u.String()
}

// Exec runs statements in the database postgres, as the superuser postgres, and
// answers as psql -At does: rows by line, columns parted by |.
func (s *server) Exec(ctx context.Context, sql string) (string, error) {
	return s.ExecIn(ctx, "postgres", sql)
}

// ExecIn runs statements in a database. It comes by the node's Unix socket, past
// passwords, relays and poolers.
func (s *server) ExecIn(ctx context.Context, db, sql string) (string, error) {
	a := s.askerIn(db)
	defer a.Close()
	return a.Ask(ctx, sql)
}

// Asker is for many questions in the database postgres.
func (s *server) Asker() *Asker { return s.askerIn("postgres") }

func (s *server) askerIn(db string) *Asker {
	return &Asker{socket: filepath.Join(s.dir, ".s.PGSQL."+s.port.String()), db: db}
}

// CreateDatabase makes an empty database.
func (s *server) CreateDatabase(ctx context.Context, name string) error {
	_, err := s.Exec(ctx, "CREATE DATABASE "+quoteName(name)+" TEMPLATE template0")
	return err
}
