package server

import (
	"context"
	"os"
	"path/filepath"
	"runtime"

	"github.com/pandobase/pando/internal/cache/redis"
	"github.com/pandobase/pando/internal/doctor"
	"github.com/pandobase/pando/internal/store/postgres"
)

// Check is one thing that [Doctor] looked at: its level is "ok", "warn" or
// "bad".
type Check = doctor.Check

// Doctor looks at everything a server with this configuration stands on, and
// says of each thing what is so and, where it is wrong, what to do. It changes
// nothing (a small file is put and deleted again), and works beside a running server. An error is a configuration that
// cannot be looked at.
func Doctor(ctx context.Context, cfg Config) (checks []Check, err error) {
	cfg.Direct = true // a load balancer's domains are looked at on its machine, where the secret is too
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	place, err := cfg.place().absolute()
	if err != nil {
		return nil, err
	}
	l := measure(cfg)
	m := doctor.Machine{Dir: place.Dir, Memory: l.memory, Processors: runtime.GOMAXPROCS(0), OpenFiles: openFiles()}
	m.DirError = writable(place.Dir)
	m.FreeBytes, m.DiskBytes = diskSpace(place.Dir)
	checks = doctor.CheckMachine(m)
	files, err := examineFiles(ctx, place)
	if err != nil {
		return nil, err
	}
	checks = append(checks, doctor.CheckFiles(files)...)
	domains, err := examineDomains(ctx, cfg)
	if err != nil {
		return nil, err
	}
	checks = append(checks, doctor.CheckDomains(domains)...)
	if place.Database == "" {
		return checks, nil
	}
	hosts, err := postgres.Examine(ctx, place.Database)
	if err != nil {
		return nil, err
	}
	checks = append(checks, doctor.CheckDatabase(hosts)...)
	if cfg.Cache == "" {
		return checks, nil
	}
	servers, err := redis.ParseURL(cfg.Cache)
	if err != nil {
		return nil, err
	}
	return append(checks, doctor.CheckCaches(redis.Examine(ctx, servers), cfg.CacheTTL)...), nil
}

// Worst is the worst level among checks.
func Worst(checks []Check) string { return string(doctor.Worst(checks)) }

// writable tells why nothing can be written into dir, or, if it does not exist,
// why it cannot be made.
func writable(dir string) error {
	for {
		f, err := os.CreateTemp(dir, ".pando-probe-")
		if err == nil {
			f.Close()
			return os.Remove(f.Name())
		}
		parent := filepath.Dir(dir)
		if !os.IsNotExist(err) || parent == dir {
			return err
		}
		dir = parent
	}
}
