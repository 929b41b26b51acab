// Package model is the protocol by which Pando's servers read and write one
// database, on paper: a simulator that takes one small step of somebody at a time,
// in an order that nobody would come upon, and judges every answer.
//
// There are three web servers, any of which may be the tailer; a primary with two
// replicas; and a cache tier. What each of them does in one step, another one may
// come between two of. What is modelled, and where:
//
//	database.go  commits, visible in any order; replicas, promotion, forks, restores
//	member.go    a server as a member: its index, frames, leases
//	tailer.go    who reads the log for all: members, G and C, echoes
//	reign.go     how a server becomes the tailer: the row, the wait for HELLO
//	read.go      a read: index, process, tier, flight, fill, release
//	write.go     a write, and when it is answered
//	faults.go    frozen and thawed, killed, cut off, restored, promoted
//	check.go     what must never be answered: test/judge, as of real servers
//	oracle.go    the same by who knows what was committed, and what of it is lost
//	mutants.go   the ways in which it can be broken on purpose
//
// Time is a number that grows with the steps. Every server has a clock of its own,
// which runs faster or slower within what the margin allows.
//
// The order that is checked is strict: an answer holds whatever anybody was answered
// before it was asked for, and every answer about many records is a prefix of the
// log. With synchronous replication nothing is answered that a failover takes back.
package model
