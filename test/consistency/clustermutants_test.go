package consistency

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando/test/target"
)

// focus are the troubles in which a mutant shows; others show in any.
var focus = map[string][]string{
	"write-unheld":    {"the way to a server slow", "a server not reached by others"},
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
// database and one tier of caches, must be caught in a storm, within seconds: in the long
// form in one of three runs at least. Those that take a failover which loses writes are caught
// by the schedules of test/cluster, and those of what every server does, on one machine.
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
			for try := range 3 {
				if found := catchInStorm(t, c, bin, name, try); found <= soon || !long {
					return
				}
			}
			t.Errorf("not caught within %v in three runs", soon)
		})
	}
}

func catchInStorm(t *testing.T, c *target.Cluster, bin, name string, try int) time.Duration {
	other := c.Again(t, fmt.Sprint(strings.ReplaceAll(name, "-", "_"), try), target.ClusterOptions{
		Bin: bin, Env: []string{"PANDO_MUTANT=" + name}, Between: true,
	})
	defer func() {
		for _, m := range other.Members {
			m.Kill()
		}
	}()
	s := newStorm(t, other)
	s.focus = focus[name]
	g := onCluster(other)
	s.over(&g)
	late := slices.Contains(delayed, name)
	g.ruled = late || len(s.focus) > 0
	if late {
		g.weather = lateReplica(other)
	}
	return catch(t, g, time.Minute) // some take luck
}
