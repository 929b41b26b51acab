// Package wal reads what was committed from PostgreSQL's own log, by logical
// decoding (pgoutput), whoever committed it.
//
//	Log.Open ── connect (replication=database) ── temporary slot ── Load ── START_REPLICATION
//	                                               │ waits for          │ in the slot's own
//	                                               │ open writers       │ snapshot
//	Reader      receive ─▶ decoder ─▶ transaction ─▶ entry ─▶ pending ─▶ Next
//	            tell ◀── every 20 ms, Ask, Confirm
//
// The position of a commit is that of the log right behind it. Commits come in
// the order of their positions, so all of the log up to the last one has been
// read; where nothing is committed, the server says how far it has read when it
// is asked, which Reader does all the time.
//
// The slot is temporary: it is gone with the connection, holds back no log and
// vacuum of a server that has lost its reader, and nothing has to be cleaned up.
// A new reader begins at now.
//
// A transaction that is large is streamed by the server while it runs
// (protocol 2), and read in larger pieces than it comes. What is kept of one is bounded: beyond 10,000 changes their
// tables are named instead of their records.
//
// What the database's tables mean is told by [Config], from the package that
// makes them. Which relation is which collection is read from the rows of the
// table of collections: at the start in the snapshot of the slot, then as they
// come through the log itself, so it is right at each position.
package wal
