package cluster

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/pandobase/pando/test/target"
)

// told is what a member shows of itself and of the others.
type told struct {
	Cluster struct {
		Server, Tailer, Frontier string
		LeaseMS                  float64
		LagMS                    *float64
		LagBytes                 *float64
		Followers                []struct {
			Server  string
			LeaseMS float64
			Counted bool
		}
	}
	Nodes []struct {
		Role, ID, Position string
		LeaseMS, LagMS     *float64
		LagBytes           *float64
		Told               bool
	}
	Cache struct {
		Collections []struct{ ID string }
		ShadowReads struct{ Violations uint64 }
		Rejected    struct{ Forged, Foreign uint64 }
		Servers     []struct{ Name string }
	}
}

// tells asks a member: a superuser does by /api/system, who is on its machine by /readyz.
func (s *stage) tells(ctx context.Context, t *testing.T, url string) (f told) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	must(t, err)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Authorization", s.root)
	res, err := s.http.Do(req)
	must(t, err)
	defer res.Body.Close()
	must(t, json.NewDecoder(res.Body).Decode(&f))
	return f
}

// behind tells whether something is said, and is more than that.
func over(v *float64, than float64) bool { return v != nil && *v > than }

// TestSystem: every server tells of every other one how far it is, and for how long it may
// believe it. One that hears nothing of the log any more says so, and by how much it is
// behind, as it asks the primary itself; so does, of it, whoever is asked.
func TestSystem(t *testing.T) {
	s := newStage(t, target.ClusterOptions{Replicas: 1, Caches: 1, Between: true})
	s.warm(t, 10, 0)
	well := func() bool {
		for _, m := range s.Members {
			f := s.tells(t.Context(), t, m.URL+"/api/system")
			n := 0
			for _, node := range f.Nodes {
				if node.Role == "web" && node.Told && over(node.LeaseMS, 0) && node.LagMS != nil && *node.LagMS == 0 && node.LagBytes != nil && *node.LagBytes == 0 && node.Position != "" {
					n++
				}
			}
			if n != len(s.Members) || f.Cluster.LeaseMS <= 0 || f.Cluster.Frontier == "" || len(f.Cache.Servers) != 1 || len(f.Cache.Collections) == 0 {
				return false
			}
			if (f.Cluster.Server == f.Cluster.Tailer) != (len(f.Cluster.Followers) == len(s.Members)) {
				return false
			}
		}
		return true
	}
	soon(t, "all have leases, and lack nothing", well)
	for _, m := range s.Members {
		f := s.tells(t.Context(), t, m.URL+"/api/system")
		if f.Cache.ShadowReads.Violations+f.Cache.Rejected.Forged+f.Cache.Rejected.Foreign != 0 {
			t.Errorf("%s: %+v", m.Name, f.Cache)
		}
	}

	// Nobody reaches the one who reads the log. It goes on writing, once the others have no
	// lease any more, and lets another read it after a while.
	tailer, others := s.tailer(t)
	tailer.ToIt.Silence()
	n := int64(1)
	soon(t, "it is told of the others that they are behind", func() bool {
		n++
		s.set(t, tailer, 1, n)
		f := s.tells(t.Context(), t, tailer.URL+"/api/system")
		late := 0
		for _, node := range f.Nodes {
			if node.Role == "web" && node.ID != f.Cluster.Server && over(node.LagMS, float64(lease.Milliseconds())) && over(node.LagBytes, 0) && node.LeaseMS != nil && *node.LeaseMS < 0 {
				late++
			}
		}
		return late == len(others) && f.Cluster.LeaseMS > 0
	})
	f := s.tells(t.Context(), t, others[0].Admin+"/readyz?verbose")
	if f.Cluster.LeaseMS > 0 || !over(f.Cluster.LagMS, float64(lease.Milliseconds())) {
		t.Errorf("%s: %+v", others[0].Name, f.Cluster)
	}
	lag, err := others[0].Metrics(t.Context(), "pando_cluster_stream_lag_seconds")
	must(t, err)
	bytes, err := others[0].Metrics(t.Context(), "pando_cluster_stream_lag_bytes")
	must(t, err)
	if lag[""] < lease.Seconds() || bytes[""] == 0 {
		t.Errorf("%s is behind by %v s, %v bytes", others[0].Name, lag[""], bytes[""])
	}

	must(t, tailer.Heal())
	s.ready(t)
	soon(t, "all have leases again, and lack nothing", well)
}
