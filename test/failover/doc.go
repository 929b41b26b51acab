// Package failover breaks the PostgreSQL cluster under a running Pando, while
// requests come at a steady rate whether the last ones were answered or not, and
// looks at every answer: was an answered write lost, was anybody shown something
// older than before, how long did reads and writes stand still.
//
// load.go asks and keeps the log of all answers, report.go makes figures of it.
// The clusters are real: internal/localcluster.
package failover
