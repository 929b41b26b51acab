package postgres

import (
	"fmt"
	"strconv"

	"github.com/pandobase/pando/internal/position"
)

// scan reads a position as a number and a timeline in hex.
func (at *where) scan(n, timeline []byte) error {
	lsn, err := strconv.ParseUint(string(n), 10, 64)
	if err != nil {
		return fmt.Errorf("postgres: position %q: %w", n, err)
	}
	tl, err := strconv.ParseUint(string(timeline), 16, 32)
	if err != nil {
		return fmt.Errorf("postgres: timeline %q: %w", timeline, err)
	}
	at.n, at.timeline = position.N(lsn), uint32(tl)
	return nil
}
