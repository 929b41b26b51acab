package importer

import (
	"context"
	"fmt"
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
// What an earlier transaction found is looked at again: it may have been
// deleted or changed meanwhile.
func (m *matcher) find(ctx context.Context, w *writing, value any) (any, error) {
	if value == nil {
		return "", nil
	}
	text, err := readText(value)
	if err != nil {
		return "", rowError{fmt.Errorf("%s cannot be looked up in %s.%s", quoted(value), m.target.Name, m.field)}
	}
	key, _ := text.(string)
	if key == "" {
		return "", nil
	}
	if id, ok := m.ids[key]; ok {
		if holds, err := m.still(ctx, w, key, id); holds || err != nil {
			return id, err
		}
		delete(m.ids, key)
	}
	page, err := w.tx.Find(ctx, store.Query{
		Collection: m.target,
		Match:      []store.Match{{Field: m.field, Value: key}},
		Limit:      2,
		IDsOnly:    true,
	})
	if err != nil {
		return "", err
	}
	switch len(page.Records) {
	case 0:
		return "", rowError{fmt.Errorf("no record of %s has %s = %q", m.target.Name, m.field, key)}
	case 1:
	default:
		return "", rowError{fmt.Errorf("more than one record of %s has %s = %q", m.target.Name, m.field, key)}
	}
	id := page.Records[0].ID()
	if len(m.ids) < knownIDs {
		m.ids[key] = id
	}
	w.known[m.target.ID+id], w.known[m.found(key, id)] = true, true
	return id, nil
}

// found names the finding that the record of id has the value key.
func (m *matcher) found(key, id string) string {
	return m.target.ID + id + "\x00" + m.field + "\x00" + key
}

// still tells whether the record of id has the value key.
func (m *matcher) still(ctx context.Context, w *writing, key, id string) (bool, error) {
	if w.known[m.found(key, id)] {
		return true, nil
	}
	found, err := w.tx.Records(ctx, m.target, []string{id})
	if err != nil || len(found) == 0 {
		return false, err
	}
	if text, err := readText(found[0].Get(m.field)); err != nil || text != key {
		return false, nil
	}
	w.known[m.target.ID+id], w.known[m.found(key, id)] = true, true
	return true, nil
}
