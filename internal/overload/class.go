package overload

import "strings"

// Class is how much a request matters when not all can be answered.
type Class uint8

// The classes.
const (
	Low    Class = iota // shed first
	Normal              // everything else
	Always              // health and administration: never queued, never shed
)

// A client may say that one of its requests matters less, not that it matters more.

// IsLow tells so from a header Priority (RFC 9218: u=5 to u=7).
func IsLow(priority string) bool {
	for item := range strings.SplitSeq(priority, ",") {
		switch strings.TrimSpace(item) {
		case "u=5", "u=6", "u=7":
			return true
		}
	}
	return false
}

// IsPrefetch tells so from a header Sec-Purpose, or Purpose.
func IsPrefetch(purpose string) bool { return strings.Contains(purpose, "prefetch") }
