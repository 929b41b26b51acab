package records

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/field"
	"github.com/pandobase/pando/internal/store"
)

// generate fills the text fields of a new record that nobody gave a value.
func (o *op) generate(rec *pando.Record) {
	for i, f := range o.p.coll.Fields {
		t, ok := f.Options.(*pando.TextOptions)
		if ok && !t.PrimaryKey && t.AutogeneratePattern != "" && rec.Values[i] == "" {
			rec.Values[i] = o.generated(f.Name)
		}
	}
}

// stamp sets the dates that are the server's.
func stamp(rec *pando.Record, k kind, now time.Time) {
	for i, f := range rec.Collection.Fields {
		if a, ok := f.Options.(*pando.AutodateOptions); ok {
			if k == create && a.OnCreate || k == update && a.OnUpdate {
				rec.Values[i] = pando.FormatTime(now)
			}
		}
	}
}

// validate says what is wrong with rec, by field; nil or empty if nothing is.
// old is nil for a new record.
func (s *Records) validate(
	ctx context.Context, r store.Reader, o *op, old, rec *pando.Record,
) (pando.FieldErrors, error) {
	errs := pando.FieldErrors{}
	for i, f := range o.p.coll.Fields {
		var bad *pando.FieldError
		var err error
		switch {
		case f.Name == "id":
			bad, err = s.validateID(ctx, r, o, old, rec)
		case f.Type == pando.FieldAutodate:
		case f.Type == pando.FieldPassword && old != nil && !o.isNew(i): // a hash
		default:
			bad, err = s.validateField(ctx, r, o, old, rec, i)
		}
		if err != nil {
			return nil, err
		}
		if bad != nil {
			errs[f.Name] = bad
		}
	}
	if len(errs) > 0 {
		return errs, nil
	}
	return s.validateSystem(ctx, r, rec)
}

func (s *Records) validateField(
	ctx context.Context, r store.Reader, o *op, old, rec *pando.Record, i int,
) (*pando.FieldError, error) {
	f, v := o.p.coll.Fields[i], rec.Values[i]
	if bad := field.Check(f, v); bad != nil {
		return bad, nil
	}
	switch opt := f.Options.(type) {
	case *pando.FileOptions:
		var before []string
		if old != nil {
			before = old.Strings(f.Name)
		}
		return checkFiles(f, before, rec.Strings(f.Name), o.draft.uploads), nil
	case *pando.RelationOptions:
		if old != nil && sameValue(old.Values[i], v) {
			return nil, nil // those that are there were there, or would have been taken out
		}
		return s.validateRelation(ctx, r, opt, rec.Strings(f.Name))
	}
	return nil, nil
}

// validateRelation looks whether the related records are there.
func (s *Records) validateRelation(
	ctx context.Context, r store.Reader, o *pando.RelationOptions, ids []string,
) (*pando.FieldError, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	if to := r.Catalog().Collection(o.CollectionID); to != nil {
		there, err := store.AllThere(ctx, r, to, ids)
		if err != nil || there {
			return nil, err
		}
	}
	return &pando.FieldError{
		Code:    "validation_missing_rel_records",
		Message: "Failed to find all relation records with the provided ids.",
	}, nil
}

func (s *Records) validateID(
	ctx context.Context, r store.Reader, o *op, old, rec *pando.Record,
) (*pando.FieldError, error) {
	if old != nil {
		if id, submitted := o.draft.id(o.p.coll); submitted && id != old.ID() {
			return &pando.FieldError{
				Code: "validation_pk_change", Message: "The record primary key cannot be changed.",
			}, nil
		}
		return nil, nil
	}
	f := o.p.coll.Field("id")
	if bad := field.Check(f, rec.ID()); bad != nil {
		return bad, nil
	}
	if t, ok := f.Options.(*pando.TextOptions); ok && t.Pattern != defaultIDPattern {
		if bad := checkNewID(rec.ID()); bad != nil {
			return bad, nil
		}
		// Names of directories, which may not differ in case alone everywhere.
		page, err := r.Find(ctx, store.Query{
			Collection: o.p.coll, Limit: 1, IDsOnly: true,
			Match: []store.Match{{Field: "id", Value: rec.ID(), NoCase: true}},
		})
		if err != nil {
			return nil, err
		}
		if len(page.Records) > 0 {
			return &pando.FieldError{
				Code: "validation_pk_invalid", Message: "The record primary key is invalid or already exists.",
			}, nil
		}
	}
	if o.p.coll.IsAuth() {
		taken, err := isAuthIDTaken(ctx, r, o.p.coll, rec.ID())
		if err != nil {
			return nil, err
		}
		if taken {
			return &pando.FieldError{
				Code: "validation_invalid_auth_id", Message: "Invalid or duplicated auth record id.",
			}, nil
		}
	}
	return nil, nil
}

// sameValue tells whether two values of one field are equal.
func sameValue(a, b any) bool {
	switch a := a.(type) {
	case []string:
		other, ok := b.([]string)
		return ok && slices.Equal(a, other)
	case json.RawMessage:
		other, ok := b.(json.RawMessage)
		return ok && bytes.Equal(a, other)
	}
	return a == b
}
