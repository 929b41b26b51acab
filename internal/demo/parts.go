package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/pandobase/pando/internal/localcluster"
)

// start brings up everything. What the next does not need is started at once.
func (d *demo) start(ctx context.Context) error {
	database, cache := make(chan error, 1), make(chan error, 1)
	go func() { database <- d.startDatabase(ctx) }()
	go func() { cache <- d.startCaches(ctx) }()
	if err := errors.Join(<-database, <-cache); err != nil {
		return missing(err)
	}
	if err := d.startWeb(ctx); err != nil {
		return err
	}
	return d.startBalancers(ctx)
}

// missing says what to do about programs that are not on this machine.
func missing(err error) error {
	if strings.Contains(err.Error(), "apt-get install") {
		return fmt.Errorf("the demo is made of real parts, and some are not on this machine:\n%w", err)
	}
	return err
}

func (d *demo) startDatabase(ctx context.Context) (err error) {
	d.db, err = localcluster.StartReplicated(ctx, replicas, localcluster.ReplicatedOptions{
		Options: localcluster.Options{NoSync: true, MaxConnections: 300, Settings: map[string]string{"wal_level": "logical"}},
	})
	if err != nil {
		return err
	}
	if err := d.db.Primary().CreateDatabase(ctx, "app"); err != nil {
		return err
	}
	if err := d.synchronous(ctx); err != nil {
		return err
	}
	return d.db.WaitReplayed(ctx)
}

// synchronous has commits wait for one of the replicas, so that a failover loses none.
func (d *demo) synchronous(ctx context.Context) error {
	return d.db.Primary().Set(ctx, "synchronous_standby_names", "ANY 1 (*)")
}

func (d *demo) startCaches(ctx context.Context) error {
	d.caches = make([]*localcluster.Redis, caches)
	var all sync.WaitGroup
	errs := make([]error, caches)
	for i := range caches {
		all.Go(func() { d.caches[i], errs[i] = localcluster.StartRedis(ctx, localcluster.RedisOptions{}) })
	}
	all.Wait()
	if errs[0] != nil {
		return errs[0] // the others say the same
	}
	return errors.Join(errs...)
}

// startWeb starts one server, which makes the database ready, and then the others.
func (d *demo) startWeb(ctx context.Context) error {
	files := filepath.Join(d.dir, "files")
	if err := os.Mkdir(files, 0o700); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	var hosts []string
	for _, r := range d.caches {
		hosts = append(hosts, r.Addr())
	}
	for i := range webServers {
		name := fmt.Sprint("web", i+1)
		d.web = append(d.web, newChild(name, func() []string {
			return []string{
				"serve", "--dir", filepath.Join(d.dir, name), "--advertise", "127.0.0.1:0", "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0",
				"--database", d.db.URL("app", "postgres"), "--cache", "redis://" + strings.Join(hosts, ","),
				"--blob", "file://" + files, "--log-format", "json",
			}
		}, d))
	}
	if err := d.web[0].start(ctx); err != nil {
		return err
	}
	return each(d.web[1:], func(c *child) error { return c.start(ctx) })
}

func (d *demo) startBalancers(ctx context.Context) error {
	for i, address := range d.cfg.Listen {
		d.lb = append(d.lb, newChild(fmt.Sprint("lb", i+1), func() []string {
			var join []string
			for _, w := range d.web {
				join = append(join, w.said().Private)
			}
			return []string{"lb", "--listen", address, "--join", strings.Join(join, ","), "--admin", "127.0.0.1:0", "--log-format", "json"}
		}, d))
	}
	return each(d.lb, func(c *child) error { return c.start(ctx) })
}

// each does it for all at once.
func each[T any](list []T, do func(T) error) error {
	errs := make([]error, len(list))
	var all sync.WaitGroup
	for i, x := range list {
		all.Go(func() { errs[i] = do(x) })
	}
	all.Wait()
	return errors.Join(errs...)
}
