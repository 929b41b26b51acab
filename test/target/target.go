// Package target runs servers for tests to talk to: Pando and the peer it is
// compared with, each as a real process on a free loopback port with a data
// directory and a superuser of its own.
//
//	peer := target.Peer(t)   // PocketBase, built from bench/peers/pocketbase
//	pando := target.Pando(t) // built from ./cmd/pando
//
// Both are stopped at the end of the test. Programs that are not tests use
// StartPeer and StartPando. What a server prints is kept and shown only when
// it does not come up.
package target

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Superuser credentials that every started server has.
const (
	Email    = "root@example.com"
	Password = "correct-horse-1"
)

// Server is a server under test. Its fields may be read at any time; a Server
// for one that somebody else started (see At) has no Dir and ignores Stop.
type Server struct {
	lives    atomic.Int64 // how often it was started again
	Name     string       // "peer", "pando" or what At was told
	URL      string       // base URL without a trailing slash, as in http://127.0.0.1:41233
	Admin    string       // base URL of the operators' listener, empty if there is none
	Email    string       // superuser's email
	Password string       // superuser's password
	Dir      string       // data directory, empty for At

	mu   sync.Mutex
	proc *process // another one after Restart
	past []string // what Errors tells of lives that have ended
	args program  // how it was started
}

// At is a server that already runs at url with the given superuser.
func At(name, url, email, password string) *Server {
	return &Server{Name: name, URL: url, Email: email, Password: password}
}

// Peer starts a PocketBase in a new temporary directory and stops it when the
// test ends. The test fails when it does not come up.
func Peer(tb testing.TB) *Server {
	tb.Helper()
	return start(tb, StartPeer)
}

// Pando builds and starts Pando in a new temporary directory and stops it when
// the test ends. The test fails when it does not build or come up.
func Pando(tb testing.TB) *Server {
	tb.Helper()
	return start(tb, StartPando)
}

func start(tb testing.TB, launch func(context.Context, string) (*Server, error)) *Server {
	tb.Helper()
	// Building a peer for the first time takes a minute on a small machine.
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	s, err := launch(ctx, filepath.Join(tb.TempDir(), "data"))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Stop)
	return s
}

// Stop ends the server gracefully, or by force when it has not gone after a
// few seconds. Its data directory stays. Stop may be called more than once.
func (s *Server) Stop() {
	if p := s.process(); p != nil {
		p.stop(5 * time.Second)
	}
}

// Kill ends the server at once, as a crash would.
func (s *Server) Kill() {
	if p := s.process(); p != nil {
		p.stop(0)
	}
}

// Life is how often it was started again.
func (s *Server) Life() int64 { return s.lives.Load() }

// Restart starts a server again that was stopped or killed, with the same command
// line and at the same addresses, and returns when it answers.
func (s *Server) Restart(ctx context.Context) error {
	s.Kill()
	errs := s.Errors()
	s.lives.Add(1)
	p, err := run(s.args.command(s.Dir), s.args.in.Env)
	if err != nil {
		return fmt.Errorf("target: start %s again: %w", s.Name, err)
	}
	s.mu.Lock()
	s.proc, s.past = p, errs
	s.mu.Unlock()
	if err := p.ready(ctx, s.URL+s.args.in.health()); err != nil {
		return fmt.Errorf("target: %s again on %s: %w\n%s", s.Name, s.args.addr(), err, p.output.String())
	}
	return nil
}

func (s *Server) process() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proc
}

// Signal sends sig to the server.
func (s *Server) Signal(sig os.Signal) error { return s.process().cmd.Process.Signal(sig) }

// Wait returns the server's exit code when it has ended; -1 if a signal ended
// it.
func (s *Server) Wait(ctx context.Context) (int, error) {
	p := s.process()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("target: %s has not ended: %w", s.Name, ctx.Err())
	}
}

// PID is the server's process id, or 0 when somebody else started it.
func (s *Server) PID() int {
	if p := s.process(); p != nil {
		return p.cmd.Process.Pid
	}
	return 0
}

// Errors are the lines of level ERROR that the server has logged, in all its lives.
func (s *Server) Errors() []string {
	s.mu.Lock()
	list := slices.Clone(s.past)
	s.mu.Unlock()
	for line := range strings.Lines(s.Output()) {
		if strings.Contains(line, `"level":"ERROR"`) {
			list = append(list, strings.TrimSpace(line))
		}
	}
	return list
}

// Output is what the server has printed so far, since it was started last.
func (s *Server) Output() string {
	if p := s.process(); p != nil {
		return p.output.String()
	}
	return ""
}

// Root is the repository's root: the nearest directory at or above the
// working directory that holds Pando's go.mod.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && isPando(text) {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("target: no go.mod of %s at or above the working directory", module)
		}
		dir = parent
	}
}
