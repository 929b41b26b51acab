//go:build !mutants

package mutant

const (
	BumpAfterCommit     = false // the index learns of a commit after readers can see it
	PublishBeforeCommit = false // stamps promise a commit that snapshots do not hold yet
	StampAfterSnapshot  = false // the stamp is newer than the snapshot
	JoinUnjudged        = false // a waiter takes a fill from before its own request
	ForeignKept         = false // facts outlive another program's write
	KeyWithoutPage      = false // two pages of a list share a key
	KeyWithoutAuth      = false // people who differ for a rule share a key
	ReplicaUnchecked    = false // a read takes any replica, however late
	CatalogLate         = false // whoever finds a new catalog in a snapshot keeps it to himself
	RowsLate            = false // the searches that are remembered learn of a commit after readers can see it
	RowsUnmoved         = false // what they found is taken for what there is now
	StillAnyway         = false // a list is taken to be untouched by every write to its table
	PendingUnmarked     = false // nobody knows of a commit that is under way
	PendingUnseen       = false // what a replica shows of a commit that is under way is answered
)

// Gap is where a mutant waits, so that others come in between.
func Gap(bool) {}
