package consistency

import (
	"fmt"
	"testing"

	"github.com/anishathalye/porcupine"
)

// judged has one record's history judged. Values come with when the operation began; it
// ends in the moment in which it is added.
func judged(t *testing.T, fill func(*sample)) map[porcupine.CheckResult]int {
	t.Helper()
	s := newSample()
	s.full = make(chan window, 100)
	fill(s)
	s.end()
	s.judge()
	return s.verdicts
}

// TestSecondOpinion: what goes back is noticed in whatever window it is, and a write that
// lies in two of them, or in none, is not taken for something wrong.
func TestSecondOpinion(t *testing.T) {
	const n = 3*windowOps + windowOps/2
	for _, wrong := range []int64{0, 700, windowOps + 10, n - 10} {
		t.Run(fmt.Sprint(wrong), func(t *testing.T) {
			v := judged(t, func(s *sample) {
				for i := int64(1); i < n; i++ {
					begun := s.now()
					s.wrote(0, begun, i)
					if s.read(0, s.now(), i); i == wrong {
						s.read(0, s.now(), i-1)
					}
				}
			})
			if bad := v[porcupine.Illegal]; bad != map[bool]int{true: 1}[wrong != 0] || v[porcupine.Ok] < 7 {
				t.Errorf("verdicts: %v", v)
			}
		})
	}
	v := judged(t, func(s *sample) {
		for i := int64(1); i < n; i++ {
			begun := s.now() // and the reads of it come before its end
			for range 3 {
				s.read(0, s.now(), i)
			}
			s.wrote(0, begun, i)
		}
	})
	if v[porcupine.Illegal] > 0 || v[porcupine.Unknown] > 0 {
		t.Errorf("writes that end late: %v", v)
	}
}
