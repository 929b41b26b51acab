package field

import (
	"encoding/json"
	"strings"

	"github.com/spf13/cast"

	"github.com/pandobase/pando"
)

// Cast makes the Go type that [pando.Record] documents for f out of raw, which
// is a decoded JSON or form value (nil, bool, float64, json.Number, string,
// []any, map[string]any) or already typed. It is lenient and never fails: what
// cannot be understood becomes the zero value, and [Check] judges the result.
//
// The plain text of a password stays plain; hashing is not for here. Of a file
// field, raw holds names only.
func Cast(f *pando.Field, raw any) any {
	if n, ok := raw.(json.Number); ok {
		raw, _ = n.Float64()
	}
	return kindOf(f.Type).cast(f, raw)
}

// toString is raw as text; lists and objects have none.
func toString(raw any) string {
	s, _ := cast.ToStringE(raw)
	return s
}

// toList is raw as a list of different, non-empty texts in their first order. A
// text that is a JSON array of texts counts as that array. One element that has
// no text spoils the list.
func toList(raw any) []string {
	var list []string
	switch v := raw.(type) {
	case nil:
		return nil
	case []string:
		list = v
	case string:
		if !strings.HasPrefix(strings.TrimSpace(v), "[") || json.Unmarshal([]byte(v), &list) != nil {
			list = []string{v}
		}
	case []any:
		for _, item := range v {
			if n, ok := item.(json.Number); ok {
				item, _ = n.Float64()
			}
			s, err := cast.ToStringE(item)
			if err != nil {
				return nil
			}
			list = append(list, s)
		}
	default:
		list = []string{toString(raw)}
	}
	return unique(list)
}

// unique leaves empty and repeated texts out.
func unique(list []string) []string {
	seen := make(map[string]bool, len(list))
	var out []string
	for _, s := range list {
		if s != "" && !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

// castList is the value of a field that holds one text or a list of them; of
// many texts for a single value, the last one counts.
func castList(f *pando.Field, raw any) any {
	list := toList(raw)
	if f.Multiple() {
		return list
	}
	if len(list) == 0 {
		return ""
	}
	return list[len(list)-1]
}

// asList is a cast value of such a field as a list.
func asList(v any) []string {
	switch v := v.(type) {
	case []string:
		return v
	case string:
		if v != "" {
			return []string{v}
		}
	}
	return nil
}
