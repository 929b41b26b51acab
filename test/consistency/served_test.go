package consistency

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/test/judge"
)

const (
	keys       = 2000
	keyReaders = 6
)

// keyed is a collection of keys, each with a register and the time of its last
// change.
type keyed struct {
	*world
	late    time.Duration // of both replicas
	values  [keys]judge.Register
	changed [keys]atomic.Int64 // by w.sample, when the change was answered
}

func keyID(i int) string { return fmt.Sprintf("key%012d", i) }

// TestReplicasServe counts who answers reads: replicas, also late ones, unless
// what is read has changed too lately for them.
func TestReplicasServe(t *testing.T) {
	c := localclustertest.Replicated(t, 2, localcluster.ReplicatedOptions{})
	g := onReplicas(t, c, "served", uncached(t))
	k := &keyed{late: 2 * time.Second, world: &world{ground: g, report: &report{}, sample: judge.NewSample(0, sinceNow())}}
	if err := k.fill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitReplayed(t.Context()); err != nil {
		t.Fatal(err)
	}

	k.during(t, time.Second) // the server learns with its next probe how far replicas are
	for try := 1; ; try++ {  // a replica may be slow once, and is left alone then
		before := served(t, g.server)
		k.during(t, 3*time.Second)
		r := served(t, g.server).since(before)
		t.Logf("no writes: %v", r)
		if r.primary <= 0.01*(r.primary+r.replica) && r.replica >= 1000 {
			break
		}
		if try == 3 {
			t.Errorf("the primary answered %.0f of %.0f reads, none of which follows a write", r.primary, r.primary+r.replica)
			break
		}
	}

	span := 6 * time.Second
	if long {
		k.late, span = 5*time.Second, 8*time.Second
	}
	for i := range 2 {
		if err := c.Node(i+1).ReplayDelay(t.Context(), k.late); err != nil {
			t.Fatal(err)
		}
	}
	// Until both are as late as they shall be, and beyond.
	stop := k.writing(t)
	k.during(t, k.late+time.Second)
	before := served(t, g.server)
	n := k.report.reads.Load()
	k.during(t, span)
	r := served(t, g.server).since(before)
	n = k.report.reads.Load() - n
	stop()
	t.Logf("both %v late, %d keys and %d writes: %v; %d reads of keys unchanged for %v", k.late, keys, k.report.writes.Load(), r, n, k.late)
	if r.replica < 0.95*float64(n) {
		t.Errorf("replicas answered %.0f of %d reads of keys that had not changed for %v", r.replica, n, k.late)
	}
	if w := k.report.writes.Load(); w < 100 {
		t.Errorf("only %d writes", w)
	}
	for _, v := range append(k.report.violations, k.report.failures...) {
		t.Error(v)
	}
}

func (k *keyed) fill(ctx context.Context) error {
	w, err := login(ctx, k.server)
	if err != nil {
		return err
	}
	k.root = w
	defer k.root.close()
	open := object{"name": "keys", "type": "base", "fields": []object{field("n", "number")}, "listRule": "", "viewRule": "", "updateRule": ""}
	if err := k.root.must(ctx, "POST", "/api/collections", open, nil); err != nil {
		return err
	}
	if err := k.root.must(ctx, "PATCH", "/api/settings", object{"batch": object{"enabled": true, "maxRequests": keys, "timeout": 30}}, nil); err != nil {
		return err
	}
	var batch []object
	for i := range keys {
		batch = append(batch, object{"method": "POST", "url": "/api/collections/keys/records", "body": object{"id": keyID(i), "n": 0}})
	}
	return k.root.must(ctx, "POST", "/api/batch", object{"requests": batch}, nil)
}

// during reads keys that have not changed for as long as replicas are late, and
// now and then one that has.
func (k *keyed) during(t *testing.T, d time.Duration) {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	var all sync.WaitGroup
	for range keyReaders {
		all.Go(func() {
			c := k.client("")
			defer c.close()
			for ctx.Err() == nil {
				i := rand.IntN(keys)
				recent := k.sample.Now()-k.changed[i].Load() < int64(k.late) && k.changed[i].Load() > 0
				if recent && rand.IntN(4) > 0 {
					continue
				}
				var got item
				least := k.values[i].Bound()
				if err := get(ctx, c, "/api/collections/keys/records/"+keyID(i), &got); err != nil {
					k.report.failure(ctx, err)
					return
				}
				if !k.values[i].Saw(c.by, least, got.N) {
					k.report.violation("%s: %d, after %s", keyID(i), got.N, k.values[i].Text(c.by, least))
				}
				if !recent {
					k.report.reads.Add(1)
				}
			}
		})
	}
	all.Wait()
}

// writing changes one key in a hundred each second, until it is stopped.
func (k *keyed) writing(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() {
		c := k.client("")
		defer c.close()
		tick := time.NewTicker(time.Second * 100 / keys)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			i := rand.IntN(keys)
			v := k.values[i].Send()
			k.changed[i].Store(k.sample.Now())
			if err := c.must(context.WithoutCancel(ctx), "PATCH", "/api/collections/keys/records/"+keyID(i), object{"n": v}, nil); err != nil {
				k.report.failure(ctx, err)
				return
			}
			k.values[i].Answered(v)
			k.changed[i].Store(k.sample.Now())
			k.report.writes.Add(1)
		}
	})
	return func() { cancel(); all.Wait() }
}
