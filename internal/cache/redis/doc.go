// Package redis is a cache.Tier of several Redis or Valkey servers that know
// nothing of each other.
//
//	Get(key) ─▶ name of the key ─▶ ring: one server ─▶ left out? ── yes ──▶ miss
//	                                                      │ no
//	                        entry ◀── open ◀── GET, bounded wait ── late ──▶ miss
//	                                    └── forged, foreign, old epoch ────▶ miss, counted
//
// # What lies there
//
// A key's name is a keyed hash of it (seal.go): whoever looks at a server learns
// neither filters nor ids, and nobody can make two keys share a name. Under the
// name lies the entry (entry.go), compressed where it pays and sealed by
// AES-256-GCM with the key and the epoch as associated data: bytes that were
// written by somebody else, cut off, or moved from another name or database do
// not open. Old entries do: they are judged by their reader against the index of
// last changes, as every fact is. Both keys are derived from the cluster's secret.
//
// # Servers that fail
//
// Each server has a state of its own (server.go). Only its share of the keys is
// missed while it is away; no key moves for it.
//
//	      three in a row late, connection lost, slower than the database
//	up ───────────────────────────────────────────────────────────▶ out
//	 ▲                                                              │ probe, with
//	 │ 16 good answers                              three good PINGs│ growing pauses
//	 └───────────────── trial: one request at a time ◀──────────────┘
//	                         │ one bad answer
//	                         └──▶ out, with a longer pause
//
// Requests never connect: the server's own goroutine does.
package redis
