package target

import (
	"context"

	"github.com/pandobase/pando/internal/localcluster"
)

// Crash has the primary crash and come back, on the timeline on which it was: whatever was on
// its disk is there. Meanwhile no SQL runs, until then is done, which is called when it is back.
func (c *Cluster) Crash(ctx context.Context, crash func(context.Context, *localcluster.Postgres) error, then func() error) error {
	c.beside.Lock()
	defer c.beside.Unlock()
	if err := crash(ctx, c.Primary()); err != nil {
		return err
	}
	return then()
}
