//go:build race

package server

// The race detector keeps a record of its own for each word that is read or written
// atomically: two million of them take 5 s to join with, instead of 70 ms, and longer than
// others wait where the processors are busy.
const clusterSlots = 1 << 17
