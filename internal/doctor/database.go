package doctor

import (
	"fmt"
	"strings"
	"time"
)

// oldest is the oldest PostgreSQL that Pando works with.
const oldest = 14

// Host is what one host of a PostgreSQL database tells of itself.
type Host struct {
	Name  string        // host:port
	Error error         // why it could not be asked; then nothing else is known
	Trip  time.Duration // one round trip

	Version    int    // server_version_num
	InRecovery bool   // a replica
	System     uint64 // which cluster it belongs to
	Timeline   uint32
	Encoding   string // of the database

	// Settings are those of [SettingNames], as SHOW writes them.
	Settings map[string]string
	// SyncStandbys is how many replicas answer for a commit: pg_stat_replication
	// with sync_state sync or quorum. Of a primary only.
	SyncStandbys int
	Standbys     int // that stream from it
	Streams      bool
	Connections  int           // in use, of all databases
	Pool         int           // how many connections Pando opens to it
	ClockAhead   time.Duration // its clock less ours, half the round trip taken off

	Superuser, Replication, Monitor bool // the role's rights
	Writable                        bool // it may create tables where Pando's are, or owns them
	Pooler                          bool // a PgBouncer in transaction mode stands before it

	// What several web servers need to read its log; of a primary only.
	Slots     int  // replication slots that others leave
	Senders   int  // connections for replication that others leave
	Publishes bool // the role may make a publication, or there is ours

	// Where web servers are registered, as SQL names it; "" if they are not.
	Database, Schema string
}

// SettingNames are the settings that [CheckDatabase] looks at.
var SettingNames = []string{
	"wal_level", "synchronous_commit", "synchronous_standby_names", "fsync", "full_page_writes", "max_connections",
	"superuser_reserved_connections", "hot_standby", "max_standby_streaming_delay", "wal_log_hints", "data_checksums",
}

// CheckDatabase judges the hosts of one database.
func CheckDatabase(hosts []Host) []Check {
	var checks []Check
	var primaries, known []Host
	for _, h := range hosts {
		checks = append(checks, checkHost(h)...)
		if h.Error == nil {
			known = append(known, h)
			if !h.InRecovery {
				primaries = append(primaries, h)
			}
		}
	}
	l := &list{about: "database"}
	l.together(known)
	switch {
	case len(known) == 0:
		l.bad("Check the address, the network and pg_hba.conf.", "No host answers.")
	case len(primaries) == 0:
		l.bad("Promote a replica, or wait for Patroni to do so.", "None of the hosts is a primary: reads work, writes do not.")
	case len(primaries) > 1:
		l.bad("Stop the one that was left behind, and clone it anew from the other.", "%s all say that they are the primary.", names(primaries))
	default:
		l.durability(primaries[0], len(hosts))
		l.stream(primaries[0])
		l.balancers(primaries[0])
	}
	return append(checks, l.checks...)
}

// together judges what all hosts must share.
func (l *list) together(hosts []Host) {
	for i, h := range hosts {
		if i == 0 {
			continue
		}
		if h.System != hosts[0].System {
			l.bad("Name the hosts of one cluster only.", "%s and %s belong to different clusters.", hosts[0].Name, h.Name)
		}
		if h.Version/10000 != hosts[0].Version/10000 {
			l.bad("Bring them to one major version.", "%s runs PostgreSQL %d and %s %d.", hosts[0].Name, hosts[0].Version/10000, h.Name, h.Version/10000)
		}
	}
}

// durability says plainly when an answered write could be lost.
func (l *list) durability(p Host, hosts int) {
	commit, names := p.Settings["synchronous_commit"], p.Settings["synchronous_standby_names"]
	switch {
	case p.Settings["fsync"] == "off":
		l.bad("Set fsync = on.", "fsync is off: a power loss can lose answered writes, and the whole database.")
	case commit == "off":
		l.bad("Set synchronous_commit = on.", "synchronous_commit is off: writes are answered before they are on disk, and a crash can lose them.")
	case hosts == 1 && p.Standbys == 0:
		l.warn("Add replicas with synchronous replication, or be content with your backups.", "There is one host: answered writes survive a crash, but not the loss of its disk.")
	case names == "" || commit == "local":
		l.warn("Set synchronous_standby_names, or synchronous_mode in Patroni.", "Replication is asynchronous: if the primary's machine is lost, writes that were answered in its last moments can be lost with it.")
	case p.SyncStandbys == 0:
		l.bad("Bring a synchronous replica back; until then no write is answered.", "Replication is synchronous, and no synchronous replica is connected: writes wait.")
	default:
		l.ok("Replication is synchronous (%d of %d replicas answer for each commit): an answered write survives the loss of the primary.", p.SyncStandbys, p.Standbys)
	}
	if p.Settings["full_page_writes"] == "off" {
		l.bad("Set full_page_writes = on.", "full_page_writes is off: a power loss can tear pages.")
	}
	if hosts > 1 && p.Settings["wal_log_hints"] != "on" && p.Settings["data_checksums"] != "on" {
		l.warn("Set wal_log_hints = on, or make the cluster with checksums.", "pg_rewind cannot bring a failed primary back: it has to be cloned anew.")
	}
}

// readers is how many web servers of a cluster read the log at once: the one that
// tells the others, and the one that would take its place.
const readers = 2

// deaf is what a web server does that cannot read the log.
const deaf = "nothing is cached, and a member of a cluster starts only with --direct"

// stream says what keeps web servers from hearing of changes by the log.
func (l *list) stream(p Host) {
	before := len(l.checks)
	if p.Settings["wal_level"] != "logical" {
		l.warn("Set wal_level = logical and restart PostgreSQL.", "wal_level is %s and not logical: "+deaf+".", p.Settings["wal_level"])
	}
	if p.Slots < readers {
		l.warn("Raise max_replication_slots and restart PostgreSQL.", "%d replication slots are left; web servers take %d: one for one of them, without which "+deaf+", and one for the next.", max(p.Slots, 0), readers)
	}
	if p.Senders < readers {
		l.warn("Raise max_wal_senders and restart PostgreSQL.", "%d connections for replication are left; web servers take %d: one for one of them, without which "+deaf+", and one for the next.", max(p.Senders, 0), readers)
	}
	if !p.Publishes {
		l.warn("GRANT CREATE ON DATABASE … TO the role.", "The role may not make a publication: "+deaf+".")
	}
	if p.Pooler {
		l.warn("Name the servers themselves in the database URL.", "A pooler in transaction mode cannot hand on the log: "+deaf+".")
	}
	if len(l.checks) == before && (p.Replication || p.Superuser) {
		l.ok("Its log can be read: several web servers can share the database, and cache.")
	}
}

// balancers says which rights a load balancer needs that reads who is a member.
func (l *list) balancers(p Host) {
	if p.Schema == "" {
		return
	}
	l.checks = append(l.checks, Check{OK, l.about, "A load balancer may read the web servers from it (pando lb --database), as a role that has no other right:",
		fmt.Sprintf("CREATE ROLE pando_lb LOGIN PASSWORD '…'; GRANT CONNECT ON DATABASE %s TO pando_lb; GRANT USAGE ON SCHEMA %s TO pando_lb; GRANT SELECT ON %[2]s._pando_members TO pando_lb;", p.Database, p.Schema)})
}

func checkHost(h Host) []Check {
	l := &list{about: h.Name}
	if h.Error != nil {
		l.bad("Check that it runs, the network, pg_hba.conf, and the role's password.", "It does not answer: %v.", h.Error)
		return l.checks
	}
	role := "primary"
	if h.InRecovery {
		role = "replica"
	}
	major := h.Version / 10000
	if major < oldest {
		l.bad(fmt.Sprintf("Upgrade to PostgreSQL %d or later.", oldest), "It runs PostgreSQL %d.", major)
	} else {
		l.ok("PostgreSQL %d.%d, %s, timeline %d, %s a round trip.", major, h.Version%10000, role, h.Timeline, h.Trip.Round(10*time.Microsecond))
	}
	if !strings.EqualFold(h.Encoding, "UTF8") {
		l.bad("Make the database anew: CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0.", "The database's encoding is %s, not UTF8.", h.Encoding)
	}
	if h.InRecovery && !h.Streams {
		l.bad("Look into its log: it must stream from the primary.", "It does not receive anything: it falls behind.")
	}
	l.rights(h)
	l.limits(h)
	l.clock(h)
	return l.checks
}

func (l *list) rights(h Host) {
	if !h.InRecovery && !h.Writable {
		l.bad("GRANT CREATE ON SCHEMA public TO the role, or let it own the database.", "The role may not create tables.")
	}
	if !h.Monitor && !h.Superuser {
		l.warn("GRANT pg_monitor TO the role.", "The role may not see the state of replication: lag and timelines of replicas are not known.")
	}
	if h.Superuser {
		l.warn("Make a role of its own: CREATE ROLE pando LOGIN REPLICATION; GRANT pg_monitor TO pando.", "The role is a superuser, which Pando has no need of.")
	}
	if !h.Replication && !h.Superuser {
		l.warn("ALTER ROLE … REPLICATION.", "The role has no REPLICATION right: "+deaf+".")
	}
}

func (l *list) limits(h Host) {
	var limit, reserved int
	_, err := fmt.Sscan(h.Settings["max_connections"], &limit)
	_, err2 := fmt.Sscan(h.Settings["superuser_reserved_connections"], &reserved)
	if err != nil || err2 != nil {
		return
	}
	if free := limit - reserved - h.Connections; free < h.Pool {
		l.warn("Raise max_connections, or put PgBouncer before it.", "%d of %d connections are in use; Pando opens up to %d.", h.Connections, limit-reserved, h.Pool)
	} else {
		l.ok("%d of %d connections are in use; Pando opens up to %d.", h.Connections, limit-reserved, h.Pool)
	}
	if h.Pooler {
		l.ok("A pooler in transaction mode stands before it; Pando keeps no state in sessions.")
	}
}

func (l *list) clock(h Host) {
	switch off := h.ClockAhead.Abs(); {
	case off > 30*time.Second:
		l.bad("Run chrony or systemd-timesyncd on both machines.", "Its clock and this machine's differ by %s: tokens expire at the wrong time, and dates are wrong.", off.Round(time.Millisecond))
	case off > time.Second:
		l.warn("Run chrony or systemd-timesyncd on both machines.", "Its clock and this machine's differ by %s.", off.Round(time.Millisecond))
	default:
		l.ok("Its clock agrees with this machine's within %s.", max(off, time.Millisecond).Round(time.Millisecond))
	}
}

func names(hosts []Host) string {
	list := make([]string, len(hosts))
	for i, h := range hosts {
		list[i] = h.Name
	}
	return strings.Join(list, " and ")
}

func size(bytes uint64) string {
	const unit = 1 << 30
	return fmt.Sprintf("%.1f GiB", float64(bytes)/unit)
}
