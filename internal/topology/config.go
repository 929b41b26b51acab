package topology

import (
	"context"
	"log/slog"
	"time"

	"github.com/pandobase/pando/internal/position"
)

// Report is what a host says of itself, all of it within one probe.
type Report struct {
	InRecovery bool
	System     uint64 // identifies the database system, shared by a primary and its replicas
	Instance   uint64 // changes when the server is started anew, or recovers from a crash; 0: not known
	// Timeline of a primary is that of the log it writes (the control file still
	// has the old one until the first checkpoint), of a replica the one that it
	// receives, or received last. 0: not known.
	Timeline uint32

	Flush   position.N // of a primary: its log is on disk up to here
	Receive position.N // of a replica: it has the log up to here
	Replay  position.N // of a replica: reads show at least everything up to here
	LagMS   float64    // of a replica: age of the last commit that it has replayed

	// History tells how Timeline came about. A primary must bring it with the
	// first report of a new timeline: without it, everything of earlier ones
	// counts as lost.
	History position.History

	Catalog uint64 // version of the catalog that it shows
	Version int    // of the server, as in server_version_num
}

// Config says what is watched and how. Hosts and Probe are needed.
type Config struct {
	Hosts []string // in any order
	// Probe asks a host. It must return soon after ctx ends, which it does at
	// Deadline; it is called for each host by one goroutine, for all at once.
	Probe func(ctx context.Context, host string) (Report, error)

	// Every is the time from probe to probe; 0 means 100 ms. Deadline is how long
	// a host may take to answer before it counts as silent; 0 means 180 ms. Both
	// together are the time until a frozen host is noticed; one that was slow before
	// it froze is given up to a second (see patience).
	Every, Deadline time.Duration

	// System is the database system whose hosts these are; 0: that of most of
	// the hosts which answer first.
	System uint64

	// Known is how far the log of a timeline is known to go from elsewhere: a primary
	// whose log ends before it was restored from a copy. nil: only probes say it. It
	// must return at once.
	Known func() (timeline uint32, n position.N)

	Log *slog.Logger // nil: none
	// OnChange is told what changed, one at a time and in order. It must return
	// at once and must not call SetHosts or Close.
	OnChange func(Change)
}

// Change is something that happened, in words for operators.
type Change struct {
	Level slog.Level
	Text  string
}

const (
	defaultEvery    = 100 * time.Millisecond
	defaultDeadline = 180 * time.Millisecond

	// A host that comes and goes is told of at most so often.
	tellEvery = time.Second
)
