package model

import "testing"

func TestSearch(t *testing.T) {
	sets := map[string][]Fault{
		"any": nil, "tailer": {TailerFrozen, TailerRestarted}, "servers": {ServerFrozen, ServerRestarted}, "restarts": {ServerRestarted, TailerRestarted},
		"cuts": {LinkCut}, "failover": {PrimaryCrashed, PrimaryFrozen}, "failover+": {PrimaryCrashed, PrimaryFrozen, ServerFrozen, TailerFrozen}, "cuts+": {LinkCut, TailerFrozen, PrimaryFrozen},
		"freeze": {ServerFrozen, TailerFrozen},
	}
	for _, m := range []Mutant{AckBeforeApply, FillStraddles, EpochIgnored, EchoOfOldBoot, NoHelloWait, EchoAfterD, SafeAfterD, DBeforeLoad, NoProbe, NoRunningWait, JoinUncounted, ForeignUncounted, DegradedKept, DegradedShared, IncarnationIgnored} {
		for name, set := range sets {
			bad, n := 0, 400
			for i := range n {
				r := Run(Setup{Seed: int64(i), Steps: 20000, Sync: i%2 > 0, Mutant: m, Faults: set})
				if len(r.Violations) > 0 {
					bad++
				}
			}
			if bad > 0 {
				t.Logf("%-20s %-10s %d of %d", m, name, bad, n)
			}
		}
	}
}
