package server

import "testing"

func TestIdle(t *testing.T) {
	parse := func(text string) Ticks {
		got, err := parseMachine([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	before := parse("cpu  100 0 50 800 50 0 0 0 7 0\ncpu0 1 2 3\n")
	after := parse("cpu  150 0 60 820 60 5 3 2 9 0\n")
	if got := after.IdleSince(before); got != 0.3 {
		t.Errorf("idle %v, want 30 of 100", got)
	}
	if got := before.IdleSince(before); got != 0 {
		t.Errorf("idle %v in no time", got)
	}
	for _, text := range []string{"", "cpu 1 2 3", "cpu 1 2 3 4 5 6 7 x 0 0", "intr 1 2 3 4 5 6 7 8 9"} {
		if got, err := parseMachine([]byte(text)); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
	if now, err := MachineTicks(); err != nil || now.All == 0 {
		t.Errorf("this machine: %+v, %v", now, err)
	}
}
