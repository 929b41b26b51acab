package collections

import (
	"cmp"
	"context"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/rule"
	"github.com/pandobase/pando/internal/wire"
)

// listed is the shape that definitions have for filters and sorts.
var listed = &pando.Collection{Name: "collections", Type: pando.TypeBase, Fields: []*pando.Field{
	{ID: "id", Name: "id", Type: pando.FieldText, Options: &pando.TextOptions{}},
	{ID: "created", Name: "created", Type: pando.FieldDate, Options: &pando.DateOptions{}},
	{ID: "updated", Name: "updated", Type: pando.FieldDate, Options: &pando.DateOptions{}},
	{ID: "name", Name: "name", Type: pando.FieldText, Options: &pando.TextOptions{}},
	{ID: "system", Name: "system", Type: pando.FieldBool, Options: &pando.BoolOptions{}},
	{ID: "type", Name: "type", Type: pando.FieldText, Options: &pando.TextOptions{}},
}}

// asRecord is a definition in that shape.
func asRecord(c *pando.Collection) *pando.Record {
	return &pando.Record{Collection: listed, Values: []any{c.ID, c.Created, c.Updated, c.Name, c.System, string(c.Type)}}
}

// alone is the schema that a filter over definitions may reach: nothing but them.
type alone struct{}

func (alone) Collection(ref string) *pando.Collection {
	if listed.Is(ref) {
		return listed
	}
	return nil
}

// All implements [rule.Schema].
func (alone) All() []*pando.Collection { return []*pando.Collection{listed} }

// List answers with one page of definitions. They are all in memory, and few.
func (s *Service) List(ctx context.Context, q pando.ListQuery) (pando.Answer, error) {
	found, err := filter(ctx, s.store.Catalog().Collections, q.Filter)
	if err != nil {
		return nil, err
	}
	if found, err = sorted(found, q.Sort); err != nil {
		return nil, err
	}
	page, perPage := max(q.Page, 1), q.PerPage
	if perPage <= 0 {
		perPage = defaultPerPage
	}
	perPage = min(perPage, maxPerPage)
	total := len(found)
	if q.SkipTotal {
		total = -1
	}
	from := min((page-1)*perPage, len(found))
	if page-1 > len(found) { // the product may overflow
		from = len(found)
	}
	body := wire.OpenList(nil)
	for i, c := range found[from:min(from+perPage, len(found))] {
		item, err := json.Marshal(c)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, item...)
	}
	body, err = wire.Pick(wire.CloseList(body, page, perPage, total), q.Fields)
	return pando.Answer(body), err
}

const (
	defaultPerPage = 30
	maxPerPage     = 1000
	maxSortKeys    = 8
	maxSortKey     = 255 // characters
)

// badQuery is the error of a filter or sort that makes no sense: the usual one,
// with the reason for the log.
func badQuery(err error) error {
	return &pando.Error{Kind: pando.KindInvalid, Message: "Something went wrong while processing your request.", Err: err}
}

func filter(ctx context.Context, all []*pando.Collection, text string) ([]*pando.Collection, error) {
	if text == "" {
		return all, nil
	}
	r, err := rule.Compile(text, rule.Scope{Schema: alone{}, Collection: listed, Client: true})
	if err != nil {
		return nil, badQuery(err)
	}
	env := rule.Env{Request: &pando.Request{Method: "GET", Context: "default"}, Now: time.Now()}
	var found []*pando.Collection
	for _, c := range all {
		ok, err := r.Match(ctx, env, asRecord(c))
		if err != nil {
			return nil, badQuery(err)
		}
		if ok {
			found = append(found, c)
		}
	}
	return found, nil
}

// sorted orders definitions by a comma list of keys, - for descending; without
// one, they stay in the order in which they were created.
func sorted(all []*pando.Collection, text string) ([]*pando.Collection, error) {
	if text == "" {
		return all, nil
	}
	keys := strings.Split(text, ",")
	if len(keys) > maxSortKeys {
		return nil, badQuery(nil)
	}
	var orders []func(a, b int) int
	records := make([]*pando.Record, len(all))
	places := make([]int, len(all))
	for i, c := range all {
		records[i], places[i] = asRecord(c), i
	}
	for _, key := range keys {
		order, ok := orderBy(strings.TrimSpace(key), records)
		if !ok {
			return nil, badQuery(nil)
		}
		orders = append(orders, order)
	}
	slices.SortStableFunc(places, func(a, b int) int {
		for _, order := range orders {
			if n := order(a, b); n != 0 {
				return n
			}
		}
		return 0
	})
	out := make([]*pando.Collection, len(all))
	for i, place := range places {
		out[i] = all[place]
	}
	return out, nil
}

// orderBy compares the records at two places by one key.
func orderBy(key string, records []*pando.Record) (func(a, b int) int, bool) {
	if len(key) > maxSortKey {
		return nil, false
	}
	sign := 1
	name := strings.TrimPrefix(key, "+")
	if rest, desc := strings.CutPrefix(key, "-"); desc {
		sign, name = -1, rest
	}
	switch name {
	case "@rowid":
		return func(a, b int) int { return sign * cmp.Compare(a, b) }, true
	case "@random":
		chance := rand.Perm(len(records))
		return func(a, b int) int { return cmp.Compare(chance[a], chance[b]) }, true
	}
	i := listed.FieldIndex(name)
	if i < 0 {
		return nil, false
	}
	return func(a, b int) int {
		if x, ok := records[a].Values[i].(bool); ok {
			return sign * (boolOrder(x) - boolOrder(records[b].Values[i].(bool)))
		}
		return sign * cmp.Compare(records[a].Values[i].(string), records[b].Values[i].(string))
	}, true
}
