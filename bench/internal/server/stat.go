package server

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of CPU time in /proc. It has been 10 ms on every Linux
// architecture that Go supports, whatever the kernel's own clock.
const tick = 10 * time.Millisecond

// CPU is the processor time, user and system, that the process has used.
func (p *Process) CPU() (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Pid()))
	if err != nil {
		return 0, err
	}
	return parseStat(b)
}

// parseStat reads utime and stime of /proc/PID/stat. The second field is the
// program's name in parentheses and may hold spaces and parentheses itself.
func parseStat(b []byte) (time.Duration, error) {
	end := bytes.LastIndexByte(b, ')')
	if end < 0 {
		return 0, fmt.Errorf("/proc stat: no program name in %.80q", b)
	}
	fields := strings.Fields(string(b[end+1:])) // from the third field, state
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc stat: %d fields", len(fields)+2)
	}
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc stat: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * tick, nil
}

// Memory is what a process occupies, in bytes.
type Memory struct {
	Resident  int64 // now (VmRSS)
	Peak      int64 // most since its start (VmHWM)
	Anonymous int64 // the part of Resident that no file backs (RssAnon)
}

// Memory reads the process's memory.
func (p *Process) Memory() (Memory, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Pid()))
	if err != nil {
		return Memory{}, err
	}
	return parseStatus(b)
}

func parseStatus(b []byte) (Memory, error) {
	var m Memory
	found := 0
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(line, ":")
		var to *int64
		switch name {
		case "VmRSS":
			to = &m.Resident
		case "VmHWM":
			to = &m.Peak
		case "RssAnon":
			to = &m.Anonymous
		default:
			continue
		}
		kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		if err != nil {
			return Memory{}, fmt.Errorf("/proc status: %s: %w", name, err)
		}
		*to = kb << 10
		found++
	}
	if found != 3 {
		return Memory{}, fmt.Errorf("/proc status: no memory (the process has ended)")
	}
	return m, nil
}
