package s3

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/minio/minio-go/v7"

	"github.com/pandobase/pando"
)

// idFile holds what tells one store from another, whatever names it is reached by.
const idFile = ".id"

// maxID is more than an id has.
const maxID = 256

// Fingerprint tells whether two servers have the same bucket and prefix. It is made
// when it is asked for the first time.
func (s *Store) Fingerprint(ctx context.Context) (string, error) {
	object := s.object(idFile)
	id, err := s.readID(ctx, object)
	if pando.KindOf(err) == pando.KindNotFound && err != nil {
		if err := s.writeID(ctx, object); err != nil {
			return "", failure(ctx, "put", object, err)
		}
		id, err = s.readID(ctx, object)
	}
	if err != nil {
		return "", fmt.Errorf("blob/s3: identity of the store: %w", err)
	}
	return "s3:" + s.at.Bucket + "/" + s.at.Prefix + "#" + id, nil
}

func (s *Store) readID(ctx context.Context, object string) (string, error) {
	o, err := s.open(ctx, object)
	if err != nil {
		return "", err
	}
	defer o.Close()
	text, err := io.ReadAll(io.LimitReader(o, maxID))
	return strings.TrimSpace(string(text)), err
}

// writeID gives the store an id, unless another server does so first.
func (s *Store) writeID(ctx context.Context, object string) error {
	id := []byte(pando.NewID() + pando.NewID() + "\n")
	var o minio.PutObjectOptions
	o.SetMatchETagExcept("*")
	err := s.putObject(ctx, object, id, o)
	switch code(err) {
	case minio.PreconditionFailed, "ConditionalRequestConflict":
		return nil // another's is there
	case "NotImplemented", "InvalidArgument", "InvalidRequest":
		// A server without conditions. Of two that write at once the later stays,
		// and a member that has read the other is told so when it joins.
		return s.putObject(ctx, object, id, minio.PutObjectOptions{})
	}
	return err
}
