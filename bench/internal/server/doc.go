// Package server runs the servers that the benchmarks compare, each as a
// process of its own with a data directory of its own, and reads from /proc
// what they cost.
//
// There are three kinds: Pando, PocketBase (the peer, an unchanged build from
// bench/peers/pocketbase) and bare, a plain net/http handler that answers
// every request with the same bytes from memory. Bare is the limit of what
// any server on net/http can reach on the machine.
package server
