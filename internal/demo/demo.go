package demo

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/pandobase/pando/internal/localcluster"
)

// Config is what a demo is.
type Config struct {
	Bin    string   // the program: `pando`
	Listen []string // addresses of the load balancers
	Load   bool     // keeps a load on them
	Out    io.Writer
}

// The superuser of a demo, who has nothing to hide.
const (
	Email    = "demo@example.com"
	Password = "demo-password"
)

const (
	webServers = 3
	replicas   = 2
	caches     = 3
)

// demo is a running one.
type demo struct {
	cfg    Config
	out    *output
	dir    string
	secret string
	began  time.Time

	db     *localcluster.Replicated
	caches []*localcluster.Redis
	web    []*child
	lb     []*child
}

// Run starts everything, tells how to use and to break it, looks after it until ctx
// ends, and stops everything.
func Run(ctx context.Context, cfg Config) error {
	d := &demo{cfg: cfg, out: &output{w: cfg.Out}, began: time.Now()}
	var secret [16]byte
	rand.Read(secret[:])
	d.secret = hex.EncodeToString(secret[:])
	dir, err := os.MkdirTemp("", "pando-demo-")
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	d.dir = dir
	err = d.run(ctx)
	if ctx.Err() != nil {
		err = nil // it was told to stop, wherever it was
	}
	return errors.Join(err, d.stop())
}

func (d *demo) run(ctx context.Context) error {
	if err := d.start(ctx); err != nil {
		return err
	}
	if err := d.fill(ctx); err != nil {
		return err
	}
	d.introduce()
	return d.keep(ctx)
}

// stop ends what runs, in the order in which nobody misses anything, and leaves nothing.
func (d *demo) stop() error {
	d.out.say("stopping …")
	var errs []error
	for _, list := range [][]*child{d.lb, d.web} {
		errs = append(errs, each(list, func(c *child) error { return c.stop() }))
	}
	if d.db != nil {
		errs = append(errs, d.db.Destroy())
	}
	errs = append(errs, each(d.caches, func(r *localcluster.Redis) error {
		if r == nil {
			return nil
		}
		return r.Destroy()
	}))
	return errors.Join(append(errs, os.RemoveAll(d.dir))...)
}

// command is a call of Pando.
func (d *demo) command(args ...string) *exec.Cmd {
	cmd := exec.Command(d.cfg.Bin, args...)
	cmd.Env = append(os.Environ(), "PANDO_CLUSTER_SECRET="+d.secret, "PANDO_SUPERUSER_EMAIL="+Email, "PANDO_SUPERUSER_PASSWORD="+Password)
	return cmd
}
