package main

import (
	"errors"
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando/bench/internal/server"
)

func TestFlags(t *testing.T) {
	o, err := parse([]string{"-quick", "-rounds", "7", "-workload", "view|create", "-targets", "pando,bare"})
	if err != nil {
		t.Fatal(err)
	}
	if o.rounds != 7 || o.duration != time.Second {
		t.Errorf("%d rounds of %v, want 7 of 1s: what is given outright wins over -quick", o.rounds, o.duration)
	}
	if len(o.workloads) != 2 || len(o.targets) != 2 || o.targets[1] != server.Bare || o.name != "latest" {
		t.Errorf("options %+v", o)
	}
	large, err := parse([]string{"-large"})
	if err != nil || large.name != "large" || len(large.workloads) == 0 {
		t.Fatalf("-large: %+v, %v", large, err)
	}
	for _, w := range large.workloads {
		if !w.Large {
			t.Errorf("-large runs %s", w.Name)
		}
	}
}

func TestBadFlags(t *testing.T) {
	for args, want := range map[string]string{
		"-rounds 0":            "-rounds 0",
		"-duration 1ms":        "-duration 1ms",
		"-conns 0":             "-conns 0",
		"-workload (":          "-workload",
		"-workload nothing":    "-list",
		"-targets pando,nginx": "nginx",
		"-name ../x":           "-name",
		"-large-records 0":     "-large-records",
		"view":                 "unexpected argument",
	} {
		if _, err := parse(strings.Fields(args)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error with %q", args, err, want)
		}
	}
	if _, err := parse([]string{"-help"}); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-help: %v", err)
	}
}

// TestHelpFitsAScreen holds the help to 40 lines of 100 columns.
func TestHelpFitsAScreen(t *testing.T) {
	if n := strings.Count(usage, "\n"); n > 40 {
		t.Errorf("the help has %d lines", n)
	}
	for line := range strings.Lines(usage) {
		if len(line) > 100 {
			t.Errorf("long line: %s", line)
		}
	}
}
