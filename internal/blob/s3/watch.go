package s3

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"
)

var errSlow = errors.New("nothing has moved for too long")

// watch bounds a request: it ends when nothing has moved for too long.
type watch struct {
	ctx      context.Context
	cancel   context.CancelCauseFunc
	patience time.Duration
	timer    *time.Timer
}

func (s *Store) begin(ctx context.Context) *watch {
	w := &watch{patience: s.patience}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	w.timer = time.AfterFunc(w.patience, func() { w.cancel(errSlow) })
	return w
}

func (w *watch) moved() { w.timer.Reset(w.patience) }

// pause is for the time in which others are to move.
func (w *watch) pause() { w.timer.Stop() }

func (w *watch) end() {
	w.timer.Stop()
	w.cancel(nil)
}

// cause is why a request failed: the watch's own reason rather than that its
// context ended.
func (w *watch) cause(err error) error {
	if err != nil && errors.Is(context.Cause(w.ctx), errSlow) {
		return errSlow
	}
	return err
}

// sending is a body on its way. What is sent for the first time counts as moving;
// tries that send the same again do not.
type sending struct {
	*watch
	r        *bytes.Reader
	at, most int64
}

// Read reads.
func (b *sending) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.at += int64(n); b.at > b.most {
		b.most = b.at
		b.moved()
	}
	return n, err
}

// Seek is for another try.
func (b *sending) Seek(offset int64, whence int) (int64, error) {
	at, err := b.r.Seek(offset, whence)
	b.at = at
	return at, err
}

var _ io.ReadSeeker = (*sending)(nil)
