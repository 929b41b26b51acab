package localcluster

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Options are of one PostgreSQL server. The zero value is a server as it comes,
// with fsync on, open to everybody on this machine.
type Options struct {
	// Password: if set, whoever comes by TCP needs a password, and this is that
	// of the superuser postgres. Exec comes by a Unix socket and needs none.
	Password string
	// NoSync turns fsync off, and keeps the data in memory if there is a gigabyte
	// to spare: for tests of SQL, and never where the disk is part of the test.
	NoSync bool
	// MaxConnections is 100 if not set.
	MaxConnections int
	// Settings are added to the configuration, and win over what stands there.
	Settings map[string]string
	// InitDB are further arguments of initdb, as --locale-provider=icu --icu-locale=en.
	// Without any, the locale is C.
	InitDB []string
}

// passwordOf is what we know of a user's password.
func (o Options) passwordOf(user string) string {
	if user != "postgres" {
		return ""
	}
	return o.Password
}

func (o Options) initArgs() []string {
	if len(o.InitDB) > 0 {
		return o.InitDB
	}
	return []string{"--locale=C"}
}

// base is the configuration of a node that o asks for.
func (o Options) base(name, dir string) map[string]string {
	s := map[string]string{
		"cluster_name":            name, // in the title of every process: see members
		"hba_file":                filepath.Join(dir, "pg_hba.conf"),
		"ident_file":              filepath.Join(dir, "pg_ident.conf"),
		"listen_addresses":        "127.0.0.1",
		"unix_socket_directories": dir,
		"max_connections":         "100",
		"shared_buffers":          "64MB",
		// Segments in the data directory, deleted with it, and not in /dev/shm.
		"dynamic_shared_memory_type": "mmap",
		"wal_level":                  "logical", // the log is read where there are several web servers
		"hot_standby":                "on",
		"wal_log_hints":              "on", // pg_rewind asks for it
		"log_line_prefix":            "%m [%p] %q%u@%d ",
		"logging_collector":          "off",
		"timezone":                   "UTC",
	}
	if o.MaxConnections > 0 {
		s["max_connections"] = strconv.Itoa(o.MaxConnections)
	}
	if o.NoSync {
		s["fsync"], s["full_page_writes"] = "off", "off"
	}
	maps.Copy(s, o.Settings)
	return s
}

// hba says who may come in how; the owner of the directory by its socket.
func (o Options) hba() string {
	method := "trust"
	if o.Password != "" {
		method = "scram-sha-256"
	}
	return "local all all trust\n" +
		"local replication all trust\n" +
		"host all all 127.0.0.1/32 " + method + "\n" +
		"host replication all 127.0.0.1/32 " + method + "\n"
}

// writeConf writes what the server reads at its start and when told to reload.
// It lies beside the data directory and not in it, so that a copy of the data
// takes nothing of its origin along.
func writeConf(as *identity, dir string, settings map[string]string) error {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&b, "%s = %s\n", name, quoteConf(settings[name]))
	}
	return writeOwned(as, filepath.Join(dir, "postgresql.conf"), b.String())
}

func quoteConf(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(s) + "'"
}

func writeOwned(as *identity, path, text string) error {
	// Written aside and renamed: a server that reads meanwhile sees the old or the new.
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		return fmt.Errorf("localcluster: %w", err)
	}
	if err := as.own(path + ".new"); err != nil {
		return fmt.Errorf("localcluster: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("localcluster: %w", err)
	}
	return nil
}
