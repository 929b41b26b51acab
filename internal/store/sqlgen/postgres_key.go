package sqlgen

import (
	"fmt"
	"math"

	"github.com/pandobase/pando/internal/rule"
)

// exact is the end of the whole numbers that a double holds without a gap.
const exact = 1 << 53

// valueKey is the key of a constant: a text that sorts as the value does, as
// number_key and its neighbours in schema _pando make it.
func valueKey(v rule.Value) string {
	switch x := v.Any().(type) {
	case int64:
		f := float64(x)
		if math.Abs(f) < exact {
			return realKey(f)
		}
		return fmt.Sprintf("%s%04d", realKey(f)[:17], offBy(x)+512)
	case float64:
		return realKey(x)
	case string:
		return "2" + x
	}
	return ""
}

func realKey(f float64) string {
	bits := int64(math.Float64bits(f + 0)) // + 0 makes 0 of -0
	if bits < 0 {
		bits ^= math.MaxInt64
	}
	key := fmt.Sprintf("1%016x", uint64(bits)^(1<<63))
	if math.Abs(f) >= exact {
		key += "0512"
	}
	return key
}

// offBy tells how far n is from its double.
func offBy(n int64) int64 {
	f := float64(n)
	if f >= 1<<63 {
		return n - math.MaxInt64 - 1
	}
	return n - int64(f)
}
