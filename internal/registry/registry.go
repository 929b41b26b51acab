// Package registry is the contract of the rows by which the servers of a cluster
// find each other in their database, and of what they ask its primary.
package registry

import (
	"context"
	"time"

	"github.com/pandobase/pando/internal/position"
)

// Registry is the cluster's rows in the database: who is a member, and who the
// tailer is. store/postgres keeps them. All methods ask the primary and fail if
// there is none. A context bounds each call; callers give them short ones.
type Registry interface {
	// Join writes the member's row, in place of one of the same id.
	Join(ctx context.Context, m Member) error
	// Beat raises the beat of the member's row, and writes its load down; false if
	// there is no such row with m's boot any more.
	Beat(ctx context.Context, m Member) (bool, error)
	// Leave removes the member's row, if it is still that of its boot; where m has a
	// beat, only if the row still has that.
	Leave(ctx context.Context, m Member) error
	// Drain marks the row of that id, or takes the mark off; false if there is none.
	// Members read it with the other rows, so it reaches load balancers and the server
	// itself, whoever it was marked by.
	Drain(ctx context.Context, id string, yes bool) (bool, error)
	// Members are all rows. Whether one is alive is for the caller to find out by
	// watching its beat with a clock of his own.
	Members(ctx context.Context) ([]Member, error)

	// Tailer is the row of the tailer; the zero value before the first.
	Tailer(ctx context.Context) (Tailer, error)
	// TakeTailer makes holder the tailer, with the next term, if the row's term
	// and beat still are those of from. It is a synchronous commit.
	TakeTailer(ctx context.Context, from Tailer, holder string) (now Tailer, ok bool, err error)
	// RenewTailer raises the beat if the term is still t's. It is a synchronous
	// commit (synchronous_commit = on, not remote_apply).
	RenewTailer(ctx context.Context, t Tailer) (ok bool, err error)

	// Probe says what the primary is and how far its log is on disk.
	Probe(ctx context.Context) (Probe, error)
	// Visible is the primary's present view of transactions.
	Visible(ctx context.Context) (Visible, error)
}

// Member is one web server of the cluster.
type Member struct {
	ID      string // of the data directory: stays the same over restarts
	Boot    string // of the process: another one each time
	Address string // host:port at which the others reach it
	Version string // of Pando
	Format  int    // the highest version of the members' protocol that it speaks
	Beat    uint64

	Draining bool    // it is to get no new requests
	Load     float64 // how much it had to do at its last beat, from 0 to 1
	// Age is for how long it has been a member, when the row was read.
	Age time.Duration
}

// Same tells whether two readings of a row are of the same beat: whoever renews it has
// not done so between them.
func (m Member) Same(o Member) bool { return m.ID == o.ID && m.Boot == o.Boot && m.Beat == o.Beat }

// Tailer is the row of the one who reads the log for all.
type Tailer struct {
	Term   uint64
	Beat   uint64
	Holder string // Member.ID
}

// Probe is a look at the primary.
type Probe struct {
	Epoch position.Epoch
	Flush position.N // pg_current_wal_flush_lsn()
}

// Visible is pg_current_snapshot(): transactions below Max that are not in Running
// have ended, and what they committed can be seen; so have all below Min. Epoch is
// that of the primary that said so, in the same statement: after a failover the same
// numbers are of other transactions.
type Visible struct {
	Epoch    position.Epoch
	Min, Max uint64
	Running  []uint64 // sorted
}

// Sees tells whether a transaction's commit can be seen.
func (v Visible) Sees(xid uint64) bool {
	if xid < v.Min {
		return true
	}
	if xid >= v.Max {
		return false
	}
	for _, r := range v.Running {
		if r == xid {
			return false
		}
	}
	return true
}
