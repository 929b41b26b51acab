package cluster

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/pandobase/pando/test/target"
)

// place is a server's in the cluster, as it says itself.
type place struct {
	ReadsLog bool    // it is the tailer
	Standby  bool    // it is ready to be
	LeaseMS  float64 // what is left of its lease; below 0: since when that has ended
}

func (s *stage) place(t *testing.T, m *target.Member) place {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", m.Admin+"/readyz?verbose", nil)
	must(t, err)
	req.Header.Set("Accept", "application/json")
	res, err := s.http.Do(req)
	must(t, err)
	defer res.Body.Close()
	var facts struct{ Cluster place }
	must(t, json.NewDecoder(res.Body).Decode(&facts))
	return facts.Cluster
}

// calm waits until nothing is broken any more: replicas follow, every server answers and
// writes, and one is ready to be the next tailer.
func (s *stage) calm(t *testing.T) {
	t.Helper()
	must(t, s.WaitStreaming(t.Context()))
	s.ready(t)
	s.written(t)
	soon(t, "somebody is ready to be the next tailer", func() bool {
		return slices.ContainsFunc(s.Members, func(m *target.Member) bool {
			p := s.place(t, m)
			return p.Standby && !p.ReadsLog
		})
	})
}

// sum adds a metric's series with that label, of some servers.
func sum(t *testing.T, metric, label, value string, of ...*target.Member) (all float64) {
	t.Helper()
	for _, m := range of {
		n, err := m.Sum(t.Context(), metric, label, value)
		must(t, err)
		all += n
	}
	return all
}

// queries is how many reads the database has answered to some servers.
func queries(t *testing.T, of ...*target.Member) float64 {
	t.Helper()
	return sum(t, "pando_db_reads_total", "role", "primary", of...) + sum(t, "pando_db_reads_total", "role", "replica", of...)
}
