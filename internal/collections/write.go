package collections

import (
	"context"
	"encoding/json"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/wire"
)

const (
	badBody = "Failed to load the submitted data due to invalid formatting."
	badType = "Failed to load the collection type data due to invalid formatting."
)

func now() string { return pando.FormatTime(time.Now()) }

// Create saves a new collection: body merged into the scaffold of its type.
func (s *Service) Create(ctx context.Context, body []byte, fields string) (pando.Answer, error) {
	if _, err := wire.ParseFields(fields); err != nil { // before anything is written
		return nil, err
	}
	draft, err := newDraft(body)
	if err != nil {
		return nil, err
	}
	var c *pando.Collection
	_, err = s.store.Write(ctx, func(tx store.Tx) error {
		c = draft.Clone()
		if c.ID == "" {
			c.ID = freeCollectionID(tx.Catalog(), c)
		}
		c.Created = now()
		c.Updated = c.Created
		return apply(ctx, tx, nil, c, createFailed)
	})
	if err != nil {
		return nil, err
	}
	return answer(c, fields)
}

// newDraft merges body into a scaffold.
func newDraft(body []byte) (*pando.Collection, error) {
	raw, err := object(body)
	if err != nil {
		return nil, &pando.Error{Kind: pando.KindInvalid, Message: badType, Err: err}
	}
	var head struct {
		Name string               `json:"name"`
		Type pando.CollectionType `json:"type"`
	}
	if raw != nil {
		if err := json.Unmarshal(raw, &head); err != nil {
			return nil, &pando.Error{Kind: pando.KindInvalid, Message: badType, Err: err}
		}
	}
	if head.Type == "" {
		head.Type = pando.TypeBase
	}
	c := scaffold(head.Type)
	if err := merge(c, raw); err != nil {
		return nil, &pando.Error{Kind: pando.KindInvalid, Message: badBody, Err: err}
	}
	c.Type = head.Type
	return c, nil
}

// Update merges body into the stored definition.
func (s *Service) Update(ctx context.Context, ref string, body []byte, fields string) (pando.Answer, error) {
	if _, err := wire.ParseFields(fields); err != nil {
		return nil, err
	}
	if s.store.Catalog().Collection(ref) == nil {
		return nil, pando.NotFound()
	}
	raw, err := object(body)
	if err != nil {
		return nil, &pando.Error{Kind: pando.KindInvalid, Message: badBody, Err: err}
	}
	var c *pando.Collection
	_, err = s.store.Write(ctx, func(tx store.Tx) error {
		old := tx.Catalog().Collection(ref)
		if old == nil {
			return pando.NotFound()
		}
		c = old.Clone()
		if err := merge(c, raw); err != nil {
			return &pando.Error{Kind: pando.KindInvalid, Message: badBody, Err: err}
		}
		if c.ID != old.ID { // nothing else could be judged
			return invalid(updateFailed, pando.FieldErrors{"id": &pando.FieldError{
				Code: "validation_collection_id_change", Message: "The id of a collection cannot be changed.",
			}})
		}
		rotate(old, c)
		c.Updated = now()
		return apply(ctx, tx, old, c, updateFailed)
	})
	if err != nil {
		return nil, err
	}
	return answer(c, fields)
}

// rotate changes the secret of the auth tokens if the rule for logging in has
// changed: tokens that were given out under another rule are worth nothing.
func rotate(old, c *pando.Collection) {
	if old.Auth == nil || c.Auth == nil || same(old.Auth.AuthRule, c.Auth.AuthRule) {
		return
	}
	if c.Auth.AuthToken.Secret == old.Auth.AuthToken.Secret {
		c.Auth.AuthToken.Secret = newSecret()
	}
}
