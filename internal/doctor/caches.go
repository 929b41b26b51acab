package doctor

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// CacheServer is what one server of the cache tier tells of itself.
type CacheServer struct {
	Name  string        // host:port
	Error error         // why it could not be asked; then nothing else is known
	Trip  time.Duration // one round trip

	Version   string // of Redis or, said to be so, of Valkey
	Valkey    bool
	User      string // that we come as
	Denied    string // what the user may not do and must; "" if nothing
	Unlimited bool   // the user may do everything
	TLS       bool

	MaxMemory, SystemMemory, Used, Empty int64 // bytes; Empty is what it used when it began; 0: not known
	Policy                               string
	Saves                                bool // it writes dumps or a log of commands to its disk
	Replicas                             int

	Keys, Evicted int64         // Evicted since it began
	Up            time.Duration // since when
}

// oldestRedis is the oldest Redis that Pando works with.
const oldestRedis = 6

// headRoom is what a server takes beside its entries, at most: fragmentation,
// buffers of connections, the table while it grows.
const headRoom = 1.5

// CheckCaches judges the servers of the cache tier; ttl is how long entries are kept.
func CheckCaches(servers []CacheServer, ttl time.Duration) []Check {
	var checks []Check
	all := &list{about: "cache servers"}
	var holds, needs, has float64
	known := 0
	for _, s := range servers {
		checks = append(checks, checkCache(s)...)
		if s.Error == nil && s.Keys > 0 {
			known++
			holds += float64(s.Keys)
			needs += s.needs(ttl)
			has += float64(s.MaxMemory)
		}
	}
	switch {
	case known == 0:
		return checks
	case has > 0 && needs > 2*has:
		all.warn(fmt.Sprintf("Raise maxmemory to %s in all, or add a server with --cache and reload.", memory(needs)),
			"%.0f entries are held in %s; to keep all that are asked for within %v would take about %s.", holds, memory(has), ttl, memory(needs))
	default:
		all.ok("%.0f entries are held; to keep all that are asked for within %v takes about %s in all, with head room.", holds, ttl, memory(needs))
	}
	return append(checks, all.checks...)
}

// needs is the memory in which nothing would have to make room before it ends:
// what the present entries take, and those that had to go within as long as an
// entry is kept.
func (s CacheServer) needs(ttl time.Duration) float64 {
	if s.Keys == 0 {
		return 0
	}
	each := float64(max(s.Used-s.Empty, 0)) / float64(s.Keys)
	gone := float64(s.Evicted)
	if s.Up > ttl {
		gone *= float64(ttl) / float64(s.Up)
	}
	return headRoom * each * (float64(s.Keys) + gone)
}

func checkCache(s CacheServer) []Check {
	l := &list{about: "cache server " + s.Name}
	if s.Error != nil {
		l.bad("Check that the server runs, and its address, user and password in --cache. Pando works without it; its share of the keys is read from the database.", "It cannot be asked: %v.", s.Error)
		return l.checks
	}
	kind := "Redis"
	if s.Valkey {
		kind = "Valkey"
	}
	if major, _, _ := strings.Cut(s.Version, "."); !s.Valkey && number(major) < oldestRedis {
		l.bad(fmt.Sprintf("Use Redis %d or newer, or Valkey.", oldestRedis), "It is %s %s.", kind, cmp.Or(s.Version, "of an unknown version"))
	} else {
		l.ok("%s %s answers in %v.", kind, s.Version, s.Trip.Round(10*time.Microsecond))
	}
	l.cacheMemory(s)
	l.cacheUser(s)
	if s.Saves {
		l.warn(`Set save "" and appendonly no.`, "It writes its entries to a disk, which costs memory and pauses and is of no use: old entries are not trusted more than none.")
	} else {
		l.ok("It keeps nothing on disk.")
	}
	if s.Replicas > 0 {
		l.warn("Give each of them to --cache as a server of its own.", "It has %d replicas, which hold what it holds: that is memory without a use.", s.Replicas)
	}
	return l.checks
}

func (l *list) cacheMemory(s CacheServer) {
	switch {
	case s.MaxMemory == 0:
		l.bad("Set maxmemory to about three quarters of what the machine has.", "It has no maxmemory: it grows until the machine has no memory left.")
	case s.SystemMemory > 0 && s.MaxMemory > s.SystemMemory/100*85:
		l.warn("Set maxmemory to about three quarters of what the machine has.", "Its maxmemory is %s of the machine's %s: too little is left for what it takes beside entries.", memory(float64(s.MaxMemory)), memory(float64(s.SystemMemory)))
	default:
		l.ok("It uses %s of %s, for %d entries; %d had to make room since it began.", memory(float64(s.Used)), memory(float64(s.MaxMemory)), s.Keys, s.Evicted)
	}
	switch {
	case s.Policy == "noeviction" || strings.HasPrefix(s.Policy, "volatile-ttl"):
		l.bad("Set maxmemory-policy allkeys-lfu.", "Its maxmemory-policy is %s: once it is full, new entries are refused or old ones go whether they are used or not.", s.Policy)
	case s.Policy == "allkeys-lfu":
		l.ok("What is used seldom makes room for what is used often.")
	default:
		l.warn("Set maxmemory-policy allkeys-lfu.", "Its maxmemory-policy is %s: entries that are asked for often go as well as others.", cmp.Or(s.Policy, "not known"))
	}
}

func (l *list) cacheUser(s CacheServer) {
	const rule = "user pando on >PASSWORD ~pando:* resetchannels -@all +getrange +set +del +ping +hello +auth +info +config|get"
	switch {
	case s.Denied != "":
		l.bad("Allow it: "+rule+".", "The user %s may not %s.", s.User, s.Denied)
	case s.Unlimited:
		l.warn("Make a user for Pando: "+rule+"; and: user default off.",
			"The user %s may do everything there. What lies there is sealed, but whoever has this password can empty it.", s.User)
	default:
		l.ok("The user %s may do what Pando does, and no more.", s.User)
	}
	if !s.TLS {
		l.ok("The connection is not encrypted; what goes over it is sealed, but for the password. rediss:// encrypts that as well.")
	}
}

func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// memory writes bytes as people do.
func memory(bytes float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1 << 30, "GB"}, {1 << 20, "MB"}, {1 << 10, "kB"}} {
		if bytes >= unit.size {
			return strconv.FormatFloat(bytes/unit.size, 'g', 3, 64) + " " + unit.name
		}
	}
	return fmt.Sprintf("%.0f bytes", bytes)
}
