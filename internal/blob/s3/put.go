package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/minio/minio-go/v7"

	"github.com/pandobase/pando/internal/blob"
)

const (
	// partSize is what an upload keeps in memory at most; S3 takes no smaller parts.
	partSize = 5 << 20
	// smallUpload is how much is read before room for a part is asked for.
	smallUpload = 256 << 10
	// largeUploads is how many uploads may have a part in memory at once.
	largeUploads = 8
)

// Put writes a whole file: in one request if it is small, else in parts, of which
// nothing is seen before the last.
func (s *Store) Put(ctx context.Context, key string, r io.Reader) error {
	if err := s.checkKey(ctx, key); err != nil {
		return err
	}
	first, whole, err := take(nil, r, smallUpload)
	if err != nil {
		return err
	}
	if !whole {
		select {
		case s.large <- struct{}{}:
			defer func() { <-s.large }()
		case <-ctx.Done():
			return ctx.Err()
		}
		first = slices.Grow(first, partSize+bytes.MinRead-len(first)) // once, rather than twice as much
		if first, whole, err = take(first, r, partSize); err != nil {
			return err
		}
	}
	if !whole {
		return s.putParts(ctx, key, first, r)
	}
	return astray(failure(ctx, "put", key, s.putObject(ctx, s.object(key), first, minio.PutObjectOptions{})))
}

// take reads until there are limit bytes in buf, and tells whether that was all.
func take(buf []byte, r io.Reader, limit int) (_ []byte, whole bool, err error) {
	b := bytes.NewBuffer(buf)
	want := int64(limit - len(buf))
	n, err := io.Copy(b, io.LimitReader(r, want))
	return b.Bytes(), n < want, err
}

// putObject writes an object in one request. Its sum is part of the signature, so
// that what is stored is what was sent.
func (s *Store) putObject(ctx context.Context, object string, data []byte, o minio.PutObjectOptions) error {
	o.DisableContentSha256 = true // no signature for each chunk, but one for all
	digest := sum(data)
	for try := 1; ; try++ {
		w := s.begin(ctx)
		body := &sending{watch: w, r: bytes.NewReader(data)}
		_, err := s.core.PutObject(w.ctx, s.at.Bucket, object, body, int64(len(data)), "", digest, o)
		w.end()
		if !isConflict(err) || try == attempts {
			return w.cause(err)
		}
	}
}

// isConflict tells that somebody else was changing the same object just then, or,
// with a server that keeps objects as files, a directory on the way to it.
func isConflict(err error) bool {
	e, ok := errors.AsType[minio.ErrorResponse](err)
	return ok && e.StatusCode == http.StatusConflict
}

func sum(data []byte) string {
	h := sha256.Sum256(data)
	return hex.EncodeToString(h[:])
}

// putParts writes a file of which buf, a full part, is the beginning.
func (s *Store) putParts(ctx context.Context, key string, buf []byte, r io.Reader) error {
	object := s.object(key)
	var id string
	err := s.do(ctx, func(ctx context.Context) (err error) {
		id, err = s.core.NewMultipartUpload(ctx, s.at.Bucket, object, minio.PutObjectOptions{})
		return err
	})
	if err != nil {
		return failure(ctx, "put", key, err)
	}
	parts, err := s.sendParts(ctx, object, id, buf, r)
	if err == nil {
		err = s.do(ctx, func(ctx context.Context) error {
			_, err := s.core.CompleteMultipartUpload(ctx, s.at.Bucket, object, id, parts, minio.PutObjectOptions{})
			return err
		})
	}
	if err == nil {
		return nil
	}
	// If it cannot be given up, or the process dies, its parts are removed later:
	// see [Store.RemoveTemps].
	_ = s.do(context.WithoutCancel(ctx), func(ctx context.Context) error {
		return s.core.AbortMultipartUpload(ctx, s.at.Bucket, object, id)
	})
	if broken, ok := errors.AsType[sourceError](err); ok {
		return broken.error
	}
	return astray(failure(ctx, "put", key, err))
}

// astray marks the failure of a request that may have an effect later.
func astray(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w (%w)", err, blob.ErrAstray)
}

// sourceError is of who gave the file, not of the store.
type sourceError struct{ error }

func (s *Store) sendParts(ctx context.Context, object, id string, buf []byte, r io.Reader) (parts []minio.CompletePart, err error) {
	for whole := false; len(buf) > 0; {
		w := s.begin(ctx)
		part, err := s.core.PutObjectPart(w.ctx, s.at.Bucket, object, id, len(parts)+1,
			&sending{watch: w, r: bytes.NewReader(buf)}, int64(len(buf)),
			minio.PutObjectPartOptions{Sha256Hex: sum(buf), DisableContentSha256: true})
		w.end()
		if err = w.cause(err); err != nil {
			return nil, err
		}
		parts = append(parts, minio.CompletePart{PartNumber: part.PartNumber, ETag: part.ETag})
		if whole {
			break
		}
		if buf, whole, err = take(buf[:0], r, partSize); err != nil {
			return nil, sourceError{err}
		}
	}
	return parts, nil
}

// do makes one request that is short both ways.
func (s *Store) do(ctx context.Context, request func(context.Context) error) error {
	w := s.begin(ctx)
	defer w.end()
	return w.cause(request(w.ctx))
}
