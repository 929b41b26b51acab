package web

import (
	"encoding/json"
	"fmt"

	"github.com/pandobase/pando"
)

// showSystem shows superusers, and whoever reaches the admin listener, the state of
// everything: the servers of the cluster, the database's hosts, the caches and what
// they are good for.
func showSystem(c *call) error {
	if c.h.cfg.System == nil {
		return pando.NotFound()
	}
	facts, err := c.h.cfg.System(c.r.Context())
	if err != nil {
		return err
	}
	b, err := json.Marshal(facts)
	if err != nil {
		return fmt.Errorf("system: %w", err)
	}
	c.json(200, b)
	return nil
}
