package main

import (
	"log"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pandobase/pando/bench/internal/report"
)

// machine describes the machine for the report.
func machine() report.Machine {
	m := report.Machine{CPU: "unknown processor", Cores: runtime.NumCPU(), Go: runtime.Version()}
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				m.CPU = strings.TrimSpace(value)
				break
			}
		}
	}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	var si unix.Sysinfo_t
	if unix.Sysinfo(&si) == nil {
		m.Memory = int64(si.Totalram) * int64(si.Unit)
	}
	return m
}

// warnOfMemoryFS says so when the data does not lie on a disk: a sync is then
// free, and every figure of a write is wrong.
func warnOfMemoryFS(dir string) {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) == nil && st.Type == unix.TMPFS_MAGIC {
		log.Printf("WARNING: %s is in memory (tmpfs); figures of writes mean nothing. Name a directory on a disk with -data.", dir)
	}
}
