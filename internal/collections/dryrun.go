package collections

import (
	"context"
	"encoding/json"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/field"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/wire"
)

const (
	maxQuery   = 5000 // characters
	sampleSize = 10   // records
)

// DryRunView says what a view with this query would have: its fields, and its
// first records as a superuser would see them.
func (s *Service) DryRunView(ctx context.Context, query string) (pando.Answer, error) {
	err := field.Length(query, 1, maxQuery)
	if query == "" {
		err = field.Blank()
	}
	if err != nil {
		return nil, invalid("An error occurred while validating the submitted data.", pando.FieldErrors{"query": err})
	}
	var out struct {
		Fields []*pando.Field    `json:"fields"`
		Sample []json.RawMessage `json:"sample"`
	}
	fail := s.store.Read(ctx, func(r store.Reader) error {
		c := &pando.Collection{Type: pando.TypeView, ViewQuery: query}
		fields, bad, err := viewFields(ctx, r, c)
		if err != nil {
			return err
		}
		if bad != nil {
			return pando.Invalid("%s", bad.Message)
		}
		c.Fields, out.Fields = fields, fields
		records, err := r.SampleView(ctx, c, query, sampleSize)
		if err != nil {
			return err
		}
		plan := wire.NewPlan(c)
		out.Sample = make([]json.RawMessage, len(records))
		for i, rec := range records {
			out.Sample[i] = plan.AppendRecord(nil, rec, wire.Show{Hidden: true, Email: true})
		}
		return nil
	})
	if fail != nil {
		return nil, fail
	}
	return answer(out, "")
}
