package web

import (
	"context"
	"errors"
	"time"

	"github.com/pandobase/pando"
)

type fileKey struct{}

func withFile(ctx context.Context, f *staticFile) context.Context {
	return context.WithValue(ctx, fileKey{}, f)
}

func fileOf(ctx context.Context) *staticFile { return ctx.Value(fileKey{}).(*staticFile) }

// contextWithin bounds the time of a batch; seconds of 0 mean the default.
func contextWithin(c *call, seconds int64) (context.Context, context.CancelFunc) {
	d := defaultBatchTimeout
	if seconds > 0 {
		d = time.Duration(seconds) * time.Second
	}
	return context.WithTimeout(c.r.Context(), d)
}

func asError(err error) *pando.Error {
	if e, ok := errors.AsType[*pando.Error](err); ok {
		return e
	}
	return &pando.Error{Kind: pando.KindInternal, Err: err}
}
