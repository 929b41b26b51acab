package sqlgen

import (
	"errors"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/indexdef"
)

// PostgresIndex is the CREATE INDEX of d for c's table. The error says what
// cannot be carried over and why.
func PostgresIndex(c *pando.Collection, d *indexdef.Def) (string, error) {
	return "", errors.New("not yet")
}
