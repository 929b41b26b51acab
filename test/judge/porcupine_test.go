package judge

import (
	"fmt"
	"testing"

	"github.com/anishathalye/porcupine"
)

// judged has one record's history judged. Values come with when the operation began; it
// ends in the moment in which it is added.
func judged(t *testing.T, fill func(*Sample)) map[porcupine.CheckResult]int {
	t.Helper()
	var clock int64
	s := NewSample(8, func() int64 { clock++; return clock })
	s.full = make(chan window, 100)
	fill(s)
	s.End()
	s.Judge()
	return s.Verdicts
}

// TestSecondOpinion: what goes back is noticed in whatever window it is, and a write that
// lies in two of them, or in none, is not taken for something wrong.
func TestSecondOpinion(t *testing.T) {
	const n = 3*windowOps + windowOps/2
	for _, wrong := range []int64{0, 700, windowOps + 10, n - 10} {
		t.Run(fmt.Sprint(wrong), func(t *testing.T) {
			v := judged(t, func(s *Sample) {
				for i := int64(1); i < n; i++ {
					begun := s.Now()
					s.Wrote(0, begun, i)
					if s.Read(0, s.Now(), i); i == wrong {
						s.Read(0, s.Now(), i-1)
					}
				}
			})
			if bad := v[porcupine.Illegal]; bad != map[bool]int{true: 1}[wrong != 0] || v[porcupine.Ok] < 7 {
				t.Errorf("verdicts: %v", v)
			}
		})
	}
	v := judged(t, func(s *Sample) {
		for i := int64(1); i < n; i++ {
			begun := s.Now() // and the reads of it come before its end
			for range 3 {
				s.Read(0, s.Now(), i)
			}
			s.Wrote(0, begun, i)
		}
	})
	if v[porcupine.Illegal] > 0 || v[porcupine.Unknown] > 0 {
		t.Errorf("writes that end late: %v", v)
	}
}
