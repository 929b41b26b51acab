package members

import (
	"bytes"
	"context"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/test/target"
)

// TestNetworks: where clients and web servers have a network each, and the load balancer
// is in both, clients are served, and reach no web server.
func TestNetworks(t *testing.T) {
	pg := localclustertest.Postgres(t, localcluster.Options{NoSync: true, Settings: map[string]string{"wal_level": "logical"}})
	bin, err := target.BuildPando(t.Context())
	must(t, err)
	_, port, err := net.SplitHostPort(pg.Addr())
	must(t, err)
	query := url.Values{"host": {filepath.Dir(pg.DataDir())}, "port": {port}}
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "files"), 0o700))
	args := []string{"--net", "--mount", "--pid", "--fork", "--kill-child"}
	if os.Geteuid() != 0 {
		args = append(args, "--user", "--map-root-user")
	}
	args = append(args, "sh", "networks.sh", bin, "postgres://postgres@/postgres?"+query.Encode(), dir)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "unshare", args...)
	cmd.Env = append(os.Environ(), "PANDO_CLUSTER_SECRET="+target.ClusterSecret)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Errorf("This test makes networks of its own: it needs iproute2, util-linux and curl (test/install.sh), and to be root or to be let make user namespaces (kernel.unprivileged_userns_clone=1): %v\n%s", err, stderr.String())
	}
	want := `client-to-balancer 200
client-to-server 000
client-to-private 000
balancer-to-server 200
balancer-past-its-certificate 421
plain-to-private 421
`
	if diff := cmp.Diff(want, stdout.String()); diff != "" {
		t.Error(diff)
		for _, name := range []string{"web.log", "lb.log"} {
			text, _ := os.ReadFile(filepath.Join(dir, name))
			t.Logf("%s:\n%s", name, strings.TrimSpace(string(text)))
		}
	}
}
