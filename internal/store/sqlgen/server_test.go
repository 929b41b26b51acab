package sqlgen_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// postgres is a server for the tests of this package, on a socket of its own. It
// keeps nothing: nobody asks here what a crash leaves.
type postgres struct {
	dir string
	cmd *exec.Cmd
	log bytes.Buffer
}

var (
	server     *postgres
	startOnce  sync.Once
	serverFail error
)

func TestMain(m *testing.M) {
	code := m.Run()
	if server != nil {
		server.stop()
	}
	os.Exit(code)
}

// dsn is a connection string for the server, which it starts if need be.
func dsn(t testing.TB) string {
	t.Helper()
	startOnce.Do(func() { server, serverFail = startPostgres() })
	if serverFail != nil {
		t.Fatal(serverFail)
	}
	return "host=" + server.dir + " user=postgres dbname=postgres"
}

func startPostgres() (*postgres, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return nil, fmt.Errorf("these tests need PostgreSQL 15 or later: apt-get install postgresql")
	}
	bin := filepath.Dir(found[len(found)-1])
	dir, err := os.MkdirTemp("", "sqlgen")
	if err != nil {
		return nil, err
	}
	p := &postgres{dir: dir}
	as := &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if os.Getuid() == 0 { // as whom PostgreSQL does not run
		u, err := user.Lookup("postgres")
		if err != nil {
			return nil, err
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		if err := os.Chown(dir, uid, gid); err != nil {
			return nil, err
		}
		as.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	data := filepath.Join(dir, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N")
	initdb.SysProcAttr, initdb.Dir = as, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	p.cmd = exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=200")
	p.cmd.SysProcAttr, p.cmd.Dir = as, dir
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	// The signal at the end of its parent comes when the parent's thread ends.
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		started <- p.cmd.Start()
		select {}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, p.ready()
}

func (p *postgres) ready() error {
	var err error
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		var c *pgx.Conn
		if c, err = pgx.Connect(context.Background(), "host="+p.dir+" user=postgres dbname=postgres"); err == nil {
			return c.Close(context.Background())
		}
	}
	return fmt.Errorf("%w\n%s", err, p.log.String())
}

func (p *postgres) stop() {
	p.cmd.Process.Signal(syscall.SIGQUIT)
	p.cmd.Wait()
	os.RemoveAll(p.dir)
}
