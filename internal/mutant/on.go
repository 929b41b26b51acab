//go:build mutants

package mutant

import (
	"os"
	"time"
)

var (
	name = os.Getenv("PANDO_MUTANT")

	BumpAfterCommit     = name == "bump-after-commit"
	PublishBeforeCommit = name == "publish-before-commit"
	StampAfterSnapshot  = name == "stamp-after-snapshot"
	JoinUnjudged        = name == "join-unjudged"
	ForeignKept         = name == "foreign-kept"
	KeyWithoutPage      = name == "key-without-page"
	MissingAuthField    = name == "missing-auth-field"
	ReplicaUnchecked    = name == "replica-unchecked"
	CatalogLate         = name == "catalog-late"
	RowsLate            = name == "rows-late"
	RowsUnmoved         = name == "rows-unmoved"
	StillAnyway         = name == "still-anyway"
	PendingUnmarked     = name == "pending-unmarked"
	PendingUnseen       = name == "pending-unseen"

	StampAfterData  = name == "stamp-after-data"
	NoUpperStamp    = name == "no-upper-stamp"
	PrimaryByFlush  = name == "primary-by-lsn"
	WriteUnheld     = name == "write-unheld"
	ReadUnheld      = name == "read-unheld"
	SafeWithoutC    = name == "safe-without-c"
	AckBeforeApply  = name == "ack-before-apply"
	GapIgnored      = name == "gap-ignored"
	RestampLate     = name == "restamp-late"
	EpochIgnored    = name == "epoch-ignored"
	NoLease         = name == "nolease"
	DegradedUnheld  = name == "degraded-unheld"
	Zombie          = name == "zombie"
	Unleased        = DegradedUnheld || Zombie
	KeyCollide      = name == "keycollide"
	CatalogUnheld   = name == "catalog-unheld"
	BulkUnasked     = name == "bulk-unasked"
	PrefixUnchecked = name == "prefix-unchecked"
)

// Outlast waits if the mutant is on, for longer than a lease and its margin.
func Outlast(on bool) {
	if on {
		time.Sleep(600 * time.Millisecond)
	}
}

// Gap waits if the mutant is on.
func Gap(on bool) {
	if on {
		time.Sleep(2 * time.Millisecond)
	}
}
