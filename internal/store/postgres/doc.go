// Package postgres keeps everything in a PostgreSQL database, through pgx's
// pgconn. It is the only package that imports the driver.
//
// # Tables
//
// A collection is a table of its name with a typed column for each field
// (sqlgen.PostgresColumn), and _pando_row: an identity column, which is the
// insertion order. Names that begin with _pando belong to this package
// (layout.go). One server writes at a time, as the lease says (lease.go).
//
// # Round trips
//
// What costs is the network, so statements are sent together (batch.go). A read
// of one question is one statement on its own. Other reads are a REPEATABLE READ
// transaction whose BEGIN rides with the first question (reader.go).
//
// A write is a SERIALIZABLE transaction, and statements that change something
// are put off until an answer is needed (tx.go):
//
//	first question   BEGIN, LOCK _pando_meta, check the gate, question
//	…                what was put off, question
//	end              what was put off, COMMIT, position of the log
//
// So a create that asks nothing is one round trip, and where it can a single
// statement that checks the gate itself (gate.go). What goes wrong with a statement
// that was put off is found out too late to tell fn; the transaction is then run
// again carefully, statement by statement, each in a savepoint. So is
// one that goes on after a failure, which ends a PostgreSQL transaction.
// Conflicts with other writers (40001, 40P01) are retried too, at last with the
// schema lock, and so alone (write.go); for a row that another program keeps locked, only
// once, and for a moment (gate.go).
//
// # Commits
//
// Tags are pending in the index of last changes around COMMIT (position.Index),
// and positions are those of the log, asked for right behind it (commits.go). A
// COMMIT whose answer is lost is looked into (outcome.go).
//
// # Nodes
//
// internal/topology says who is the primary and who may be read; each life of a
// host has pools of its own, for reads and for writes, which end with it
// (nodes.go, choose.go). A read takes a replica that shows what the index asks for, else the
// primary, and whatever a node does to it, it is run again elsewhere (read.go, snapshot.go).
package postgres
