package load

import (
	"math"
	"math/rand/v2"
)

// Zipf draws ranks 0 to n-1 with probability proportional to 1/(rank+1)^s.
// math/rand has one, but only for s above 1, and benchmarks of key-value
// stores agree on s = 0.99. It needs no table: it is rejection-inversion
// sampling (Hörmann and Derflinger, 1996), at about 1.1 draws a rank.
type Zipf struct {
	rng           *rand.Rand
	n             float64
	s             float64
	hFirst, hLast float64
	acceptWithin  float64
}

// NewZipf returns a source of ranks below n. It panics unless n is at least 1
// and s is positive.
func NewZipf(rng *rand.Rand, s float64, n int) *Zipf {
	if n < 1 || s <= 0 {
		panic("load: a Zipf distribution needs n ≥ 1 and s > 0")
	}
	z := &Zipf{rng: rng, n: float64(n), s: s}
	z.hFirst = z.integral(1.5) - 1
	z.hLast = z.integral(z.n + 0.5)
	z.acceptWithin = 2 - z.inverse(z.integral(2.5)-z.weight(2))
	return z
}

// Rank draws a rank.
func (z *Zipf) Rank() int {
	for {
		u := z.hLast + z.rng.Float64()*(z.hFirst-z.hLast)
		x := z.inverse(u)
		k := min(max(math.Floor(x+0.5), 1), z.n)
		if k-x <= z.acceptWithin || u >= z.integral(k+0.5)-z.weight(k) {
			return int(k) - 1
		}
	}
}

// weight is x^-s.
func (z *Zipf) weight(x float64) float64 { return math.Exp(-z.s * math.Log(x)) }

// integral is the antiderivative of weight that is 0 at 1.
func (z *Zipf) integral(x float64) float64 {
	lx := math.Log(x)
	y := (1 - z.s) * lx
	if math.Abs(y) < 1e-8 {
		return lx * (1 + y/2)
	}
	return math.Expm1(y) / y * lx
}

// inverse is the inverse of integral.
func (z *Zipf) inverse(u float64) float64 {
	t := max(u*(1-z.s), -1)
	if math.Abs(t) < 1e-8 {
		return math.Exp(u * (1 - t/2))
	}
	return math.Exp(math.Log1p(t) / t * u)
}
