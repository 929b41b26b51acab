package judge

import "testing"

// TestRegister: an answer holds what anybody was answered before it was asked for, but what
// says that it may be old only what its own server answered.
func TestRegister(t *testing.T) {
	var r Register
	for range 9 {
		r.Send()
	}
	r.Noted(Answer{Server: 0}, 5)
	r.Noted(Answer{Server: 1}, 3)
	r.Noted(Answer{Server: 2, Marked: true}, 7)
	least := r.Bound()
	r.Noted(Answer{Server: 0}, 6) // later than what is asked for below
	for _, c := range []struct {
		by   Answer
		v    int64
		want bool
	}{
		{Answer{Server: 1}, 4, false},
		{Answer{Server: 1}, 5, true},
		{Answer{Server: -1}, 4, false},
		{Answer{Server: 0}, 10, false}, // nobody wrote that
		{Answer{Server: 0, Marked: true}, 4, false},
		{Answer{Server: 1, Marked: true}, 2, false},
		{Answer{Server: 1, Marked: true}, 3, true},
		{Answer{Server: 2, Marked: true}, 6, false},
		{Answer{Server: -1, Marked: true}, 0, true},
	} {
		if got := r.Saw(c.by, least, c.v); got != c.want {
			t.Errorf("%+v shows %d: %v; %s", c.by, c.v, got, r.Text(c.by, least))
		}
	}
	if r.Reached() != 6 {
		t.Errorf("reached %d: what is marked, or wrong, does not count", r.Reached())
	}
	if again := (Answer{Server: 2, Life: 1, Marked: true}); !r.Saw(again, r.Bound(), 2) || r.Saw(again, r.Bound(), 1) {
		t.Error("a server that was started anew is bound by what it has answered since")
	}
	r.Lose(4)
	if !r.Saw(Answer{Server: 0}, least, 4) || r.Saw(Answer{Server: 0}, r.Bound(), 3) {
		t.Error("what is lost is not asked for, and what is left is")
	}
}

// TestParity: an answer that only tells whether a value is odd is about the earliest that it
// can be about.
func TestParity(t *testing.T) {
	var r Register
	r.Raise(6)
	r.Answered(5)
	a := Answer{}
	if !r.SawParity(a, r.Bound(), true) || r.Reached() != 5 {
		t.Errorf("odd: %d", r.Reached())
	}
	if !r.SawParity(a, r.Bound(), false) || r.Reached() != 6 {
		t.Errorf("even: %d", r.Reached())
	}
	if r.SawParity(a, r.Bound(), true) {
		t.Error("nobody has written 7")
	}
}

func TestSession(t *testing.T) {
	s := NewSession(2)
	if _, _, ok := s.Saw(0, 5, "a list"); !ok {
		t.Error("the first")
	}
	if before, by, ok := s.Saw(0, 4, "a view"); ok || before != 5 || by != "a list" {
		t.Errorf("%d by %q: %v", before, by, ok)
	}
	if _, _, ok := s.Saw(1, 1, ""); !ok {
		t.Error("another record")
	}
	if s.Lose(0, 3); s.seen[0] != 3 {
		t.Error("what is lost")
	}
}

func TestChain(t *testing.T) {
	var c Chain
	for _, s := range [][]int64{{2, 1}, {0, 0}, {1, 1}, {1, 1}, {1, 0}} {
		c.Add(s)
	}
	if pair := c.Check(); pair != nil || len(c.States()) != 4 {
		t.Errorf("%v of %v", pair, c.States())
	}
	if c.Add([]int64{0, 2}); c.Check() == nil {
		t.Error("(0 2) and (1 1) are of two histories")
	}
}
