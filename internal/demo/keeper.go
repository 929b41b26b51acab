package demo

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/pandobase/pando/internal/localcluster"
)

// What was broken is left so for a while, so that one can look at what the others do.
const (
	restartAfter = 5 * time.Second
	promoteAfter = 2 * time.Second
	lookEvery    = 500 * time.Millisecond
)

// keep looks after the parts until ctx ends, and keeps a load on them if it is wanted.
func (d *demo) keep(ctx context.Context) error {
	var all sync.WaitGroup
	defer all.Wait()
	for _, c := range append(append([]*child{}, d.web...), d.lb...) {
		all.Go(func() { d.keepChild(ctx, c) })
	}
	for i, r := range d.caches {
		all.Go(func() { d.keepCache(ctx, i, r) })
	}
	all.Go(func() { d.keepDatabase(ctx) })
	if d.cfg.Load {
		all.Go(func() { d.load(ctx) })
	}
	<-ctx.Done()
	return nil
}

// keepChild is what systemd does for a server.
func (d *demo) keepChild(ctx context.Context, c *child) {
	for {
		ended, cmd := c.end()
		select {
		case <-ctx.Done():
			return
		case <-ended:
		}
		d.out.say("%s has ended (%v); it is started again in %v", c.name, cmd.ProcessState, restartAfter)
		for {
			if !rest(ctx, restartAfter) {
				return
			}
			err := c.start(ctx)
			if err == nil {
				d.out.say("%s is back: pid %d", c.name, c.pid())
				break
			}
			if ctx.Err() != nil {
				return
			}
			d.out.say("%v", err)
		}
	}
}

func (d *demo) keepCache(ctx context.Context, i int, r *localcluster.Redis) {
	for rest(ctx, lookEvery) {
		if r.Pid() != 0 {
			continue
		}
		d.out.say("cache%d has ended; it is started again in %v, empty", i+1, restartAfter)
		if !rest(ctx, restartAfter) {
			return
		}
		if err := r.Start(ctx); err != nil && ctx.Err() == nil {
			d.out.say("%v", err)
			continue
		}
		d.out.say("cache%d is back: pid %d", i+1, r.Pid())
	}
}

// keepDatabase is what Patroni does, as far as a demo needs it: where a primary's process
// is gone, which is certain on one machine, a replica is promoted at once.
func (d *demo) keepDatabase(ctx context.Context) {
	nodes := d.db.Nodes()
	for rest(ctx, lookEvery) {
		for i, n := range nodes {
			if n.Pid() != 0 {
				continue
			}
			if n == d.db.Primary() {
				d.failOver(ctx, i)
				continue
			}
			d.out.say("the replica pg%d has ended; it is made anew in %v", i+1, restartAfter)
			if rest(ctx, restartAfter) {
				d.clone(ctx, i)
			}
		}
	}
}

func (d *demo) failOver(ctx context.Context, old int) {
	d.out.say("the primary pg%d has ended; a replica is promoted in %v", old+1, promoteAfter)
	if !rest(ctx, promoteAfter) {
		return
	}
	for i, n := range d.db.Nodes() {
		if i == old || n.Pid() == 0 {
			continue
		}
		if err := d.db.Promote(ctx, i); err != nil {
			d.out.say("pg%d cannot be promoted: %v", i+1, err)
			continue
		}
		if err := d.synchronous(ctx); err != nil {
			d.out.say("%v", err)
		}
		d.out.say("pg%d is the primary now; pg%d comes back as a replica", i+1, old+1)
		d.clone(ctx, old)
		return
	}
	d.out.say("no replica is left; pg%d is started again", old+1)
	if err := d.db.Node(old).Start(ctx); err != nil && ctx.Err() == nil {
		d.out.say("%v", err)
	}
}

func (d *demo) clone(ctx context.Context, i int) {
	if err := d.db.Clone(ctx, i); err != nil {
		if ctx.Err() == nil {
			d.out.say("pg%d: %v", i+1, err)
		}
		return
	}
	d.out.say("pg%d is back, a replica: pid %d", i+1, d.db.Node(i).Pid())
}

// rest waits; false if ctx has ended by then.
func rest(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// address of a load balancer, as URLs have it.
func (d *demo) url(i int) string { return fmt.Sprint("http://", d.cfg.Listen[i%len(d.cfg.Listen)]) }
