package workload

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/pandobase/pando/bench/internal/server"
)

// profile does one more round with Pando, which does not count, and saves a
// CPU profile of it; of each Pando that takes part, if several do.
func (r *Runner) profile(ctx context.Context, w *Workload, sessions []*session) {
	if r.Profile == "" || w.Script == nil {
		return
	}
	for i, s := range sessions {
		if s.kind != server.Pando || s.result.Fault != "" || ctx.Err() != nil {
			continue
		}
		path := fmt.Sprintf("%s-%s.pprof", r.Profile, w.Name)
		if i > 0 {
			path = fmt.Sprintf("%s-%s-%d.pprof", r.Profile, w.Name, i+1)
		}
		fetched := make(chan error, 1)
		go func() { fetched <- fetchProfile(ctx, s.proc.Admin, path, r.Duration) }()
		_, err := drive(ctx, r, w, s, r.Rounds)
		if fetchErr := <-fetched; fetchErr != nil {
			err = fetchErr
		}
		if err != nil {
			r.Log("  profile: %v", err) // the figures are not touched by it
			continue
		}
		r.Log("  profile of %s: go tool pprof -http=: %s", s.label, path)
	}
}

func fetchProfile(ctx context.Context, admin, path string, d time.Duration) error {
	seconds := max(int(d.Seconds()), 1)
	url := fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", admin, seconds)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: status %d: %.200s", url, res.StatusCode, b)
	}
	return os.WriteFile(path, b, 0o644)
}
