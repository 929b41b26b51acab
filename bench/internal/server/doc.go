// Package server runs the servers that the benchmarks compare, each as a
// process of its own with a data directory of its own, and reads from /proc
// what they cost.
//
// There are four kinds: Pando, PocketBase (the peer, an unchanged build from
// bench/peers/pocketbase), bare, a plain net/http handler that answers every
// request with the same bytes from memory, and pgx, a plain net/http handler
// that reads and writes rows of a PostgreSQL table (bench/peers/pgx). Bare is
// the limit of what any server on net/http can reach on the machine, pgx of what
// one on net/http and PostgreSQL can.
package server
