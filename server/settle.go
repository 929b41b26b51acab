package server

import (
	"context"
	"log/slog"
	"time"

	"github.com/pandobase/pando/internal/files"
)

// settleEvery is how often the notes about files are gone through: other servers may
// have died and not come back, and what could not be removed may be now.
const settleEvery = 5 * time.Minute

// keepSettled settles files again and again, after grace for the first time, until
// the returned function is called.
func keepSettled(f *files.Files, grace time.Duration, log *slog.Logger) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	wait := settleEvery
	if grace > 0 {
		wait = grace + time.Second
	}
	go func() {
		defer close(done)
		for timer := time.NewTimer(wait); ; timer.Reset(settleEvery) {
			select {
			case <-ctx.Done():
				timer.Stop()
				return
			case <-timer.C:
			}
			if err := f.Recover(ctx); err != nil && ctx.Err() == nil {
				log.Warn("files left undecided by a crash are not settled yet", "error", err)
			}
		}
	}()
	return func() error {
		cancel()
		<-done
		return nil
	}
}
