// Package sqlite keeps everything in one SQLite file, DIR/data.db, through
// modernc.org/sqlite's translation of the C library (no cgo). It is the only
// package that imports the driver.
//
// # One writer
//
// All writes run on one goroutine (writer.go). It takes what has queued up while
// the last commit was being synced, runs it in one transaction, each job in a
// savepoint of its own, and commits once: WAL with synchronous=FULL, so that an
// answer means the write is on disk. Then, in this order, it publishes the
// catalog, the positions and the changes, and answers its callers.
//
//	queue ─▶ BEGIN ─▶ job, job, job ─▶ note rows ─▶ Bump ─▶ COMMIT ─▶ Publish ─▶ sinks ─▶ answers ─▶ checkpoint
//
// The log goes back into the file when the callers have their answers
// (checkpoint.go). What a power loss leaves is tested by powerloss_test.go.
//
// # Readers
//
// Reads run on a pool of connections (pool.go). A snapshot is a transaction
// whose first query reads the one row of _pando_meta: the position of the last
// commit in it and the version of its catalog. No snapshot outlives its Read,
// as an old one keeps the log from being checkpointed.
//
// Pages are read, not mapped (PRAGMA mmap_size). On 10 million records, all in
// the system's memory, a mapping takes some 3 µs of the 66 that a view costs,
// but counts up to 2 GB (SQLite's bound) as resident, is undone with each commit,
// and cannot be trusted: a file cut short, or a page the disk cannot read, is an
// error here and a SIGBUS there. debug.SetPanicOnFault makes a panic of it, and
// the connection's C structures, left in the middle, crash the process when it
// is closed. A page that has to come from the disk would also hold one of Go's
// processors, not just a thread. Nor are page caches beyond 2 MB worth their
// memory: 16 MB spare one of 3.7 reads a view, and no time that can be measured.
//
// # Searches
//
// Which rows matched the conditions of a list is remembered (matches.go), and
// brought up to date from a log of the rows that each commit changed (rowlog.go):
// a filtered list after a write looks at what was written instead of at the
// whole table.
//
// # Tables
//
// A collection is a table of its name with a column for each field, of the same
// types that PocketBase gives them, so that view queries written for it work.
// Each date that is set at creation has an index of the store's own, for lists of
// the newest first (indexes.go).
//
// Insertion order is the rowid: SQLite hands out the greatest plus one, keeps it
// through updates and schema changes, and copies tables in its order, so it
// needs no column that would show up in a user's SELECT *. Names that begin
// with _pando belong to this package (format.go).
//
// # Other programs
//
// The file may be written by others, a one-shot command or the sqlite3 shell.
// The writer looks at PRAGMA data_version in each of its transactions and ten
// times a second when idle, and then forgets what it knew (foreign.go).
package sqlite
