package s3

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/blob"
)

const (
	// keptHead is how much of a file's beginning is kept while it is open: whoever
	// looks what is in a file goes back to the beginning then.
	keptHead = 16 << 10
	// readAhead is how much is read to no use rather than asking anew.
	readAhead = 64 << 10
	// resumes is how often a download goes on that broke off.
	resumes = 3
)

// Open opens a file. It comes with one request, as far as it is read from beginning
// to end; another place of it is another request, which finds the same file or
// fails.
func (s *Store) Open(ctx context.Context, key string) (blob.Object, error) {
	if err := s.checkKey(ctx, key); err != nil {
		return nil, err
	}
	o, err := s.open(ctx, s.object(key))
	if err != nil {
		return nil, err
	}
	return o, nil
}

func (s *Store) open(ctx context.Context, name string) (*object, error) {
	o := &object{s: s, ctx: ctx, name: name}
	if err := o.get(); err != nil {
		return nil, failure(ctx, "get", name, err)
	}
	return o, nil
}

// object is an open file. Only one goroutine uses it.
type object struct {
	s        *Store
	ctx      context.Context // of who opened it
	name     string
	etag     string
	size     int64
	modified time.Time

	at    int64  // of the next Read
	head  []byte // the first bytes, as far as they were read
	tries int    // downloads that broke off

	body   io.ReadCloser // nil: none
	bodyAt int64
	watch  *watch // of body
}

// Size is that of the whole file.
func (o *object) Size() int64 { return o.size }

// Modified is when it was put.
func (o *object) Modified() time.Time { return o.modified }

// get asks for the file from at on.
func (o *object) get() error {
	var opts minio.GetObjectOptions
	if o.etag != "" {
		if err := opts.SetMatchETag(o.etag); err != nil {
			return err
		}
	}
	if o.at > 0 {
		if err := opts.SetRange(o.at, 0); err != nil {
			return err
		}
	}
	w := o.s.begin(o.ctx)
	body, info, _, err := o.s.core.GetObject(w.ctx, o.s.at.Bucket, o.name, opts)
	if err = w.cause(err); err != nil {
		w.end()
		return err
	}
	w.pause()
	if o.etag == "" {
		o.etag, o.size, o.modified = info.ETag, info.Size, info.LastModified
	}
	o.body, o.bodyAt, o.watch = body, o.at, w
	return nil
}

// Read reads.
func (o *object) Read(p []byte) (int, error) {
	if o.at >= o.size {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	if o.at < int64(len(o.head)) {
		n := copy(p, o.head[o.at:])
		o.at += int64(n)
		return n, nil
	}
	for {
		n, err := o.read(p)
		if n > 0 {
			return n, nil
		}
		o.drop()
		o.tries++
		if o.ctx.Err() != nil || isMissing(err) || code(err) == minio.PreconditionFailed || o.tries > resumes {
			return 0, o.broken(err)
		}
	}
}

// read reads from the answer, after asking for one if need be.
func (o *object) read(p []byte) (int, error) {
	if o.body != nil && (o.at < o.bodyAt || o.at > o.bodyAt+readAhead) {
		o.drop()
	}
	if o.body == nil {
		if err := o.get(); err != nil {
			return 0, err
		}
	}
	o.watch.moved()
	defer o.watch.pause()
	if skip := o.at - o.bodyAt; skip > 0 {
		n, err := io.CopyN(io.Discard, o.body, skip)
		if o.bodyAt += n; err != nil {
			return 0, o.watch.cause(err)
		}
	}
	n, err := o.body.Read(p)
	if int64(len(o.head)) == o.at && o.at < keptHead {
		o.head = append(o.head, p[:min(n, keptHead-len(o.head))]...)
	}
	o.at += int64(n)
	o.bodyAt += int64(n)
	if n == 0 && err == nil {
		err = io.ErrNoProgress
	}
	return n, o.watch.cause(err)
}

// broken is the error of a download that cannot go on.
func (o *object) broken(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF // the file is longer
	}
	if isMissing(err) {
		err = errors.New("the file was removed while it was read")
	}
	if code(err) == minio.PreconditionFailed {
		err = errors.New("the file was replaced while it was read")
	}
	return failure(o.ctx, "get", o.name, err)
}

// Seek sets where the next Read begins. It asks for nothing.
func (o *object) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += o.at
	case io.SeekEnd:
		offset += o.size
	}
	if offset < 0 {
		return 0, pando.Invalid("A file has no place before its beginning.")
	}
	o.at = offset
	return offset, nil
}

// Close lets go of the file.
func (o *object) Close() error {
	o.drop()
	return nil
}

// drop gives up the answer. A short rest is read, since that keeps the connection.
func (o *object) drop() {
	if o.body == nil {
		return
	}
	if o.bodyAt < o.size && o.size-o.bodyAt <= readAhead && o.ctx.Err() == nil {
		o.watch.moved()
		_, _ = io.CopyN(io.Discard, o.body, o.size-o.bodyAt)
	}
	o.body.Close()
	o.watch.end()
	o.body, o.watch = nil, nil
}
