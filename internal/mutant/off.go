//go:build !mutants

package mutant

const (
	BumpAfterCommit     = false // the index learns of a commit after readers can see it
	PublishBeforeCommit = false // stamps promise a commit that snapshots do not hold yet
	StampAfterSnapshot  = false // the stamp is newer than the snapshot
	JoinUnjudged        = false // a waiter takes a fill from before its own request
	ForeignKept         = false // facts outlive another program's write
	KeyWithoutPage      = false // two pages of a list share a key
	MissingAuthField    = false // people who differ for a rule share a key
	ReplicaUnchecked    = false // a read takes any replica, however late
	CatalogLate         = false // whoever finds a new catalog in a snapshot keeps it to himself
	RowsLate            = false // the searches that are remembered learn of a commit after readers can see it
	RowsUnmoved         = false // what they found is taken for what there is now
	StillAnyway         = false // a list is taken to be untouched by every write to its table
	PendingUnmarked     = false // nobody knows of a commit that is under way
	PendingUnseen       = false // what a replica shows of a commit that is under way is answered

	// Where a stream tells of commits.
	StampAfterData  = false // a replica says behind the question how far it was before it
	NoUpperStamp    = false // what was read is taken not to go beyond its stamp
	PrimaryByFlush  = false // the primary is taken to show all that is on its disk
	WriteUnheld     = false // a write is answered before every server knows of it
	ReadUnheld      = false // what was read is
	SafeWithoutC    = false // S does not wait until the primary shows it
	AckBeforeApply  = false // a member says that it knows what it is about to learn
	GapIgnored      = false // a member that has missed a piece of the stream goes on
	RestampLate     = false // a fact is stamped with what became known after it was looked at
	EpochIgnored    = false // facts of another epoch are taken
	NoLease         = false // nobody looks at leases
	DegradedUnheld  = false // without a lease the primary is read, and that answered at once
	Zombie          = false // ... and that answered once every lease is over, as if it were surely the primary
	Unleased        = false // one of the two
	KeyCollide      = false // the hash of a key is taken for the key
	CatalogUnheld   = false // what is answered by the rules alone waits for nobody
	BulkUnasked     = false // who reads single records does not ask for changes of very many
	PrefixUnchecked = false // what the primary shows is taken for a prefix of its log
)

// Outlast is where a mutant waits until every lease is over.
func Outlast(bool) {}

// Gap is where a mutant waits, so that others come in between.
func Gap(bool) {}
