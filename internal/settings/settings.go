// Package settings is the service of the application's settings: reading them,
// and merging what superusers send into them. They are part of the catalog, so
// a change is in force for whatever reads the catalog after it was answered.
package settings

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/wire"
)

// Service implements [pando.SettingsService].
type Service struct{ store store.Store }

var _ pando.SettingsService = (*Service)(nil)

// New makes the service.
func New(s store.Store) *Service { return &Service{store: s} }

// Current is the settings in force.
func (s *Service) Current() *pando.Settings { return current(s.store.Catalog()) }

func current(catalog *store.Catalog) *pando.Settings {
	if catalog.Settings == nil {
		return pando.DefaultSettings()
	}
	return catalog.Settings
}

// View answers with the settings, without their secrets.
func (s *Service) View(_ context.Context, fields string) (pando.Answer, error) {
	return answer(s.Current(), fields)
}

// Update merges body, a JSON object, into the settings. Keys that it leaves out
// keep their value, secrets too; lists are replaced as a whole.
func (s *Service) Update(ctx context.Context, body []byte, fields string) (pando.Answer, error) {
	if _, err := wire.ParseFields(fields); err != nil { // before anything is written
		return nil, err
	}
	var next *pando.Settings
	_, err := s.store.Write(ctx, func(tx store.Tx) error {
		var err error
		if next, err = merged(current(tx.Catalog()), body); err != nil {
			return &pando.Error{
				Kind: pando.KindInvalid, Message: "An error occurred while loading the submitted data.", Err: err,
			}
		}
		if errs := validate(next); len(errs) > 0 {
			return &pando.Error{
				Kind: pando.KindInvalid, Message: "An error occurred while saving the new settings.", Data: errs,
			}
		}
		return tx.SaveSettings(ctx, next)
	})
	if err != nil {
		return nil, err
	}
	return answer(next, fields)
}

// merged is old with the keys of body in place.
func merged(old *pando.Settings, body []byte) (*pando.Settings, error) {
	data, err := json.Marshal(old)
	if err != nil {
		return nil, err
	}
	next := new(pando.Settings)
	if err := json.Unmarshal(data, next); err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return next, nil
	}
	var raw json.RawMessage // the first value counts
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&raw); err != nil {
		return nil, err
	}
	if raw[0] != '{' {
		return nil, errors.New("settings must be a JSON object")
	}
	// Decoding into a list would merge its items by position with the old ones.
	var lists struct {
		RateLimits struct{ Rules json.RawMessage }
	}
	if err := json.Unmarshal(raw, &lists); err != nil {
		return nil, err
	}
	if lists.RateLimits.Rules != nil {
		next.RateLimits.Rules = nil
	}
	if err := json.Unmarshal(raw, next); err != nil {
		return nil, err
	}
	if next.RateLimits.Rules == nil {
		next.RateLimits.Rules = []pando.RateLimitRule{}
	}
	if next.TrustedProxy.Headers == nil {
		next.TrustedProxy.Headers = []string{}
	}
	return next, nil
}

// answer encodes the settings without their secrets.
func answer(settings *pando.Settings, fields string) (pando.Answer, error) {
	shown := *settings
	shown.SMTP.Password, shown.S3.Secret, shown.Backups.S3.Secret = "", "", ""
	body, err := json.Marshal(&shown)
	if err != nil {
		return nil, err
	}
	if body, err = wire.Pick(body, fields); err != nil {
		return nil, err
	}
	return pando.Answer(body), nil
}
