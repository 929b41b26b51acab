package position

import (
	"fmt"
	"strconv"
	"strings"
)

// LSN writes n as PostgreSQL writes positions of its log: 16/B374D848.
func (n N) LSN() string { return fmt.Sprintf("%X/%X", uint32(n>>32), uint32(n)) }

// ParseLSN reads what [N.LSN] writes.
func ParseLSN(text string) (N, error) {
	high, low, ok := strings.Cut(text, "/")
	h, err := strconv.ParseUint(high, 16, 32)
	l, err2 := strconv.ParseUint(low, 16, 32)
	if !ok || err != nil || err2 != nil {
		return 0, fmt.Errorf("position: %q is no position of a log (such as 16/B374D848)", text)
	}
	return N(h<<32 | l), nil
}
