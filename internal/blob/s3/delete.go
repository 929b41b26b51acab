package s3

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
)

// batch is how many objects one request lists or removes at most.
const batch = 1000

var errEnough = errors.New("enough")

// list calls f with each object whose key begins with prefix. It ends without an
// error when f returns errEnough.
func (s *Store) list(ctx context.Context, prefix string, page int, f func(minio.ObjectInfo) error) error {
	w := s.begin(ctx)
	defer w.end()
	// path.Join would take a slash at the end away.
	if s.at.Prefix != "" {
		prefix = s.at.Prefix + "/" + prefix
	}
	o := minio.ListObjectsOptions{Prefix: prefix, Recursive: true, MaxKeys: page}
	for info := range s.core.ListObjectsIter(w.ctx, s.at.Bucket, o) {
		if info.Err != nil {
			return w.cause(info.Err)
		}
		w.pause()
		if err := f(info); err != nil {
			if errors.Is(err, errEnough) {
				return nil
			}
			return err
		}
		w.moved()
	}
	return w.cause(w.ctx.Err())
}

// Delete removes a file.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := s.checkKey(ctx, key); err != nil {
		return err
	}
	return failure(ctx, "delete", key, s.removeObject(ctx, s.object(key)))
}

func (s *Store) removeObject(ctx context.Context, object string) error {
	err := s.do(ctx, func(ctx context.Context) error {
		return s.core.RemoveObject(ctx, s.at.Bucket, object, minio.RemoveObjectOptions{})
	})
	if isMissing(err) { // S3 says nothing, some of its kind do
		return nil
	}
	return err
}

// DeleteAll removes everything below prefix.
func (s *Store) DeleteAll(ctx context.Context, prefix string) error {
	if err := s.checkKey(ctx, prefix); err != nil {
		return err
	}
	return failure(ctx, "delete", prefix, s.removeAll(ctx, prefix+"/", func(string) bool { return true }))
}

// removeAll removes the objects below prefix whose keys are wanted.
func (s *Store) removeAll(ctx context.Context, prefix string, wanted func(key string) bool) error {
	var objects []string
	err := s.list(ctx, prefix, batch, func(info minio.ObjectInfo) error {
		if wanted(s.key(info.Key)) {
			objects = append(objects, info.Key)
		}
		if len(objects) < batch {
			return nil
		}
		err := s.removeObjects(ctx, objects)
		objects = objects[:0]
		return err
	})
	return errors.Join(err, s.removeObjects(ctx, objects))
}

// removeObjects removes at most batch objects.
func (s *Store) removeObjects(ctx context.Context, objects []string) error {
	switch len(objects) {
	case 0:
		return nil
	case 1:
		return s.removeObject(ctx, objects[0])
	}
	return s.do(ctx, func(ctx context.Context) error {
		results, err := s.core.RemoveObjectsWithIter(ctx, s.at.Bucket, func(yield func(minio.ObjectInfo) bool) {
			for _, object := range objects {
				if !yield(minio.ObjectInfo{Key: object}) {
					return
				}
			}
		}, minio.RemoveObjectsOptions{})
		if err != nil {
			return err
		}
		seen := 0
		for r := range results {
			if seen++; r.Err != nil && !isMissing(r.Err) {
				err = errors.Join(err, fmt.Errorf("%s: %w", r.ObjectName, r.Err))
			}
		}
		if err == nil && seen < len(objects) && ctx.Err() != nil {
			err = ctx.Err()
		}
		return err
	})
}

// Empty tells whether there is no file.
func (s *Store) Empty(ctx context.Context) (bool, error) {
	empty := true
	err := s.list(ctx, "", batch, func(info minio.ObjectInfo) error {
		if strings.HasPrefix(s.key(info.Key), ".") {
			return nil
		}
		empty = false
		return errEnough
	})
	return empty, failure(ctx, "list", s.at.Prefix, err)
}

// Clear removes all files.
func (s *Store) Clear(ctx context.Context) error {
	return failure(ctx, "delete", s.at.Prefix, s.removeAll(ctx, "", func(key string) bool { return !strings.HasPrefix(key, ".") }))
}

// deadUpload is how old an upload in parts is when its sender is certainly gone.
const deadUpload = 24 * time.Hour

// RemoveTemps removes what uploads have left that a crash broke off. It is an
// error of no consequence if the server does not let us.
func (s *Store) RemoveTemps() error {
	prefix := s.at.Prefix
	if prefix != "" {
		prefix += "/"
	}
	var dead []minio.ObjectMultipartInfo
	for key, id := "", ""; ; {
		page, err := s.core.ListMultipartUploads(context.Background(), s.at.Bucket, prefix, key, id, "", batch)
		if err != nil {
			return fmt.Errorf("blob/s3: list uploads that broke off: %w", err)
		}
		dead = append(dead, slices.DeleteFunc(page.Uploads, func(u minio.ObjectMultipartInfo) bool {
			return time.Since(u.Initiated) < deadUpload
		})...)
		if !page.IsTruncated {
			break
		}
		key, id = page.NextKeyMarker, page.NextUploadIDMarker
	}
	var errs []error
	for _, u := range dead {
		errs = append(errs, s.do(context.Background(), func(ctx context.Context) error {
			return s.core.AbortMultipartUpload(ctx, s.at.Bucket, u.Key, u.UploadID)
		}))
	}
	return errors.Join(errs...)
}
