// Package judge says which answers must not have been given, to whoever can say of each
// answer what it shows of a record, and when it was asked for. It is the one checker of the
// simulator (test/model), of one machine and of clusters (test/consistency):
//
//	register.go   of one record, by what anybody had been answered when it was asked for
//	chain.go      of all records at once: any two such answers are of one history
//	session.go    of one client, who is shown nothing older than what it has been shown
//	porcupine.go  Porcupine's second opinion on single records
//
// Every record counts up, by one writer or in the order of commits, so that values are
// unique and the greater one is the later one. Who drives a run has an oracle beside it,
// which knows what was committed in which order: the simulator its own lines, a cluster
// PostgreSQL's log.
package judge
