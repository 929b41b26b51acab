// Package consistency tries to catch a running Pando lying, one server or a whole
// cluster: it drives real processes over HTTP from many connections and checks, in
// time linear in the number of answers, that nobody is shown something older than
// what anybody was answered before, nor somebody else's answer.
//
// Every record that is written counts up by one, so that a value tells its place
// in the order (test/judge). A reader notes before it asks what had been
// answered to anybody by then; what it gets must not be older, nor newer than
// what was ever sent. Rules that open and close, tokens that are voided and
// records that come and go are counters too, of which a reader sees whether they
// are even or odd (gate.go). load.go is who asks what; events.go listens to
// realtime; crowd.go filters a table that is large enough for searches to be
// remembered; outside.go writes with another program. Every other client keeps the
// position that it has reached (X-Pos), which must not go back. Porcupine gives a
// second opinion on all records, in windows of their history (test/judge too), and
// PostgreSQL's own log on what was committed, and in which order (oracle.go).
//
// What a run is held on (ground.go) is one of:
//
//	ground.go         a server on SQLite
//	replicas_test.go  a server on a primary with two replicas, of which one is late,
//	                  paused, cut off and slow to confirm, at random; served_test.go
//	                  counts whether replicas are of use
//	deaf_test.go      two servers that cannot follow the database's log, on the same
//	storm_test.go     three servers of a cluster on such, with three cache servers, calm
//	                  first and then in a storm; the same through two load balancers
//
// In a cluster each request goes to any server, and what one has answered binds all. In
// a storm one thing after the other befalls them: servers, the one that reads the log
// among them, are killed, frozen, and cut off from the database, from cache servers and
// from each other; cache servers are wiped, killed, and come back with what they had a
// while ago. Requests may fail then, and are sent again; an answer that says that it may
// be old (Age) is judged by what its own server has answered since it was started, and by
// what the client has seen if that keeps positions. The primary is replaced too, and crashes
// and comes back, whole or by one of its processes: nothing that was answered is lost by
// either. Another program also changes more records at once than servers are told of one by
// one, and makes two commits that the primary shows in another order than the log has
// (outside.go).
//
// mutants_test.go and clustermutants_test.go break the servers on purpose, in each way
// that internal/mutant knows and these can show, and expect the same checker to notice.
//
// PANDO_PROVE=1 runs all of it for longer; PANDO_STORM=3m and PANDO_STORM_OPERATIONS
// say how long a storm is, and PANDO_SEED which troubles come.
package consistency
