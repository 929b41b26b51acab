package cache

import (
	"testing"
	"time"
	"unsafe"
)

// What a fact says of where it comes from costs no memory: 112 bytes is a size in which
// Go hands memory out, and the next one is 128.
func TestMadeTakesNoRoom(t *testing.T) {
	if size := unsafe.Sizeof(Fact{}); size > 112 {
		t.Errorf("a fact takes %d bytes, want 112 at most", size)
	}
	if size := unsafe.Sizeof(Made{}); size != 8 {
		t.Errorf("where it comes from takes %d bytes of these, want 8", size)
	}
}

func TestMade(t *testing.T) {
	for took, want := range map[time.Duration]time.Duration{
		0: 0, 340 * time.Microsecond: 300 * time.Microsecond, 2 * time.Second: 2 * time.Second, time.Hour: 65535 * tookUnit,
	} {
		m := MadeNow(FromReplica, 3, took)
		if m.Took() != want || m.From != FromReplica || m.Host != 3 || m.Age() > time.Minute {
			t.Errorf("%v: %v, %s, %d, %v ago", took, m.Took(), m.From, m.Host, m.Age())
		}
	}
	m := Made{at: ticks() - 500} // also behind the turn of a counter that has just begun
	if age := m.Age(); age < 5*time.Second || age > time.Minute {
		t.Errorf("made 5 s ago: %v", age)
	}
	for f := FromDatabase; f <= FromMemory; f++ {
		if f.String() == "" || f.String() == "unknown" {
			t.Errorf("%d has no name", f)
		}
	}
}
