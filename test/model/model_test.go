package model

import (
	"os"
	"testing"
)

func seeds(short, long int) int {
	if os.Getenv("PANDO_PROVE") != "" {
		return long
	}
	return short
}

func TestProtocol(t *testing.T) {
	for _, s := range []Setup{{Sync: true, Calm: true}, {Sync: false}, {Sync: true}} {
		counts := map[string]int{}
		bad := 0
		for i := range seeds(3000, 20000) {
			s.Seed, s.Steps = int64(i), 20000
			r := Run(s)
			if len(r.Violations) > 0 {
				if bad++; bad < 4 {
					t.Errorf("seed %d: %v; %s", i, r.Violations, r.First)
				}
			}
			for k, n := range r.Counts {
				counts[k] += n
			}
		}
		t.Log(s.Sync, s.Calm, bad, counts)
	}
}

func TestMutants(t *testing.T) {
	for _, m := range Mutants {
		bad, first := 0, -1
		kinds := map[string]int{}
		n := seeds(1500, 5000)
		for i := range n {
			r := Run(Setup{Seed: int64(i), Steps: 20000, Sync: i%3 > 0, Mutant: m})
			if len(r.Violations) > 0 {
				if bad++; first < 0 {
					first = i
				}
				for k := range r.Violations {
					kinds[k]++
				}
			}
		}
		t.Logf("%-20s %4d of %d, first %d, %v", m, bad, n, first, kinds)
	}
}
