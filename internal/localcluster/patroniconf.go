package localcluster

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/pandobase/pando/deploy/patroni"
)

// PatroniOptions are of a cluster of Patroni nodes. The zero value is a cluster
// as deploy/patroni makes it: strictly synchronous, with failsafe mode, and a
// ttl of 20 s.
type PatroniOptions struct {
	Options // of every node's PostgreSQL
	// TTL, LoopWait and RetryTimeout, in seconds, if not 0, are those of
	// patroni.yml. Patroni 3 takes a ttl of 5, with 1 and 2, at which tests wait
	// less; newer ones raise it to 20.
	TTL, LoopWait, RetryTimeout int
	// StartTimeout, in seconds, is how long a crashed PostgreSQL may take to
	// start again before another node takes over.
	StartTimeout int
	// Async answers a commit without waiting for a replica.
	Async bool
	// Lenient goes on without a replica if there is none.
	Lenient bool
	// NoFailsafe stops all writes while etcd is away.
	NoFailsafe bool
}

// passwords of roles that only the nodes themselves use.
const innerPassword = "inner"

// patroniYML is deploy/patroni/patroni.yml for a node on this machine.
func patroniYML(n *PatroniNode, scope string, opts PatroniOptions) (string, error) {
	e := edit{text: patroni.YML}
	e.set("scope: pando", "scope: "+scope)
	e.set("NODE_NAME", n.name)
	e.set("NODE_ADDRESS:8008", n.rest.Addr())
	e.set("NODE_ADDRESS:5432", n.Addr())
	e.set("ETCD_HOSTS", n.ToEtcd.Addr())
	e.set("/var/lib/postgresql/pando.pgpass", filepath.Join(n.dir, "pgpass"))
	e.set("data_dir: /var/lib/postgresql/pando", "data_dir: "+n.data)
	e.set("/usr/lib/postgresql/PG_VERSION/bin", n.bin)
	e.set("/var/run/postgresql", n.dir)
	e.set("mode: automatic", "mode: off") // this machine is not to be reset
	e.set("NETWORK", "127.0.0.1/32")
	e.set("local all all peer", "local all all trust") // Exec may be of another user
	e.set("REPLICATION_PASSWORD", innerPassword)
	e.set("REWIND_PASSWORD", innerPassword)
	if opts.Password == "" {
		e.set("host all all 127.0.0.1/32 scram-sha-256", "host all all 127.0.0.1/32 trust")
		e.set("SUPERUSER_PASSWORD", innerPassword) // none at all is an error of initdb's
	} else {
		e.set("SUPERUSER_PASSWORD", quoteConf(opts.Password))
	}
	for name, seconds := range map[string]int{"ttl": opts.TTL, "loop_wait": opts.LoopWait, "retry_timeout": opts.RetryTimeout} {
		if seconds > 0 {
			e.number(name, seconds)
		}
	}
	e.number("master_start_timeout", opts.StartTimeout)
	e.number("primary_start_timeout", opts.StartTimeout)
	if opts.Async {
		e.set("synchronous_mode: true", "synchronous_mode: false")
	}
	if opts.Lenient {
		e.set("synchronous_mode_strict: true", "synchronous_mode_strict: false")
	}
	if opts.NoFailsafe {
		e.set("failsafe_mode: true", "failsafe_mode: false")
	}
	if opts.MaxConnections > 0 {
		e.number("max_connections", opts.MaxConnections)
	}
	if len(opts.InitDB) > 0 {
		e.err = fmt.Errorf("localcluster: Patroni's nodes take their InitDB from patroni.yml")
	}
	extra := map[string]string{"dynamic_shared_memory_type": "mmap", "shared_buffers": "64MB"}
	if opts.NoSync {
		extra["fsync"], extra["full_page_writes"] = "off", "off"
	}
	maps.Copy(extra, opts.Settings)
	// A copy need not reach the disk to survive what is done to processes.
	e.set("    - data-checksums\n", "    - data-checksums\n    - no-sync\n")
	e.set("  authentication:\n", "  basebackup:\n    - no-sync\n    - checkpoint: fast\n  authentication:\n")
	var lines strings.Builder
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		fmt.Fprintf(&lines, "    %s: %s\n", name, quoteConf(extra[name]))
	}
	e.set("    unix_socket_directories:", lines.String()+"    unix_socket_directories:")
	return e.text, e.err
}

// edit changes a text, and fails if there is nothing to change: the file has
// moved on, and its tests have to.
type edit struct {
	text string
	err  error
}

func (e *edit) set(from, to string) {
	if !strings.Contains(e.text, from) && e.err == nil {
		e.err = fmt.Errorf("localcluster: no %q in deploy/patroni/patroni.yml", from)
	}
	e.text = strings.ReplaceAll(e.text, from, to)
}

// number sets a "name: 1" on a line of its own.
func (e *edit) number(name string, to int) {
	lines := strings.Split(e.text, "\n")
	at := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(strings.TrimSpace(l), name+": ") })
	if at < 0 {
		e.err = fmt.Errorf("localcluster: no %s in deploy/patroni/patroni.yml", name)
		return
	}
	before, _, _ := strings.Cut(lines[at], ":")
	lines[at] = before + ": " + strconv.Itoa(to)
	e.text = strings.Join(lines, "\n")
}
