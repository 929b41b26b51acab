package target

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"

	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/test/peer"
)

const module = "github.com/pandobase/pando"

func isPando(gomod []byte) bool {
	return bytes.Contains(gomod, []byte("module "+module+"\n"))
}

// StartPeer starts a PocketBase on dir, which it creates when there is none,
// and returns when it answers. The caller stops it.
func StartPeer(ctx context.Context, dir string) (*Server, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	bin, err := peer.Build(ctx, root)
	if err != nil {
		return nil, err
	}
	ports, err := localcluster.ReservePorts(1)
	if err != nil {
		return nil, err
	}
	return launch(ctx, program{
		name:  "peer",
		bin:   bin,
		ports: ports,
		// Without --dev=false a binary below the temporary directory would
		// print every statement it runs.
		superuser: func(dir string) []string {
			return []string{"superuser", "upsert", Email, Password, "--dev=false", "--dir", dir}
		},
		serve: func(dir, addr string) []string {
			return []string{"serve", "--dev=false", "--dir", dir, "--http", addr}
		},
	}, dir)
}

// StartPando builds ./cmd/pando, starts it on dir with any extra flags of
// `pando serve`, and returns when it answers. The caller stops it.
func StartPando(ctx context.Context, dir string) (*Server, error) {
	return StartPandoWith(ctx, dir)
}

// StartPandoWith is StartPando with extra flags for `pando serve`.
func StartPandoWith(ctx context.Context, dir string, flags ...string) (*Server, error) {
	return StartPandoIn(ctx, dir, Surroundings{}, flags...)
}

// Surroundings is what a server runs in.
type Surroundings struct {
	Database string   // a PostgreSQL database for its records; "" is SQLite
	Env      []string // variables (NAME=value) on top of this process's environment
	Wrap     []string // a command that ends by executing its last arguments: the server
	Indirect bool     // it answers load balancers only, and health checks
	Known    bool     // the database has its superuser already
}

// StartPandoIn is StartPandoWith in other surroundings than this process's.
func StartPandoIn(ctx context.Context, dir string, in Surroundings, flags ...string) (*Server, error) {
	bin, err := BuildPando(ctx)
	if err != nil {
		return nil, err
	}
	return startPando(ctx, bin, dir, in, flags...)
}

// StartPandoBin is StartPandoIn for a pando that was built before.
func StartPandoBin(ctx context.Context, bin, dir string, in Surroundings, flags ...string) (*Server, error) {
	return startPando(ctx, bin, dir, in, flags...)
}

func startPando(ctx context.Context, bin, dir string, in Surroundings, flags ...string) (*Server, error) {
	ports, err := localcluster.ReservePorts(2)
	if err != nil {
		return nil, err
	}
	admin := ports[1].Addr()
	var database []string
	if in.Database != "" {
		database = []string{"--database", in.Database}
	}
	superuser := func(dir string) []string {
		return append([]string{"superuser", "upsert", Email, Password, "--dir", dir}, database...)
	}
	if in.Known {
		superuser = nil
	}
	return launch(ctx, program{
		name:      "pando",
		bin:       bin,
		in:        in,
		ports:     ports,
		admin:     "http://" + admin,
		superuser: superuser,
		serve: func(dir, addr string) []string {
			return slices.Concat([]string{"serve", "--dir", dir, "--http", addr, "--admin", admin,
				"--public-dir", filepath.Join(dir, "public"), "--pages-dir", filepath.Join(dir, "pages")}, database, flags)
		},
	}, dir)
}

// health is what answers once the server does.
func (s Surroundings) health() string {
	if s.Indirect {
		return "/readyz"
	}
	return "/api/health"
}

// build is one of our own program.
type build struct {
	sync.Once
	bin string
	err error
}

var ordinary, mutants build

// BuildPando builds bin/pando, once for each process that asks, and returns its
// path. If nothing has changed since it was built last, that takes a moment.
func BuildPando(ctx context.Context) (string, error) { return ordinary.make(ctx, "pando") }

// BuildMutants is the build that can be broken on purpose (internal/mutant), or taken
// for a neighbouring version (internal/neighbour), by what its environment says.
func BuildMutants(ctx context.Context) (string, error) {
	return mutants.make(ctx, "pando-mutants", "-tags", "mutants")
}

func (b *build) make(ctx context.Context, name string, flags ...string) (string, error) {
	b.Do(func() {
		root, err := Root()
		if err != nil {
			b.err = err
			return
		}
		b.bin = filepath.Join(root, "bin", name)
		cmd := exec.CommandContext(ctx, "go", slices.Concat([]string{"build", "-o", b.bin}, flags, []string{"./cmd/pando"})...)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			b.err = fmt.Errorf("target: go build ./cmd/pando: %w\n%s", err, out)
		}
	})
	return b.bin, b.err
}

// program is how to run one kind of server.
type program struct {
	name, bin string
	in        Surroundings
	ports     []*localcluster.Port      // its own for as long as somebody knows of it; the first is for its clients
	admin     string                    // URL of the operators' listener, if there is one
	superuser func(dir string) []string // nil: none is made
	serve     func(dir, addr string) []string
}

// addr is where its clients find the server.
func (p program) addr() string { return p.ports[0].Addr() }

// command is the whole command line of the server.
func (p program) command(dir string) []string {
	return slices.Concat(p.in.Wrap, []string{p.bin}, p.serve(dir, p.addr()))
}

func launch(ctx context.Context, p program, dir string) (*Server, error) {
	if p.superuser != nil {
		out, err := exec.CommandContext(ctx, p.bin, p.superuser(dir)...).CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("target: create the superuser of %s: %w\n%s", p.name, err, out)
		}
	}
	proc, err := run(p.command(dir), p.in.Env)
	if err != nil {
		return nil, fmt.Errorf("target: start %s: %w", p.name, err)
	}
	if err := proc.ready(ctx, "http://"+p.addr()+p.in.health()); err != nil {
		proc.stop(0)
		return nil, fmt.Errorf("target: %s on %s: %w\n%s", p.name, p.addr(), err, proc.output.String())
	}
	return &Server{Name: p.name, URL: "http://" + p.addr(), Admin: p.admin, Email: Email, Password: Password, Dir: dir, proc: proc, args: p}, nil
}
