//go:build !mutants

package neighbour

const (
	Version = "" // of Pando; "": what it is
	Format  = 0  // the newest one; 0: what it is
	Tier    = 0  // of what lies on cache servers; 0: what it is
)

// Begin begins a message in a format.
func Begin(b []byte, _ uint8) []byte { return b }

// Cut takes off what Begin has written; false if it is not there.
func Cut(b []byte, _ uint8) ([]byte, bool) { return b, true }

// Hello ends a HELLO.
func Hello(b []byte) []byte { return b }
