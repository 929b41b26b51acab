package collections

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/blob"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/wire"
)

// Config is what the service stands on.
type Config struct {
	Store store.Store
	// Blobs holds the files of the records, which go when a collection goes.
	// It may be nil where there are no files.
	Blobs blob.Store
	// Clear removes all records of a collection with all that hangs on them:
	// referrers that cascade, references of others. It returns the keys of the
	// files that nobody names any more. Truncate needs it for collections that
	// others refer to, and refuses those if it is nil.
	Clear func(ctx context.Context, tx store.Tx, c *pando.Collection) (files []string, err error)
	// Watched tells whether somebody waits to hear of each deleted record of c;
	// then Truncate uses Clear as well. May be nil.
	Watched func(c *pando.Collection) bool
}

// Service implements [pando.Collections].
type Service struct {
	store store.Store
	blobs blob.Store
	clear func(ctx context.Context, tx store.Tx, c *pando.Collection) ([]string, error)

	watched func(c *pando.Collection) bool
}

var _ pando.Collections = (*Service)(nil)

// New makes the service.
func New(c Config) *Service {
	return &Service{store: c.Store, blobs: c.Blobs, clear: c.Clear, watched: c.Watched}
}

// View answers with one definition.
func (s *Service) View(_ context.Context, ref, fields string) (pando.Answer, error) {
	c := s.store.Catalog().Collection(ref)
	if c == nil {
		return nil, pando.NotFound()
	}
	return answer(c, fields)
}

// answer encodes v, picking fields.
func answer(v any, fields string) (pando.Answer, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	if body, err = wire.Pick(body, fields); err != nil {
		return nil, err
	}
	return pando.Answer(body), nil
}

const (
	createFailed = "Failed to create collection."
	updateFailed = "Failed to update collection."
	deleteFailed = "Failed to delete collection."
)

// invalid is the error of data that does not hold.
func invalid(message string, data pando.FieldErrors) *pando.Error {
	return &pando.Error{Kind: pando.KindInvalid, Message: message, Data: data}
}

// refused gives an error of the store, while a definition was saved, the words
// of the call that failed. What is not the sender's fault passes as it is.
func refused(message string, err error) error {
	var e *pando.Error
	if !errors.As(err, &e) || e.Kind != pando.KindInvalid || e.Data != nil {
		return err
	}
	return &pando.Error{Kind: pando.KindInvalid, Message: message + " Raw error: \n" + e.Message, Err: err}
}

// object is the first JSON value of body, which must be an object; nil if there
// is none (an empty body, null).
func object(body []byte) (json.RawMessage, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, nil
	}
	var raw json.RawMessage
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&raw); err != nil {
		return nil, err
	}
	if string(raw) == "null" {
		return nil, nil
	}
	if raw[0] != '{' {
		return nil, errors.New("not a JSON object")
	}
	return raw, nil
}
