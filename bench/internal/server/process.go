package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// startWithin bounds the time from the start of a server to its first answer.
const startWithin = 60 * time.Second

// Config says how a server is started.
type Config struct {
	Binary Binary
	Data   string // its data directory; for bare the file with its answer
	// Database is the PostgreSQL database of Pando, which then has only files in
	// Data, or of pgx; "" is none.
	Database string
	NoCache  bool     // of Pando
	Flags    []string // of Pando, besides
	Work     string   // an empty directory: working directory, home and log
	CPUs     string   // processors it may use, as taskset writes them ("0", "0,1"); empty for all
	Limit    *Limit   // bound on its memory, nil for none
}

// Process is a running server.
type Process struct {
	Kind      Kind
	Addr      string        // of the web API, as in 127.0.0.1:41233
	Admin     string        // of Pando's admin listener, empty for others
	StartTime time.Duration // from exec to the first answer of /api/health

	cmd   *exec.Cmd
	log   string
	ended chan struct{}
	exit  error // set before ended is closed
	group *group
}

// Start starts a server and waits until it answers.
func Start(ctx context.Context, c Config) (*Process, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	p := &Process{Kind: c.Binary.Kind, Addr: addr, ended: make(chan struct{})}
	args := []string{c.Binary.Path}
	switch c.Binary.Kind {
	case Pando:
		if p.Admin, err = freeAddr(); err != nil {
			return nil, err
		}
		args = append(args, "serve", "--dir", c.Data, "--http", addr, "--admin", p.Admin)
		if c.Database != "" {
			args = append(args, "--database", c.Database)
		}
		if c.NoCache {
			args = append(args, "--cache-size", "off")
		}
		args = append(args, c.Flags...)
	case PocketBase:
		// It would print every statement if its program lay below TMPDIR.
		args = append(args, "serve", "--dev=false", "--dir", c.Data, "--http", addr)
	case Bare:
		args = append(args, "bare", "-answer", c.Data, "-http", addr)
	case PGX:
		args = append(args, "-database", c.Database, "-http", addr)
	}
	if err := p.exec(c, args); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Binary.Kind, err)
	}
	if err := p.ready(ctx); err != nil {
		tail := p.LogTail()
		p.Stop()
		return nil, fmt.Errorf("start %s: %w\nits last words:\n%s", c.Binary.Kind, err, tail)
	}
	return p, nil
}

// Command runs one of the program's other commands, such as superuser or
// import, to its end. What it prints goes to out and, if it fails, into the
// error.
func Command(ctx context.Context, bin Binary, work string, out io.Writer, args ...string) error {
	var printed bytes.Buffer
	cmd := exec.CommandContext(ctx, bin.Path, args...)
	cmd.Dir, cmd.Env = work, environment(work)
	cmd.Stdout = io.MultiWriter(&printed, out)
	cmd.Stderr = cmd.Stdout
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", bin.Kind, strings.Join(args, " "), err, printed.Bytes())
	}
	return nil
}

// environment is that of every server. PATH is empty so that none of them can
// open a browser on the user's desktop when it starts on an empty directory.
func environment(work string) []string {
	return []string{"PATH=", "HOME=" + work, "TMPDIR=" + work, "TZ=UTC"}
}

func (p *Process) exec(c Config, args []string) error {
	env := environment(c.Work)
	if c.CPUs != "" {
		taskset, err := exec.LookPath("taskset")
		if err != nil {
			return fmt.Errorf("binding a server to processors needs taskset (package util-linux): %w", err)
		}
		args = append([]string{taskset, "-c", c.CPUs}, args...)
	}
	if c.Limit != nil {
		var err error
		if p.group, err = c.Limit.open(); err != nil {
			return err
		}
		args = p.group.wrap(args)
		env = append(env, p.group.env()...)
	}
	p.log = filepath.Join(c.Work, "log")
	out, err := os.Create(p.log)
	if err != nil {
		return err
	}
	defer out.Close()
	p.cmd = exec.Command(args[0], args[1:]...)
	p.cmd.Dir, p.cmd.Env = c.Work, env
	p.cmd.Stdout, p.cmd.Stderr = out, out
	started := make(chan error, 1)
	go p.own(started)
	return <-started
}

// own starts the process and waits for it. The kernel ends the server when
// the thread that started it goes away, so that thread must live as long.
func (p *Process) own(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	dieWithParent(p.cmd)
	err := p.cmd.Start()
	started <- err
	if err == nil {
		p.exit = p.cmd.Wait()
		close(p.ended)
	}
}

// ready waits for the first answer 200 of the health endpoint.
func (p *Process) ready(ctx context.Context) error {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	tick := time.NewTicker(500 * time.Microsecond)
	defer tick.Stop()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		select {
		case <-p.ended:
			return fmt.Errorf("it ended before it answered: %w", errors.Join(p.exit))
		case <-ctx.Done():
			return fmt.Errorf("no answer from http://%s/api/health: %w", p.Addr, ctx.Err())
		case <-tick.C:
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.Addr+"/api/health", nil)
		if err != nil {
			return err
		}
		res, err := client.Do(req)
		if err != nil {
			continue
		}
		res.Body.Close()
		if res.StatusCode == http.StatusOK {
			p.StartTime = time.Since(began)
			return nil
		}
	}
}

// Pid is the server's process id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Alive says whether the server still runs.
func (p *Process) Alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// Stop asks the server to end, waits for it, and ends it by force after ten
// seconds. It may be called twice. The error is that of a server that ended
// by itself before, or did not end gracefully.
func (p *Process) Stop() error {
	var err error
	if p.Alive() {
		err = p.end()
	} else if p.exit != nil {
		err = fmt.Errorf("%s ended by itself: %w", p.Kind, p.exit)
	}
	if p.group != nil {
		err = errors.Join(err, p.group.close())
		p.group = nil
	}
	return err
}

func (p *Process) end() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.ended:
		return nil
	case <-time.After(10 * time.Second):
	}
	err := p.cmd.Process.Kill()
	<-p.ended
	return errors.Join(fmt.Errorf("%s did not end within 10 s of SIGTERM", p.Kind), err)
}

// LogTail is the end of what the server printed, at most 2,000 bytes.
func (p *Process) LogTail() string {
	f, err := os.Open(p.log)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.Size() > 2000 {
		f.Seek(-2000, io.SeekEnd)
	}
	b, err := io.ReadAll(f)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// freeAddr finds a loopback port that nobody listens on.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}
