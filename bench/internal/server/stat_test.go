package server

import (
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	tests := []struct {
		in   string
		want time.Duration
		ok   bool
	}{
		{"77 (pando) S 1 77 77 0 -1 4194560 2 0 0 0 150 25 0 0 20 0 9 0 100 1 2", 1750 * time.Millisecond, true},
		{"77 (a) b (c) R 1 77 77 0 -1 4194560 2 0 0 0 1 2 0 0 20 0 9 0 100 1 2", 30 * time.Millisecond, true},
		{"77 pando S", 0, false},
		{"77 (pando) S 1 77", 0, false},
		{"77 (pando) S 1 77 77 0 -1 4194560 2 0 0 0 x 25 0 0 20", 0, false},
	}
	for _, tt := range tests {
		got, err := parseStat([]byte(tt.in))
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("parseStat(%q) = %v, %v; want %v", tt.in, got, err, tt.want)
		}
	}
}

func TestParseStatus(t *testing.T) {
	got, err := parseStatus([]byte("Name:\tpando\nVmPeak:\t 900 kB\nVmHWM:\t 200 kB\nVmRSS:\t 100 kB\nRssAnon:\t 60 kB\nThreads:\t9\n"))
	if want := (Memory{Resident: 100 << 10, Peak: 200 << 10, Anonymous: 60 << 10}); err != nil || got != want {
		t.Errorf("parseStatus = %+v, %v; want %+v", got, err, want)
	}
	if _, err := parseStatus([]byte("Name:\tpando\nState:\tZ (zombie)\n")); err == nil {
		t.Error("an ended process has memory")
	}
}
