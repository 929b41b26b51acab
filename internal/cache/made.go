package cache

import "time"

// From is where a fact comes from.
type From uint8

// Where facts come from.
const (
	FromDatabase From = iota // it is not said which of its servers
	FromPrimary
	FromReplica
	FromTier
	FromMemory // what was there was found to hold still, and stamped anew
)

// String is a word for people.
func (f From) String() string {
	if int(f) < len(froms) {
		return froms[f]
	}
	return "unknown"
}

var froms = [...]string{"the database", "the primary", "a replica", "a cache server", "memory, stamped anew"}

// Made is where and when a fact was made, and how long that took: for whoever looks for
// the cause of one that was wrong. Each fact has it, so it is eight bytes, which is what
// was left of the memory that a fact takes anyway.
type Made struct {
	at   uint32 // hundredths of a second since the process began: once around in 497 days
	took uint16 // tenths of a millisecond: 6.5 s, or more
	From From
	Host uint8 // of the database, as whoever makes facts numbers them; 0: not known
}

const (
	atUnit   = 10 * time.Millisecond
	tookUnit = 100 * time.Microsecond
)

var began = time.Now()

func ticks() uint32 { return uint32(time.Since(began) / atUnit) }

// MadeNow is of a fact that is there since now.
func MadeNow(from From, host uint8, took time.Duration) Made {
	return Made{at: ticks(), took: uint16(min(took/tookUnit, 1<<16-1)), From: from, Host: host}
}

// Age is how long ago that was.
func (m Made) Age() time.Duration { return time.Duration(ticks()-m.at) * atUnit }

// Took is how long it took; 6.5 s stands for all that is longer.
func (m Made) Took() time.Duration { return time.Duration(m.took) * tookUnit }
