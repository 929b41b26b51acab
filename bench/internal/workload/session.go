package workload

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/pandobase/pando/bench/internal/dataset"
	"github.com/pandobase/pando/bench/internal/load"
	"github.com/pandobase/pando/bench/internal/report"
	"github.com/pandobase/pando/bench/internal/server"
)

// session is a contender that runs.
type session struct {
	contender
	proc   *server.Process
	client *dataset.Client // nil for bare and guests
	tokens []string        // of the users that requests are made as
	round  string          // names the round in what it writes
	unwtch context.CancelFunc
	result report.Series
}

// directory makes an empty directory for a contender of w.
func (r *Runner) directory(w *Workload, c contender) (string, error) {
	name := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' {
			return c
		}
		return '_'
	}, w.Name+"-"+c.label)
	work := filepath.Join(r.Scratch, name, "work")
	if err := os.RemoveAll(filepath.Dir(work)); err != nil {
		return "", err
	}
	return filepath.Dir(work), os.MkdirAll(work, 0o755)
}

// open starts a contender on a fresh copy of its data and gets tokens for its
// users. Data that was imported is too large to be copied and is used in
// place; the workloads on it write nothing but logins. It is read once before,
// so that the system has it in memory as it has a fresh copy.
func (r *Runner) open(ctx context.Context, w *Workload, c contender) (*session, error) {
	bin := r.Binaries[c.kind]
	loader := bin
	if c.kind == server.PGX {
		loader = r.Binaries[server.Pando]
	}
	loaded, err := r.Store.Ensure(ctx, loader, c.spec)
	if err != nil {
		return nil, err
	}
	dir, err := r.directory(w, c)
	if err != nil {
		return nil, err
	}
	work := filepath.Join(dir, "work")
	cfg := server.Config{Binary: bin, Data: loaded, Work: work, CPUs: c.cpus, Limit: c.limit, NoCache: c.noCache}
	if c.postgres {
		pg, name, err := r.Postgres.Fresh(ctx, r.Binaries[server.Pando], loaded, work)
		if err != nil {
			return nil, err
		}
		cfg.Data, cfg.Database = filepath.Join(dir, "data"), pg.URL(name, "postgres")
	} else if c.spec.Logins == 0 {
		cfg.Data = filepath.Join(dir, "data")
		if err := r.Store.Copy(loaded, cfg.Data); err != nil {
			return nil, fmt.Errorf("copy the loaded data: %w", err)
		}
	} else if err := r.Store.Warm(loaded); err != nil {
		return nil, fmt.Errorf("read the loaded data: %w", err)
	}
	s := &session{contender: c}
	s.proc, err = server.Start(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s.watch(ctx)
	if w.Guests {
		return s, nil
	}
	if err := s.authenticate(ctx, w.Login); err != nil {
		err = fmt.Errorf("%w\nthe server's last words:\n%s", err, s.proc.LogTail())
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *session) authenticate(ctx context.Context, byPassword bool) (err error) {
	if s.client, err = dataset.Login(ctx, s.proc.Addr, server.Email, server.Password); err != nil {
		return err
	}
	tokens := s.client.Tokens
	if byPassword {
		tokens = s.client.LoginTokens
	}
	s.tokens, err = tokens(ctx, s.spec.CanLogIn())
	return err
}

// openBare starts the bare handler with the answer that source gives to a
// first request of the workload.
func (r *Runner) openBare(ctx context.Context, w *Workload, c contender, source *session) (*session, error) {
	request, _ := w.Script(source, rand.New(rand.NewPCG(0, 0))).Next(0, nil)
	answer, err := server.Capture(source.proc.Addr, request)
	if err != nil {
		return nil, err
	}
	dir, err := r.directory(w, c)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "answer.json")
	if err := answer.Write(file); err != nil {
		return nil, err
	}
	s := &session{contender: c, tokens: source.tokens}
	s.proc, err = server.Start(ctx, server.Config{
		Binary: r.Binaries[server.Bare], Data: file, Work: filepath.Join(dir, "work"),
	})
	return s, err
}

// script makes the requests of a round.
func (s *session) script(w *Workload, round int) load.Script {
	s.round = fmt.Sprintf("%d", round)
	script := w.Script(s, rand.New(rand.NewPCG(seed, uint64(round))))
	if s.kind != server.Bare {
		return script
	}
	return load.ScriptFunc(func(conn int, dst []byte) ([]byte, load.Shot) {
		dst, shot := script.Next(conn, dst)
		shot.Want = nil // it has one answer for everything
		return dst, shot
	})
}

const seed = 20260101

// watch enforces an imitated memory limit until close.
func (s *session) watch(ctx context.Context) {
	ctx, s.unwtch = context.WithCancel(ctx)
	go s.proc.Watch(ctx)
}

// close stops the server and notes how much memory it took.
func (s *session) close() error {
	if m, err := s.proc.Memory(); err == nil {
		s.result.PeakMemory = m.Peak
	}
	if s.unwtch != nil {
		s.unwtch()
	}
	return s.proc.Stop()
}
