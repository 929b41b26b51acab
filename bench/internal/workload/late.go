package workload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pandobase/pando/bench/internal/cluster"
	"github.com/pandobase/pando/bench/internal/dataset"
	"github.com/pandobase/pando/bench/internal/report"
	"github.com/pandobase/pando/internal/localcluster"
)

const (
	lateDuration = 20 * time.Second
	lateReaders  = 8
	lateRate     = 800 // reads a second, all together
)

// late has both replicas show everything 5 s after it was made, writes 1% of the
// keys a second, and reads keys drawn over all. Each answer must be at least as
// new as what anybody was answered about the key before the request began.
//
// Who answered is counted by the replicas themselves. A read of a key that was
// changed within the last 5 s cannot have been theirs, or the check would tell:
// so what they read, they read of the others.
func late(ctx context.Context, r *Runner, c contender, _ int) (report.Sample, error) {
	return onReplicas(ctx, r, c, func(s *session, nodes *localcluster.Replicated) (report.Sample, error) {
		delay := unlessSmall(r, 5*time.Second, time.Second)
		for _, pg := range nodes.Nodes()[1:] {
			if err := pg.ReplayDelay(ctx, delay); err != nil {
				return report.Sample{}, err
			}
		}
		before, err := readsOf(ctx, nodes)
		if err != nil {
			return report.Sample{}, err
		}
		k := &lateCheck{base: "http://" + s.proc.Addr + recordsPath + "/", delay: delay, keys: make([]lateKey, s.spec.Records)}
		k.run(ctx, min(lateDuration, 10*r.Duration+delay))
		if err := k.err(); err != nil {
			return report.Sample{}, err
		}
		// The replicas' counts are theirs; the delay holds nothing back of them.
		byReplicas := 0
		for i, pg := range nodes.Nodes()[1:] {
			n, err := cluster.Reads(ctx, pg)
			if err != nil {
				return report.Sample{}, err
			}
			byReplicas += n - before[i+1]
		}
		return report.Sample{Completed: int(k.reads.Load()), Extra: map[string]float64{
			string(report.LateShare):  100 * float64(byReplicas) / float64(max(k.unchanged.Load(), 1)),
			string(report.StaleReads): float64(k.stale.Load()),
			"reads":                   float64(k.reads.Load()),
			"readsOfUnchangedKeys":    float64(k.unchanged.Load()),
			"writes":                  float64(k.writes.Load()),
		}}, nil
	}, 1, 0, 2)
}

// lateCheck is who knows what was answered.
type lateCheck struct {
	base  string
	delay time.Duration // of the replicas
	keys  []lateKey

	reads, unchanged, writes, stale atomic.Int64
	failed                          atomic.Pointer[error]
}

// lateKey is a record: versions are kept in its field points.
type lateKey struct {
	answered atomic.Int64 // the newest version that anybody was answered
	changed  atomic.Int64 // when, in ns, the last change of it was begun or ended
}

func (k *lateCheck) err() error {
	if err := k.failed.Load(); err != nil {
		return *err
	}
	return nil
}

func (k *lateCheck) run(ctx context.Context, d time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var all sync.WaitGroup
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: lateReaders + 1}}
	every := func(pause time.Duration, seed uint64, do func(*rand.Rand) error) {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(seed, seed))
			tick := time.NewTicker(pause)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				if err := do(rng); err != nil && ctx.Err() == nil {
					k.failed.CompareAndSwap(nil, &err)
					return
				}
			}
		})
	}
	version := int64(1000) // above whatever the data has
	every(time.Second/time.Duration(max(len(k.keys)/100, 1)), 1, func(rng *rand.Rand) error {
		version++
		return k.write(ctx, client, rng.IntN(len(k.keys)), version)
	})
	for i := range lateReaders {
		every(time.Second*lateReaders/lateRate, uint64(i+2), func(rng *rand.Rand) error {
			return k.read(ctx, client, rng.IntN(len(k.keys)))
		})
	}
	all.Wait()
}

func (k *lateCheck) write(ctx context.Context, client *http.Client, i int, version int64) error {
	key := &k.keys[i]
	key.changed.Store(time.Now().UnixNano())
	_, err := k.ask(ctx, client, http.MethodPatch, i, fmt.Sprintf(`{"points":%d}`, version))
	if err != nil {
		return err
	}
	key.changed.Store(time.Now().UnixNano())
	raiseTo(&key.answered, version)
	k.writes.Add(1)
	return nil
}

func (k *lateCheck) read(ctx context.Context, client *http.Client, i int) error {
	key := &k.keys[i]
	least := key.answered.Load()
	unchanged := time.Now().UnixNano()-key.changed.Load() > int64(k.delay)
	got, err := k.ask(ctx, client, http.MethodGet, i, "")
	if err != nil {
		return err
	}
	if least > 0 && got < least {
		k.stale.Add(1)
	}
	if got > 1000 {
		raiseTo(&key.answered, got)
	}
	k.reads.Add(1)
	if unchanged {
		k.unchanged.Add(1)
	}
	return nil
}

// ask sends a request about record i and returns its version.
func (k *lateCheck) ask(ctx context.Context, client *http.Client, method string, i int, body string) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, method, k.base+dataset.RecordID(i), bytes.NewReader([]byte(body)))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err
	}
	if res.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%s: status %d: %.300s", method, res.StatusCode, answer)
	}
	_, text, ok := bytes.Cut(answer, []byte(`"points":`))
	var version int64
	if !ok {
		return 0, errors.New("an answer without points")
	}
	_, err = fmt.Sscan(string(text[:min(len(text), 20)]), &version)
	return version, err
}

func raiseTo(v *atomic.Int64, n int64) {
	for old := v.Load(); old < n && !v.CompareAndSwap(old, n); {
		old = v.Load()
	}
}
