package doctor_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/doctor"
)

// healthy is a primary with one synchronous replica, and that replica.
func healthy() []doctor.Host {
	settings := map[string]string{
		"wal_level": "logical", "synchronous_commit": "on", "synchronous_standby_names": "ANY 1 (*)", "fsync": "on",
		"full_page_writes": "on", "max_connections": "100", "superuser_reserved_connections": "3", "wal_log_hints": "on",
	}
	host := doctor.Host{
		Trip: time.Millisecond, Version: 150018, System: 7, Timeline: 1, Encoding: "UTF8", Settings: settings,
		Replication: true, Monitor: true, Writable: true, Connections: 5, Pool: 20,
	}
	primary, replica := host, host
	primary.Name, primary.Standbys, primary.SyncStandbys = "h1:5432", 1, 1
	primary.Slots, primary.Senders, primary.Publishes = 10, 9, true
	replica.Name, replica.InRecovery, replica.Streams = "h2:5432", true, true
	replica.Settings = maps.Clone(settings)
	return []doctor.Host{primary, replica}
}

// TestBalancerRole: the rights that a load balancer needs are printed, where web
// servers are registered.
func TestBalancerRole(t *testing.T) {
	hosts := healthy()
	told := func() (fix string) {
		for _, c := range doctor.CheckDatabase(hosts) {
			if strings.Contains(c.Found, "pando lb") {
				fix = c.Fix
			}
		}
		return fix
	}
	if got := told(); got != "" {
		t.Errorf("where nobody is registered: %s", got)
	}
	for i := range hosts {
		hosts[i].Database, hosts[i].Schema = `"My app"`, "public"
	}
	want := `GRANT CONNECT ON DATABASE "My app" TO pando_lb; GRANT USAGE ON SCHEMA public TO pando_lb; GRANT SELECT ON public._pando_members TO pando_lb;`
	if got := told(); !strings.HasSuffix(got, want) {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestCheckDatabase(t *testing.T) {
	if checks := doctor.CheckDatabase(healthy()); doctor.Worst(checks) != doctor.OK {
		t.Fatalf("a healthy database: %+v", checks)
	}
	for _, tt := range []struct {
		name   string
		damage func(h []doctor.Host)
		level  doctor.Level
		found  string
	}{
		{"a host that is down", func(h []doctor.Host) { h[1].Error = errors.New("connection refused") }, doctor.Bad, "connection refused"},
		{"an old version", func(h []doctor.Host) { h[0].Version, h[1].Version = 130004, 130004 }, doctor.Bad, "PostgreSQL 13"},
		{"two versions", func(h []doctor.Host) { h[1].Version = 160001 }, doctor.Bad, "h2:5432 16"},
		{"two clusters", func(h []doctor.Host) { h[1].System = 8 }, doctor.Bad, "different clusters"},
		{"two primaries", func(h []doctor.Host) { h[1].InRecovery = false }, doctor.Bad, "h1:5432 and h2:5432 all say"},
		{"no primary", func(h []doctor.Host) { h[0].InRecovery, h[0].Streams = true, true }, doctor.Bad, "None of the hosts is a primary"},
		{"a replica that receives nothing", func(h []doctor.Host) { h[1].Streams = false }, doctor.Bad, "falls behind"},
		{"asynchronous", func(h []doctor.Host) { h[0].Settings["synchronous_standby_names"] = "" }, doctor.Warn, "can be lost"},
		{"committed locally only", func(h []doctor.Host) { h[0].Settings["synchronous_commit"] = "local" }, doctor.Warn, "can be lost"},
		{"no commit on disk", func(h []doctor.Host) { h[0].Settings["synchronous_commit"] = "off" }, doctor.Bad, "a crash can lose"},
		{"no fsync", func(h []doctor.Host) { h[0].Settings["fsync"] = "off" }, doctor.Bad, "power loss"},
		{"torn pages", func(h []doctor.Host) { h[0].Settings["full_page_writes"] = "off" }, doctor.Bad, "tear pages"},
		{"the synchronous replica is gone", func(h []doctor.Host) { h[0].SyncStandbys = 0 }, doctor.Bad, "writes wait"},
		{"wal_level", func(h []doctor.Host) { h[0].Settings["wal_level"] = "replica" }, doctor.Warn, "nothing is cached"},
		{"few slots", func(h []doctor.Host) { h[0].Slots = 1 }, doctor.Warn, "1 replication slots are left"},
		{"few senders", func(h []doctor.Host) { h[0].Senders = -1 }, doctor.Warn, "0 connections for replication are left"},
		{"no publication", func(h []doctor.Host) { h[0].Publishes = false }, doctor.Warn, "may not make a publication"},
		{"a pooler", func(h []doctor.Host) { h[0].Pooler = true }, doctor.Warn, "cannot hand on the log"},
		{"no rewind", func(h []doctor.Host) { h[0].Settings["wal_log_hints"] = "off" }, doctor.Warn, "pg_rewind"},
		{"no right to write", func(h []doctor.Host) { h[0].Writable = false }, doctor.Bad, "may not create tables"},
		{"no pg_monitor", func(h []doctor.Host) { h[1].Monitor = false }, doctor.Warn, "state of replication"},
		{"no REPLICATION", func(h []doctor.Host) { h[0].Replication = false }, doctor.Warn, "REPLICATION"},
		{"a superuser", func(h []doctor.Host) { h[0].Superuser = true }, doctor.Warn, "superuser"},
		{"encoding", func(h []doctor.Host) { h[0].Encoding = "LATIN1" }, doctor.Bad, "LATIN1"},
		{"few connections", func(h []doctor.Host) { h[0].Connections = 90 }, doctor.Warn, "90 of 97"},
		{"a clock that is off", func(h []doctor.Host) { h[0].ClockAhead = -2 * time.Second }, doctor.Warn, "differ by 2s"},
		{"a clock far off", func(h []doctor.Host) { h[0].ClockAhead = time.Minute }, doctor.Bad, "differ by 1m0s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			hosts := healthy()
			tt.damage(hosts)
			checks := doctor.CheckDatabase(hosts)
			i := slices.IndexFunc(checks, func(c doctor.Check) bool { return strings.Contains(c.Found, tt.found) && c.Level == tt.level })
			if i < 0 {
				t.Fatalf("no %s check says %q: %+v", tt.level, tt.found, checks)
			}
			if checks[i].Fix == "" {
				t.Error("it does not say what to do")
			}
			if got := doctor.Worst(checks); got != tt.level {
				t.Errorf("the worst is %s, want %s", got, tt.level)
			}
		})
	}
	t.Run("one host alone", func(t *testing.T) {
		hosts := healthy()[:1]
		hosts[0].Standbys, hosts[0].SyncStandbys = 0, 0
		if got := doctor.Worst(doctor.CheckDatabase(hosts)); got != doctor.Warn {
			t.Errorf("%s, want a warning that its disk is the only one", got)
		}
	})
}

func TestCheckMachine(t *testing.T) {
	m := doctor.Machine{Dir: "/data", FreeBytes: 50 << 30, DiskBytes: 100 << 30, OpenFiles: 65536, Memory: 8 << 30, Processors: 4}
	if checks := doctor.CheckMachine(m); doctor.Worst(checks) != doctor.OK {
		t.Fatalf("%+v", checks)
	}
	for name, tt := range map[string]struct {
		damage func(m *doctor.Machine)
		want   doctor.Level
	}{
		"no right": {func(m *doctor.Machine) { m.DirError = errors.New("permission denied") }, doctor.Bad},
		"full":     {func(m *doctor.Machine) { m.FreeBytes = 1 << 20 }, doctor.Warn},
		"files":    {func(m *doctor.Machine) { m.OpenFiles = 1024 }, doctor.Warn},
	} {
		broken := m
		tt.damage(&broken)
		if got := doctor.Worst(doctor.CheckMachine(broken)); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}
