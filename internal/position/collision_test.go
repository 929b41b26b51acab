package position

import (
	"math/rand/v2"
	"testing"
)

// TestTagsThatShareASlot: of two indexes that hear the same, one has a slot for each tag and
// one has 8 for 64. Where they differ, the small one has something be read again, or be
// waited for, that need not; it never takes for new what the other one knows to be old.
func TestTagsThatShareASlot(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	some := func(most int) (tags []Tag) {
		for range 1 + rnd.IntN(most) {
			tags = append(tags, 1+Tag(rnd.IntN(63))) // not AllTag, which every commit changes
		}
		return tags
	}
	spoiled, valid, longer, torn := 0, 0, 0, 0
	for range 200 {
		exact, small := NewStreamIndex(Epoch{Database: 1, Timeline: 1}, 100, 64), NewStreamIndex(Epoch{Database: 1, Timeline: 1}, 100, 8)
		at := N(100)
		for range 30 {
			at += 1 + N(rnd.IntN(3))
			tags, all := some(3), rnd.IntN(40) == 0
			for _, x := range []*Index{exact, small} {
				x.Apply(at, uint64(at), tags, all)
				if at%4 > 0 {
					x.Advance(at)
				}
				if at%3 == 0 {
					x.Settle(at)
				}
			}
			taken := NewStreamIndex(small.Epoch(), small.Base(), small.Slots())
			taken.Load(0, small.Positions())
			asked, s, u := some(2), 90+N(rnd.IntN(int(at)-85)), at+N(rnd.IntN(3))
			holds := map[bool]string{true: "holds", false: "does not"}
			for _, x := range []*Index{small, taken} {
				switch is, has := exact.Valid(s, asked), x.Valid(s, asked); {
				case has && !is:
					t.Fatalf("a fact of %v stamped %d %s, and in truth it %s", asked, s, holds[has], holds[is])
				case is && !has:
					spoiled++
				case has:
					valid++
				}
				if is, has := exact.Covers(asked), x.Covers(asked); has < is {
					t.Fatalf("the last change of %v is thought to be %d, and is %d", asked, has, is)
				}
			}
			switch is, has := exact.Release(u, asked), small.Release(u, asked); {
			case has < is:
				t.Fatalf("what was made of %v up to %d is answered at %d, and may be at %d", asked, u, has, is)
			case has > is:
				longer++
			}
			seen := func(xid uint64) bool { return xid*2654435761>>7%3 > 0 } // in any order
			is, ok1 := exact.Shown(seen, u, asked)
			has, ok2 := small.Shown(seen, u, asked)
			if ok1 != ok2 || has < is {
				t.Fatalf("the last change of %v that can be seen is thought to be %d, and is %d", asked, has, is)
			}
			isTorn, ok1 := exact.Torn(seen, s, u, asked)
			hasTorn, ok2 := small.Torn(seen, s, u, asked)
			if ok1 != ok2 || isTorn && !hasTorn {
				t.Fatalf("a snapshot of %v between %d and %d is torn, and taken", asked, s, u)
			}
			if hasTorn && !isTorn {
				torn++
			}
		}
	}
	if min(spoiled, valid, longer, torn) < 100 {
		t.Errorf("%d facts spoiled, %d valid, %d waited for longer, %d read again: too few to mean anything", spoiled, valid, longer, torn)
	}
}
