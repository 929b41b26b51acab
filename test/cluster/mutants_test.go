package cluster

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"testing"

	"github.com/pandobase/pando/test/target"
)

// brokenBin names a pando that is broken on purpose as PANDO_MUTANT says; the schedules
// are held on that instead.
const brokenBin = "PANDO_SCHEDULE_BIN"

// TestMutantsAreCaughtBySchedules: servers that are broken in ways that a storm does not
// bring to light are caught by the schedule that is made for it.
func TestMutantsAreCaughtBySchedules(t *testing.T) {
	root, err := target.Root()
	must(t, err)
	bin, err := target.BuildMutants(t.Context())
	must(t, err)
	for _, m := range []struct{ mutant, schedule string }{
		{"catalog-unheld", "TestRulesAreChangedAtOnce"},
		{"prefix-unchecked", "TestListsAreOfOneHistory"},
		{"nolease", "TestSchedule8"},
		{"no-upper-stamp", "TestAReadShowsNothingThatOthersDoNotKnow"},
		{"stamp-after-data", "TestSchedule4"},
		{"epoch-ignored", "TestSchedule10"},
		{"zombie", "TestSchedule17"},
	} {
		t.Run(m.mutant, func(t *testing.T) {
			fails(t, func() *exec.Cmd {
				cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+m.schedule+"$", "-test.timeout", "3m")
				cmd.Env = append(os.Environ(), brokenBin+"="+bin, "PANDO_MUTANT="+m.mutant)
				return cmd
			})
		})
	}
	if !long {
		return
	}
	for _, name := range []string{"gap-ignored", "ack-before-apply", "safe-without-c"} { // in simulated time
		t.Run(name, func(t *testing.T) {
			fails(t, func() *exec.Cmd {
				cmd := exec.CommandContext(t.Context(), "go", "test", "-tags", "mutants", "-count=1", "-failfast", "-timeout", "1m", "-run", "^TestChaos$", "./internal/cluster")
				cmd.Dir, cmd.Env = root, append(os.Environ(), "PANDO_MUTANT="+name)
				return cmd
			})
		})
	}
}

// fails runs a test that has to notice something. What is broken shows within moments,
// which a schedule meets more often than not: it is held up to five times.
func fails(t *testing.T, schedule func() *exec.Cmd) {
	t.Helper()
	for try := 1; ; try++ {
		out, err := schedule().CombinedOutput()
		var failed *exec.ExitError
		switch {
		case err == nil && try < 5:
			continue
		case err == nil:
			t.Errorf("nothing is noticed in %d times:\n%s", try, out)
		case !errors.As(err, &failed) || !bytes.Contains(out, []byte("--- FAIL")):
			t.Errorf("%v:\n%s", err, out)
		default:
			t.Logf("noticed at the %d. time: %.300s", try, out)
		}
		return
	}
}
