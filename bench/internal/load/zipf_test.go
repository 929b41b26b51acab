package load

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestZipfIsDeterministic(t *testing.T) {
	draw := func() (ranks []int) {
		z := NewZipf(rand.New(rand.NewPCG(1, 2)), 0.99, 10_000)
		for range 1000 {
			ranks = append(ranks, z.Rank())
		}
		return ranks
	}
	if diff := cmp.Diff(draw(), draw()); diff != "" {
		t.Errorf("the same seed gives other ranks:\n%s", diff)
	}
}

// TestZipfFollowsItsLaw compares drawn frequencies with 1/(rank+1)^s.
func TestZipfFollowsItsLaw(t *testing.T) {
	const n, draws = 1000, 300_000
	for _, s := range []float64{0.5, 0.99, 1, 1.2} {
		z := NewZipf(rand.New(rand.NewPCG(3, 4)), s, n)
		seen := make([]int, n)
		for range draws {
			seen[z.Rank()]++
		}
		var sum float64
		for k := 1; k <= n; k++ {
			sum += math.Pow(float64(k), -s)
		}
		for _, rank := range []int{0, 1, 2, 9, 99, 999} {
			want := math.Pow(float64(rank+1), -s) / sum * draws
			got := float64(seen[rank])
			if dev := math.Abs(got-want) / math.Sqrt(want); dev > 5 {
				t.Errorf("s=%v: rank %d drawn %v times, want about %.0f (%.1f standard deviations off)", s, rank, got, want, dev)
			}
		}
	}
}

func TestZipfOfOne(t *testing.T) {
	z := NewZipf(rand.New(rand.NewPCG(1, 1)), 0.99, 1)
	for range 100 {
		if r := z.Rank(); r != 0 {
			t.Fatalf("rank %d of 1", r)
		}
	}
}
