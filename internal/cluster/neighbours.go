package cluster

import (
	"context"
	"time"

	"github.com/pandobase/pando"
)

// apart tells whether two servers have no format in common that both are sure of: each
// version speaks its own and the one before (frame.go).
func apart(a, b Member) bool { return a.Format > b.Format+1 || b.Format > a.Format+1 }

// Neighbours refuses to have this server join others of a version that is not next to
// its own: whoever of them came to read the log would let the others in no more. It
// asks only who is registered; one that does not renew its row is not there.
func Neighbours(ctx context.Context, r Registry, self Member) error {
	const look, patience = 200 * time.Millisecond, 3 * time.Second // beats are a second apart
	self.Format = int(formatNewest)
	first := map[string]Member{}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		all, err := r.Members(ctx)
		found := false
		for _, m := range all {
			if m.ID == self.ID || !apart(m, self) {
				continue
			}
			found = true
			if was, ok := first[m.ID]; !ok {
				first[m.ID] = m
			} else if !was.Same(m) {
				return pando.Invalid("Server %s of this cluster, at %s, runs Pando %s (format %d of the cluster's language); this one is %s (format %d). Servers of neighbouring formats work side by side: bring the cluster to a version in between first, one server after the other, or stop that server.",
					m.ID, m.Address, orDev(m.Version), m.Format, orDev(self.Version), self.Format)
			}
		}
		if err != nil && ctx.Err() == nil || err == nil && !found {
			return nil // who cannot ask cannot join either, and is told so there
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func orDev(version string) string {
	if version == "" {
		return "of an unknown version"
	}
	return version
}
