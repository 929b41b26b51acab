package importer

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

// knownIDs is how many looked-up values a matcher remembers.
const knownIDs = 200_000

// matcher fills a relation by looking up the record that has a value.
type matcher struct {
	target *pando.Collection
	field  string
	ids    map[string]string // value → record id
}

// newMatchers reads the --match options: key of the file → "collection.field".
func newMatchers(s *store.Catalog, match map[string]string, columns map[string]*column) (map[string]*matcher, error) {
	out := map[string]*matcher{}
	for key, to := range match {
		name, fieldName, ok := strings.Cut(to, ".")
		if !ok {
			return nil, pando.Invalid("--match %s=%s: write it as FIELD=COLLECTION.FIELD.", key, to)
		}
		if columns[key] == nil {
			return nil, pando.Invalid("--match %s=%s: the file has no %s.", key, to, key)
		}
		c := s.Collection(name)
		if c == nil {
			return nil, pando.Invalid("--match %s=%s: there is no collection %s. Import it first.", key, to, name)
		}
		f := c.Field(fieldName)
		if f == nil || f.Hidden {
			return nil, pando.Invalid("--match %s=%s: %s has no field %s.", key, to, c.Name, fieldName)
		}
		out[key] = &matcher{target: c, field: f.Name, ids: map[string]string{}}
	}
	return out, nil
}

// find is the id of the record whose field is value, "" for an empty value.
func (m *matcher) find(ctx context.Context, tx store.Tx, value any) (string, error) {
	var text string
	switch v := value.(type) {
	case nil:
	case string:
		text = v
	case float64:
		text = strconv.FormatFloat(v, 'f', -1, 64)
	default:
		return "", rowError{fmt.Errorf("%v cannot be looked up in %s.%s", value, m.target.Name, m.field)}
	}
	if text == "" {
		return "", nil
	}
	if id, ok := m.ids[text]; ok {
		return id, nil
	}
	page, err := tx.Find(ctx, store.Query{
		Collection: m.target,
		Match:      []store.Match{{Field: m.field, Value: text}},
		Limit:      2,
		IDsOnly:    true,
	})
	if err != nil {
		return "", err
	}
	switch len(page.Records) {
	case 0:
		return "", rowError{fmt.Errorf("no record of %s has %s = %q", m.target.Name, m.field, text)}
	case 1:
	default:
		return "", rowError{fmt.Errorf("more than one record of %s has %s = %q", m.target.Name, m.field, text)}
	}
	if len(m.ids) < knownIDs {
		m.ids[text] = page.Records[0].ID()
	}
	return page.Records[0].ID(), nil
}
