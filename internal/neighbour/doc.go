// Package neighbour is the next version of Pando and the one before it, as far as the
// servers of a cluster notice: test/members runs them beside this one. In every
// ordinary build nothing is left of it in the binary.
//
// A build with the tag "mutants" takes itself for the version that PANDO_VERSION names,
// and talks in the format PANDO_FORMAT and the one before. What it sends in format 2 and
// later, nobody can read who knows only format 1; its HELLO says more than format 1 has.
// PANDO_TIER_FORMAT is the format of what it keeps on cache servers.
package neighbour
