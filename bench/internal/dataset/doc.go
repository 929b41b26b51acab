// Package dataset makes the data that the benchmarks run on, and puts it into
// a server.
//
// Everything follows from a number: record i of a collection has the same id,
// owner and text in every run and on every server, so nothing has to be
// remembered, and both servers hold the same rows in the same order.
//
// A data directory is loaded once through the server's own web API and kept
// below bench/data; every workload then runs on a fresh copy. See [Store].
package dataset
