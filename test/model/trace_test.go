package model

import (
	"fmt"
	"os"
	"strconv"
	"testing"
)

// TestTrace tells one run: PANDO_SEED, PANDO_SYNC, PANDO_MUTANT.
func TestTrace(t *testing.T) {
	seed, err := strconv.Atoi(os.Getenv("PANDO_SEED"))
	if err != nil {
		return
	}
	Run(Setup{Seed: int64(seed), Steps: 20000, Sync: os.Getenv("PANDO_SYNC") != "", Mutant: Mutant(os.Getenv("PANDO_MUTANT")),
		Trace: func(format string, args ...any) { fmt.Printf(format+"\n", args...) }})
}
