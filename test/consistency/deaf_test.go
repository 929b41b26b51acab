package consistency

import (
	"strings"
	"testing"

	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/test/target"
)

// deaf starts servers of one cluster by a role that may do everything but read the log, so
// that none hears of the commits of another.
type deaf struct {
	t     *testing.T
	flags []string
	known bool // the database has its superuser
}

// deafRole is that role.
const deafRole = "deaf"

func makeDeafRole(t *testing.T, c *localcluster.Replicated) {
	t.Helper()
	if _, err := c.Primary().Exec(t.Context(), "CREATE ROLE "+deafRole+" LOGIN CREATEDB; GRANT pg_monitor TO "+deafRole); err != nil {
		t.Fatal(err)
	}
}

func newDeaf(t *testing.T, c *localcluster.Replicated) *deaf {
	t.Helper()
	makeDeafRole(t, c)
	return &deaf{t: t, flags: []string{"--blob", "file://" + t.TempDir()}}
}

func (d *deaf) start(url string) *target.Server {
	d.t.Helper()
	s, err := target.StartPandoIn(d.t.Context(), d.t.TempDir(), d.in(url), append(d.flags, "--direct")...)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(s.Stop)
	d.known = true
	return s
}

func (d *deaf) in(url string) target.Surroundings {
	return target.Surroundings{
		Database: strings.Replace(url, "postgres@", deafRole+"@", 1), Known: d.known,
		Env: []string{"PANDO_CLUSTER_SECRET=" + target.ClusterSecret},
	}
}

// cachesNothing checks that a server says so, and that the primary has answered all.
func (d *deaf) cachesNothing(t *testing.T, s *target.Server) {
	t.Helper()
	if !strings.Contains(s.Output(), "nothing is cached, and every read of a cluster goes to the primary") {
		t.Errorf("%s does not say that nothing is cached:\n%s", s.URL, s.Output())
	}
	if r := served(t, s); r.replica > 0 || r.primary < 200 {
		t.Errorf("%s: %v", s.URL, r)
	}
	for _, metric := range []string{"pando_cache_requests_total", "pando_cache_bytes"} {
		all, err := s.Metrics(t.Context(), metric)
		if err != nil {
			t.Fatal(err)
		}
		for labels, n := range all {
			if n != 0 {
				t.Errorf("%s: %s%s is %v", s.URL, metric, labels, n)
			}
		}
	}
}

// needsDirect: load balancers find servers by what they tell each other.
func (d *deaf) needsDirect(t *testing.T, url string) {
	t.Helper()
	in := d.in(url)
	in.Indirect = true
	s, err := target.StartPandoIn(t.Context(), t.TempDir(), in, d.flags...)
	if err == nil {
		s.Stop()
	}
	if err == nil || !strings.Contains(err.Error(), "give --direct") || !strings.Contains(err.Error(), "load balancers do not find this server") {
		t.Errorf("without --direct: %v", err)
	}
}
