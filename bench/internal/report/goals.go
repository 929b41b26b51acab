package report

// Labels of series that run under a condition.
const (
	OneCPU  = "pando, 1 processor"
	TwoCPUs = "pando, 2 processors"
	Small   = "pando, 10,000 records"
	Large   = "pando, large"

	SmallUncached = "pando, 10,000 records, no cache"

	OnPostgres = "pando on PostgreSQL"
	NoCache    = "pando, no cache"
	PGX        = "bare over pgx"
)

// Metrics of single workloads, by their names in Sample.Extra.
const (
	StartTime  Metric = "startMilliseconds"
	IdleMemory Metric = "idleMegabytes"
	StormRatio Metric = "p99DuringLoginsOverIdle"
	PeakMemory Metric = "peakMegabytes"

	RoundTrips   Metric = "roundTripsOfAView"
	PrimaryShare Metric = "percentReadByThePrimary"
	LateShare    Metric = "percentReadByReplicas"
	StaleReads   Metric = "readsOlderThanAnAnswer"
	FrozenWait   Metric = "longestMilliseconds"
)

// Goals are those of "Speed and size it must reach" and of "Bad input and
// faults", in their order there.
var Goals = []Goal{
	timesPeer("view", "view one record, cached", 8),
	ofBare("view", "view one record, cached", 0.8),
	timesPeer("list-newest", "list 30 newest with totals, unchanged data", 200),
	ofBare("list-newest", "list 30 newest with totals, unchanged data", 0.6),
	timesPeer("list-filter", "list with a filter, unchanged data", 80),
	timesPeer("write-list-newest", "list 30 newest, a write before each, one connection", 50),
	timesPeer("write-list-filter", "the same with a filter", 8),
	timesPeer("create-and-list", "create and list, half and half", 150),
	timesPeer("list-owner", "list with an owner rule, 1,000 users", 5),
	timesPeer("create", "create, on disk before the answer", 3),
	timesPeer("create-1", "create, one connection", 1),
	timesPeer("update", "update", 4),
	timesPeer("mix", "95/5 mix over Zipf keys", 5),
	peakMemory("memory, most under that load", 120,
		"view", "list-newest", "list-filter", "write-list-newest", "write-list-filter", "create-and-list",
		"list-owner", "create", "create-1", "update", "mix"),
	atMost("startup", "memory, idle", IdleMemory, 40, "≤ 40 MB", " MB"),
	{Title: "cached read in process, without HTTP", Target: "< 1 µs, 0 allocations for the validity check"},
	capacity("scale-view", "one core to two: view", 1.7),
	times("scale-create", "one core to two: create", 1.2, TwoCPUs, OneCPU, "≥ 1.2 ×"),
	survives(atMost("memory-limit", "memory limit 256 MB, 100,000 records, 95/5 mix", PeakMemory, 256, "not killed", " MB resident at most")),
	times("large-view", "1,000,000 users, 10,000,000 records: view", 0.7, Large, Small, "≥ 0.7 of the figure at 10,000"),
	times("large-filter", "1,000,000 users, 10,000,000 records: indexed filter", 0.7, Large, Small, "≥ 0.7 of the figure at 10,000"),
	times("large-login", "1,000,000 users, 10,000,000 records: login", 0.7, Large, Small, "≥ 0.7 of the figure at 10,000"),
	atMost("login-storm", "view's p99 while 200 log in at once", StormRatio, 3, "≤ 3 × idle", " × idle"),
	times("pg-view", "PostgreSQL: view one record, no cache", 0.6, OnPostgres, PGX, "≥ 0.6 of a bare handler over pgx"),
	times("pg-create", "PostgreSQL: create, 32 connections, synced", 0.7, OnPostgres, PGX, "≥ 0.7 of a bare handler over pgx"),
	onPostgres(atMost("pg-trips", "PostgreSQL: one read that misses", RoundTrips, 1.005, "1 round trip", "")),
	onPostgres(atMost("pg-replicas", "two replicas: reads that the primary serves", PrimaryShare, 1, "< 1%", "%")),
	onPostgres(atLeast("pg-late", "both replicas 5 s late: reads of unchanged keys that they serve", LateShare, 95, "≥ 95%", "%")),
	onPostgres(atMost("pg-late", "both replicas 5 s late: reads older than an answer", StaleReads, 0, "0", "")),
	onPostgres(atMost("pg-frozen", "a frozen host, wherever in the list: longest request", FrozenWait, 500, "≤ 500 ms", " ms")),
	atMost("startup", "ready on an empty directory", StartTime, 100, "≤ 100 ms", " ms"),
}
