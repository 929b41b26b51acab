//go:build !linux

package main

import (
	"runtime"

	"github.com/pandobase/pando/bench/internal/report"
)

func machine() report.Machine {
	return report.Machine{CPU: runtime.GOARCH, Cores: runtime.NumCPU(), Kernel: runtime.GOOS, Go: runtime.Version()}
}

func warnOfMemoryFS(string) {}
