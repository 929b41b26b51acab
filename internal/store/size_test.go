package store

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/pandobase/pando"
)

// Whatever a record holds a lot of counts, of every type.
func TestSizeOf(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for _, v := range []any{long, []string{long}, json.RawMessage(`"` + long + `"`)} {
		if n := SizeOf(&pando.Record{Values: []any{1.0, v}}); n < 1<<20 || n > 1<<20+1000 {
			t.Errorf("%T of 1 MB: %d", v, n)
		}
	}
}
