// Package consistency tries to catch a running Pando lying: it drives a real
// process over HTTP from many connections and checks, in time linear in the
// number of answers, that nobody is shown something older than what anybody was
// answered before, nor somebody else's answer.
//
// Every record that is written counts up by one, so that a value tells its place
// in the order (register.go). A reader notes before it asks what had been
// answered to anybody by then; what it gets must not be older, nor newer than
// what was ever sent. Rules that open and close, tokens that are voided and
// records that come and go are counters too, of which a reader sees whether they
// are even or odd (gate.go). load.go is who asks what; events.go listens to
// realtime; crowd.go filters a table that is large enough for searches to be
// remembered; outside.go writes with another program. Every other client keeps the
// position that it has reached (X-Pos), which must not go back. Porcupine gives a
// second opinion on a sample of the records.
//
// The server is one on SQLite, or one on a primary with two replicas, of which one
// is late, paused, cut off and slow to confirm, at random (ground.go,
// replicas_test.go). served_test.go counts whether replicas are of use.
//
// mutants_test.go breaks the server on purpose, in each way that internal/mutant
// knows, and expects the same checker to notice.
package consistency
