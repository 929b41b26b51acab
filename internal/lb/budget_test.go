package lb

import (
	"testing"
	"time"
)

func TestBudget(t *testing.T) {
	now := time.Unix(1000, 0)
	b := budget{now: func() time.Time { return now }}
	spend := func() (n int) {
		for b.spend() {
			n++
		}
		return n
	}
	if n := spend(); n != 100 {
		t.Errorf("%d without requests, want ten a second for ten seconds", n)
	}
	for range 1000 {
		b.earn()
	}
	spared := 0
	for b.spare() {
		spared++
	}
	if spared != 50 {
		t.Errorf("%d for speed, want half of 300 less the 100 that are spent", spared)
	}
	if n := spend(); n != 150 {
		t.Errorf("%d more for 1,000 requests, want a fifth of them in all", n)
	}
	now = now.Add(9 * time.Second)
	if n := spend(); n != 0 {
		t.Errorf("%d after nine seconds", n)
	}
	now = now.Add(time.Second) // what was earned and spent is forgotten
	if n := spend(); n != 100 {
		t.Errorf("%d after ten seconds, want 100", n)
	}
}
