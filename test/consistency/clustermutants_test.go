package consistency

import (
	"strings"
	"testing"

	"github.com/pandobase/pando/test/target"
)

// TestMutantsOfTheClusterAreCaught: servers that are broken in one way each, on one
// database and one tier of caches, must be caught within ten seconds of a storm.
// Mutants that need a failover or a restored database are caught by the schedules of
// test/cluster.
func TestMutantsOfTheClusterAreCaught(t *testing.T) {
	bin := buildMutants(t)
	c := target.StartCluster(t, target.ClusterOptions{Replicas: 2, Synchronous: true, Caches: 1, Bin: bin, Members: 1})
	names := []string{"write-unheld", "read-unheld", "replica-unchecked", "nolease", "keycollide"}
	if long {
		names = append(names, "stamp-after-data", "no-upper-stamp", "primary-by-lsn", "safe-without-c", "ack-before-apply",
			"gap-ignored", "restamp-late", "zombie", "key-without-auth", "join-unjudged", "catalog-unnoted", "catalog-unheld")
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			other := c.Again(t, strings.ReplaceAll(name, "-", "_"), target.ClusterOptions{Bin: bin, Env: []string{"PANDO_MUTANT=" + name}})
			s := &storm{c: other, count: map[string]int{}}
			g := onCluster(other)
			g.weather, g.faulty = s.weather, true
			catch(t, g)
		})
	}
}
