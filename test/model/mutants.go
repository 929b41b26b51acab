package model

// Mutant is a way to break the protocol.
type Mutant string

// The mutants. Those of internal/mutant have the same names there.
const (
	None Mutant = ""

	StampAfterData     Mutant = "stamp-after-data"    // a replica says behind the question how far it was
	NoUpperStamp       Mutant = "no-upper-stamp"      // what was read is taken not to go beyond the stamp
	ReplayIsUpper      Mutant = "replay-is-upper"     // ... nor beyond what the replica says it has replayed
	PrimaryByLSN       Mutant = "primary-by-lsn"      // the primary is taken to show all that is on its disk
	NeedUnchecked      Mutant = "need-unchecked"      // a fill is taken however old it is
	WriteUnheld        Mutant = "write-unheld"        // a write is answered at once
	ReadUnheld         Mutant = "read-unheld"         // a read is
	SafeWithoutC       Mutant = "safe-without-c"      // S does not wait for the primary to show it
	DegradedUnheld     Mutant = "degraded-unheld"     // without a lease the primary is read, and that answered at once
	Zombie             Mutant = "zombie"              // ... and that answered once every lease is over
	AckBeforeApply     Mutant = "ack-before-apply"    // a member says that it knows what it is about to learn
	GapIgnored         Mutant = "gap-ignored"         // a member that has missed something goes on
	RestampLate        Mutant = "restamp-late"        // a hit is stamped with what became known after the look at it
	FillStraddles      Mutant = "fill-straddles"      // the timeline is not looked at behind the question
	EpochIgnored       Mutant = "epoch-ignored"       // facts of another epoch are taken
	NoLease            Mutant = "nolease"             // nobody looks at leases
	KeyCollide         Mutant = "keycollide"          // the name of a fact is believed
	MissingAuthField   Mutant = "missing-auth-field"  // who asks is not in the key
	JoinUnjudged       Mutant = "join-unjudged"       // a waiter takes a fill of before its request
	EchoOfOldBoot      Mutant = "echo-of-old-boot"    // a new process is given the echo of the one before
	NoHelloWait        Mutant = "no-hello-wait"       // a new tailer does not wait for who has a lease of the last
	NoQuiet            Mutant = "no-quiet"            // ... nor until that one gives none
	EchoAfterD         Mutant = "echo-after-d"        // a tailer that may be one no more gives leases
	SafeAfterD         Mutant = "safe-after-d"        // ... and raises S
	DBeforeLoad        Mutant = "d-before-load"       // it looks whether it is one, and then at what to send
	NoProbe            Mutant = "no-probe"            // a lease does not wait for what the primary has
	NoRunningWait      Mutant = "no-running-wait"     // a new tailer takes what was committed before it for visible
	JoinUncounted      Mutant = "join-uncounted"      // a joiner has a lease before G counts it
	ForeignUncounted   Mutant = "foreign-uncounted"   // who has a lease of another epoch is not waited for
	DegradedKept       Mutant = "degraded-kept"       // what is read without a primary is kept
	DegradedShared     Mutant = "degraded-shared"     // ... and others who wait for it do not say so
	MarkedForgets      Mutant = "marked-forgets"      // ... and the next such answer may be older
	BeyondForgotten    Mutant = "beyond-forgotten"    // ... than what was answered beyond S with a lease
	TierUnknown        Mutant = "tier-unknown"        // ... than a fact of the tier that lies beyond F
	PrefixUnchecked    Mutant = "prefix-unchecked"    // what the primary shows is taken for a prefix of its log
	IncarnationIgnored Mutant = "incarnation-ignored" // a restored database is taken for the one before
)

// Mutants are all of them.
var Mutants = []Mutant{
	StampAfterData, NoUpperStamp, ReplayIsUpper, PrimaryByLSN, NeedUnchecked, WriteUnheld, ReadUnheld, SafeWithoutC,
	DegradedUnheld, Zombie, AckBeforeApply, GapIgnored, RestampLate, FillStraddles, EpochIgnored, NoLease,
	KeyCollide, MissingAuthField, JoinUnjudged, EchoOfOldBoot, NoHelloWait, NoQuiet, EchoAfterD, SafeAfterD, DBeforeLoad,
	NoProbe, NoRunningWait, JoinUncounted, ForeignUncounted, DegradedKept, DegradedShared, MarkedForgets, BeyondForgotten, TierUnknown, PrefixUnchecked, IncarnationIgnored,
}
