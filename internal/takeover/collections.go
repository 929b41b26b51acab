package takeover

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"

	"github.com/pandobase/pando"
)

// The columns of the source's table of collections that are taken over, and of
// its table of parameters.
var (
	collectionColumns = []string{
		"id", "name", "type", "system", "fields", "indexes",
		"listRule", "viewRule", "createRule", "updateRule", "deleteRule",
		"options", "created", "updated",
	}
	paramColumns = []string{"id", "value"}
)

// Ids and names end up in paths and in SQL, so what the source calls its things
// is checked before anything else looks at it.
var (
	safeName = regexp.MustCompile(`^\w{1,255}$`)
	safeID   = regexp.MustCompile(`^[\w.~-]{1,255}$`)
)

// collections reads the definitions in creation order.
func (t *Takeover) collections(ctx context.Context) ([]*pando.Collection, error) {
	have, err := t.Source.Columns(ctx, "_collections")
	if err != nil {
		return nil, err
	}
	if missing := lacking(have, collectionColumns); missing != "" {
		return nil, pando.Invalid("This is no data directory of PocketBase 0.36 or later: its table _collections has no column %s. Start the newest PocketBase on it once, stop it, and try again.", missing)
	}
	var out []*pando.Collection
	for row, err := range t.Source.Rows(ctx, "_collections", collectionColumns) {
		if err != nil {
			return nil, err
		}
		c, err := collection(row)
		if err != nil {
			return nil, pando.Invalid("The collection %q cannot be read: %v.", text(row[1]), err)
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, pando.Invalid("The source has no collections.")
	}
	return out, nil
}

// collection decodes one row of the table of collections.
func collection(row []any) (*pando.Collection, error) {
	keys := map[string]json.RawMessage{}
	if options := text(row[11]); options != "" {
		if err := json.Unmarshal([]byte(options), &keys); err != nil {
			return nil, fmt.Errorf("options: %w", err)
		}
	}
	for i, name := range collectionColumns {
		switch name {
		case "options":
		case "fields", "indexes":
			keys[name] = json.RawMessage(text(row[i]))
		case "system":
			keys[name] = json.RawMessage(fmt.Sprint(row[i] == int64(1)))
		default:
			value, err := json.Marshal(row[i]) // a rule may be null
			if err != nil {
				return nil, err
			}
			keys[name] = value
		}
	}
	whole, err := json.Marshal(keys)
	if err != nil {
		return nil, err
	}
	c := new(pando.Collection)
	if err := json.Unmarshal(whole, c); err != nil {
		return nil, err
	}
	if !safeName.MatchString(c.Name) {
		return nil, fmt.Errorf("its name is not made of letters, digits and _")
	}
	if !safeID.MatchString(c.ID) || c.ID == "." || c.ID == ".." {
		return nil, fmt.Errorf("its id %q is not fit for a path", c.ID)
	}
	for _, f := range c.Fields {
		if !safeName.MatchString(f.Name) {
			return nil, fmt.Errorf("the field name %q is not made of letters, digits and _", f.Name)
		}
	}
	return c, nil
}

// settings reads the source's settings.
func (t *Takeover) settings(ctx context.Context) (*pando.Settings, error) {
	s := pando.DefaultSettings()
	have, err := t.Source.Columns(ctx, "_params")
	if err != nil {
		return nil, err
	}
	if missing := lacking(have, paramColumns); missing != "" {
		return nil, pando.Invalid("The source's table _params has no column %s: is it PocketBase 0.36 or later?", missing)
	}
	for row, err := range t.Source.Rows(ctx, "_params", paramColumns) {
		if err != nil {
			return nil, err
		}
		if text(row[0]) != "settings" {
			continue
		}
		if err := json.Unmarshal([]byte(text(row[1])), s); err != nil {
			// With --encryptionEnv the settings are one sealed text.
			t.notTaken("settings: they are encrypted or not readable (%v). Pando starts with its defaults: set them again.", err)
			return pando.DefaultSettings(), nil
		}
	}
	return s, nil
}

// lacking is the first of want that is not in have, "" if all are.
func lacking(have, want []string) string {
	in := map[string]bool{}
	for _, h := range have {
		in[h] = true
	}
	for _, w := range want {
		if !in[w] {
			return w
		}
	}
	return ""
}

func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	}
	return ""
}
