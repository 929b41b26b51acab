// Package workload holds the work that the benchmarks do and the order in
// which they do it.
//
// [All] is the list of workloads, and the best place to start. A [Runner]
// takes one after the other: it starts each server on a fresh copy of the
// loaded data, warms all of them up for a moment, and then lets them work in
// turn, round by round, always one at a time, so that whatever else happens on
// the machine happens to all of them.
package workload
