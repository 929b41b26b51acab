package server

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Ticks is what all processors of the machine have done since it was started.
type Ticks struct{ Idle, All int64 }

// MachineTicks reads them.
func MachineTicks() (Ticks, error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return Ticks{}, err
	}
	return parseMachine(b)
}

// IdleSince is the share of the processors that nobody used since an earlier
// reading, 0 to 1.
func (t Ticks) IdleSince(before Ticks) float64 {
	all := t.All - before.All
	if all <= 0 {
		return 0
	}
	return float64(t.Idle-before.Idle) / float64(all)
}

// parseMachine reads the first line: user, nice, system, idle, iowait, irq,
// softirq, steal; guests are counted among the first two. A processor that waits
// for the disk is idle.
func parseMachine(b []byte) (t Ticks, err error) {
	line, _, _ := strings.Cut(string(b), "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return t, fmt.Errorf("/proc/stat: %.80q", line)
	}
	for i, f := range fields[1:9] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return t, fmt.Errorf("/proc/stat: %w", err)
		}
		t.All += n
		if i == 3 || i == 4 {
			t.Idle += n
		}
	}
	return t, nil
}
