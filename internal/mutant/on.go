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
	KeyWithoutAuth      = name == "key-without-auth"
	ReplicaUnchecked    = name == "replica-unchecked"
	CatalogLate         = name == "catalog-late"
	RowsLate            = name == "rows-late"
	RowsUnmoved         = name == "rows-unmoved"
	StillAnyway         = name == "still-anyway"
	PendingUnmarked     = name == "pending-unmarked"
	PendingUnseen       = name == "pending-unseen"
)

// Gap waits if the mutant is on.
func Gap(on bool) {
	if on {
		time.Sleep(2 * time.Millisecond)
	}
}
