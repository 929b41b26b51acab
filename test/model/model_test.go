package model

import (
	"os"
	"runtime"
	"sync"
	"testing"
)

// long has the tests run many more seeds.
var long = os.Getenv("PANDO_PROVE") != ""

const steps = 20000

// TestTheProtocolHolds runs thousands of seeds, none of which may find a violation.
func TestTheProtocolHolds(t *testing.T) {
	for _, s := range []struct {
		name        string
		setup       Setup
		seeds, many int
	}{
		{"calm", Setup{Sync: true, Calm: true}, 300, 10_000},
		{"faults", Setup{}, 1200, 100_000},
		{"faults and synchronous replication", Setup{Sync: true}, 1200, 100_000},
		{"ways cut, and a primary that freezes", Setup{Sync: true, Faults: []Fault{LinkCut, PrimaryFrozen}}, 400, 20_000},
	} {
		t.Run(s.name, func(t *testing.T) {
			n := s.seeds
			if long {
				n = s.many
			}
			counts, bad := map[string]int{}, 0
			each(n, s.setup, func(seed int, r Result) bool {
				if len(r.Violations)+len(r.Known) > 0 {
					if bad++; bad < 5 {
						t.Errorf("seed %d: %v, %v by the oracle; %s", seed, r.Violations, r.Known, r.First)
					}
				}
				for k, v := range r.Counts {
					counts[k] += v
				}
				return true
			})
			t.Logf("%d seeds, %d of them bad: %v", n, bad, counts)
			if counts["unjudged"] > 0 {
				t.Errorf("porcupine has not judged %d histories", counts["unjudged"])
			}
			for _, what := range []string{"hits", "tier hits", "fills", "held", "shared", "written"} {
				if counts[what] < n/2 && (what != "held" || s.setup.Faults == nil) {
					t.Errorf("only %d %s: the runs mean nothing", counts[what], what)
				}
			}
		})
	}
}

// TestMutantsAreCaught breaks the protocol in each way, of which the checker must notice; and
// so must the oracle of whatever the checker does. Some ways take a coincidence that few seeds
// have; these are looked for in the long form only.
func TestMutantsAreCaught(t *testing.T) {
	tailers := []Fault{TailerFrozen, TailerRestarted}
	cuts := []Fault{LinkCut, TailerFrozen, PrimaryFrozen}
	focus := map[Mutant][]Fault{
		NoHelloWait: tailers, NoQuiet: tailers, EchoAfterD: cuts, SafeAfterD: cuts, DBeforeLoad: tailers,
		EchoOfOldBoot: {ServerRestarted, TailerRestarted}, FillStraddles: cuts, TierUnknown: {LinkCut},
	}
	rare := map[Mutant]bool{
		AckBeforeApply: true, FillStraddles: true, EpochIgnored: true, EchoOfOldBoot: true, NoHelloWait: true, NoQuiet: true,
		EchoAfterD: true, SafeAfterD: true, DBeforeLoad: true, NoProbe: true, NoRunningWait: true, JoinUncounted: true,
		ForeignUncounted: true, DegradedKept: true, DegradedShared: true, IncarnationIgnored: true,
	}
	for _, m := range Mutants {
		n := 400
		if long {
			n = 20_000
		}
		bad, known, first := 0, 0, -1
		kinds := map[string]int{}
		each(n, Setup{Mutant: m, Faults: focus[m]}, func(seed int, r Result) bool {
			if len(r.Known) > 0 {
				known++
			}
			if len(r.Violations) > 0 {
				if len(r.Known) == 0 {
					t.Errorf("%s, seed %d: %v, of which the oracle knows nothing; %s", m, seed, r.Violations, r.First)
				}
				bad++
				if first < 0 || seed < first {
					first = seed
				}
				for k := range r.Violations {
					kinds[k]++
				}
			}
			return long || bad == 0
		})
		switch {
		case bad > 0 && long:
			t.Logf("%-20s %5d of %d seeds, %v; %d by the oracle", m, bad, n, kinds, known)
		case bad > 0:
			t.Logf("%-20s seed %d, %v; %d by the oracle until then", m, first, kinds, known)
		case long || !rare[m]:
			t.Errorf("%s is not caught by %d seeds (%d by the oracle)", m, n, known)
		}
	}
}

// each runs n seeds, on all processors, until judge says that it is enough. Unless the
// setup asks for it, every other seed has synchronous replication if there is a mutant.
func each(n int, s Setup, judge func(seed int, r Result) bool) {
	var mu sync.Mutex
	var all sync.WaitGroup
	next, enough := 0, false
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for {
				mu.Lock()
				seed := next
				next++
				stop := enough || seed >= n
				mu.Unlock()
				if stop {
					return
				}
				one := s
				one.Seed, one.Steps = int64(seed), steps
				if s.Mutant != None {
					one.Sync = seed%2 > 0
				}
				r := Run(one)
				mu.Lock()
				enough = !judge(seed, r) || enough
				mu.Unlock()
			}
		})
	}
	all.Wait()
}
