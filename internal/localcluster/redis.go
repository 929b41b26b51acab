package localcluster

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// RedisOptions are of a cache server.
type RedisOptions struct {
	// User and Password are of the one who may come, by an ACL that lets it do to
	// keys that begin with "pando:" what a cache does. Everybody may come as the
	// user default, and do everything, if not set.
	User, Password string
	// TLS has it speak nothing else; CAFile tells its certificate's authority.
	TLS bool
	// ClientCerts has it ask for a certificate, such as ClientCert names.
	ClientCerts bool
	// MaxMemory is 64mb if not set; what does not fit goes by allkeys-lfu.
	MaxMemory string
	// Settings are added to its configuration, in place of those of the same name.
	Settings map[string]string
}

// Redis is one cache server that this package runs: it keeps nothing on disk but
// by Save. Its methods may be called from any goroutine.
type Redis struct {
	Part
	as   *identity
	name string
	dir  string
	port *Port
	opts RedisOptions

	mu   sync.Mutex
	proc *program
	gone bool
}

// StartRedis starts one that holds nothing. The context bounds the start only.
func StartRedis(ctx context.Context, opts RedisOptions) (*Redis, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	as, err := unprivileged()
	if err != nil {
		return nil, err
	}
	name, dir, err := newNode(as, true)
	if err != nil {
		return nil, err
	}
	r := &Redis{Part: Part{[]string{dir + "/"}}, as: as, name: name, dir: dir, opts: opts}
	if r.port, err = ReservePort(); err == nil && opts.TLS {
		err = writeCertificates(as, dir)
	}
	if err == nil {
		err = writeOwned(as, filepath.Join(dir, "redis.conf"), r.conf())
	}
	if err == nil {
		err = r.Start(ctx)
	}
	if err != nil {
		_ = r.Destroy()
		return nil, err
	}
	return r, nil
}

// Start starts it again after a Kill, with what Restore left, or empty.
func (r *Redis) Start(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	ctx, cancel := bounded(ctx)
	defer cancel()
	if r.gone {
		return fmt.Errorf("localcluster: %s is destroyed", r.name)
	}
	if r.proc != nil {
		if len(members(r.match...)) > 0 {
			return nil
		}
		<-r.proc.done
	}
	bin, err := find("redis-server", "redis-server")
	if err != nil {
		return err
	}
	proc, err := launch(r.as, r.dir, r.log(), nil, bin, filepath.Join(r.dir, "redis.conf"))
	if err != nil {
		return err
	}
	r.proc = proc
	return until(ctx, time.Millisecond, r.name+" to start", func() (bool, error) {
		if proc.ended() {
			return false, fmt.Errorf("localcluster: Redis did not start: %w\n%s", proc.err, tail(r.log()))
		}
		said, err := r.Exec(ctx, "PING") // while it loads a dump it says so, and not PONG
		return err == nil && said == "PONG", nil
	})
}

// Exec sends one command as a user who may do everything, by the Unix socket,
// past relays, passwords and TLS. Several answers come line by line.
func (r *Redis) Exec(ctx context.Context, args ...string) (string, error) {
	return redisCall(ctx, filepath.Join(r.dir, "socket"), args...)
}

// Wipe makes it forget everything.
func (r *Redis) Wipe(ctx context.Context) error {
	_, err := r.Exec(ctx, "FLUSHALL")
	return err
}

// Save is a dump of what it holds now.
func (r *Redis) Save(ctx context.Context) ([]byte, error) {
	if _, err := r.Exec(ctx, "SAVE"); err != nil {
		return nil, err
	}
	dump, err := os.ReadFile(r.dump())
	if err != nil {
		return nil, fmt.Errorf("localcluster: %w", err)
	}
	return dump, os.Remove(r.dump()) // what is not restored is not there after a Kill
}

// Restore kills it and starts it with a dump, as a machine does that comes back
// from a snapshot of its disk.
func (r *Redis) Restore(ctx context.Context, dump []byte) error {
	if err := r.Kill(); err != nil {
		return err
	}
	if err := writeOwned(r.as, r.dump(), string(dump)); err != nil {
		return err
	}
	if err := r.Start(ctx); err != nil {
		return err
	}
	return os.Remove(r.dump())
}

// Name tells it from every other node on this machine.
func (r *Redis) Name() string { return r.name }

// Pid is the process's, 0 if there is none.
func (r *Redis) Pid() int {
	for _, p := range members(r.match...) {
		return p.pid
	}
	return 0
}

// Addr is host:port.
func (r *Redis) Addr() string { return r.port.Addr() }

// URL is for a client, with user and password.
func (r *Redis) URL() string { return r.opts.url(r.Addr()) }

// RedisURL is for a client of several with the same options, or of relays to them.
func (r *Redis) RedisURL(addrs ...string) string { return r.opts.url(strings.Join(addrs, ",")) }

// CAFile holds the authority of its certificate, which is for 127.0.0.1.
func (r *Redis) CAFile() string { return filepath.Join(r.dir, "ca.pem") }

// ClientCert is a certificate that the server takes, and its key.
func (r *Redis) ClientCert() (cert, key string) {
	return filepath.Join(r.dir, "client.pem"), filepath.Join(r.dir, "client.key")
}

// Relay is a new relay to the server.
func (r *Redis) Relay() (*Relay, error) { return NewRelay(r.Addr()) }

// Log is the end of the server's log.
func (r *Redis) Log() string { return tail(r.log()) }

func (r *Redis) log() string  { return filepath.Join(r.dir, "log") }
func (r *Redis) dump() string { return filepath.Join(r.dir, "dump.rdb") }

// Destroy kills it, deletes its directory and gives its port back. It may be
// called twice.
func (r *Redis) Destroy() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gone {
		return nil
	}
	if err := r.Kill(); err != nil {
		return err
	}
	r.gone = true
	r.port.Release()
	if err := os.RemoveAll(r.dir); err != nil {
		return fmt.Errorf("localcluster: %w", err)
	}
	return nil
}

// redisCall asks by a connection of its own.
func redisCall(ctx context.Context, socket string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return "", fmt.Errorf("localcluster: %w", err)
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	if _, err := conn.Write(resp("AUTH", redisAdmin, redisAdmin)); err != nil {
		return "", fmt.Errorf("localcluster: %w", err)
	}
	if _, err := conn.Write(resp(args...)); err != nil {
		return "", fmt.Errorf("localcluster: %w", err)
	}
	return readAnswers(conn)
}
