package consistency

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando/test/target"
)

// focus are the troubles in which a mutant shows; others show in any.
var focus = map[string][]string{
	"gap-ignored":     {"a server frozen while the others are killed"},
	"nolease":         {"a server frozen"},
	"degraded-unheld": {"the tailer not heard, and late itself"},
	"zombie":          {"the primary frozen, replaced, and thawed"},
}

// delayed are mutants that show while a replica, for which commits may wait, is late.
var delayed = []string{"prefix-unchecked", "bulk-unasked"}

// lateReplica is weather in which it always is.
func lateReplica(c *target.Cluster) func(context.Context) error {
	return func(ctx context.Context) error {
		back := context.WithoutCancel(ctx)
		last := c.Node(lastReplica(c.Replicated))
		err := last.ReplayDelay(back, 300*time.Millisecond)
		<-ctx.Done()
		return errors.Join(err, last.ReplayDelay(back, 0))
	}
}

// TestMutantsOfTheClusterAreCaught: servers that are broken in one way each, on one
// database and one tier of caches, must be caught in a storm, mostly within seconds.
// Those that take more than luck, or a failover, are caught by the schedules of
// test/cluster, and those of what every server does, on one machine.
func TestMutantsOfTheClusterAreCaught(t *testing.T) {
	bin := buildMutants(t)
	c := target.StartCluster(t, target.ClusterOptions{Replicas: 2, Synchronous: true, Caches: 1, Bin: bin, Members: 1})
	names := []string{"write-unheld", "read-unheld", "replica-unchecked", "keycollide"}
	if long {
		names = append(names, "prefix-unchecked", "nolease", "stamp-after-data", "primary-by-lsn", "safe-without-c", "ack-before-apply",
			"degraded-unheld", "missing-auth-field", "no-upper-stamp", "gap-ignored", "catalog-unheld", "bulk-unasked", "zombie")
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			other := c.Again(t, strings.ReplaceAll(name, "-", "_"), target.ClusterOptions{
				Bin: bin, Env: []string{"PANDO_MUTANT=" + name}, Between: true,
			})
			s := newStorm(t, other)
			s.focus = focus[name]
			g := onCluster(other)
			s.over(&g)
			if slices.Contains(delayed, name) {
				g.weather = lateReplica(other)
			}
			catch(t, g, 5*time.Minute) // some take luck
		})
	}
}
