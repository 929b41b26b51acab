package records

import (
	"slices"
	"strings"
	"testing"

	"github.com/pandobase/pando"
)

// TestDifferences: what two answers differ in is named, and nothing that is in them.
func TestDifferences(t *testing.T) {
	view, list := []byte{0, 0}, []byte{1, 0}
	for _, tt := range []struct {
		name string
		key  []byte
		a, b string
		want string
	}{
		{"the same", view, `{"id":"x","n":1}`, `{"id":"x","n":1}`, ""},
		{"another order", view, `{"id":"x","n":1}`, `{"n":1,"id":"x"}`, ""},
		{"a field", view, `{"id":"x","email":"ann@secret"}`, `{"id":"x","email":"bob@secret"}`, "email"},
		{"a field that one has not", view, `{"id":"x","email":"ann@secret"}`, `{"id":"x"}`, "email"},
		{"null is not nothing", view, `{"n":null}`, `{}`, "n"},
		{"beyond a float", view, `{"n":9007199254740993}`, `{"n":9007199254740992}`, "n"},
		{"names below a field are data", view, `{"data":{"secret":1}}`, `{"data":{"secret":2}}`, "data"},
		{"a field that is called items", view, `{"items":[{"secret":1}]}`, `{"items":[{"secret":2}]}`, "items"},
		{"expanded", view, `{"expand":{"author":{"name":"secret"},"tags":[{"t":1}]}}`, `{"expand":{"author":{"name":"x"},"tags":[{"t":2}]}}`, "expand.author.name expand.tags.t"},
		{"expanded, one less", view, `{"expand":{"tags":[{"t":1}]}}`, `{"expand":{"tags":[]}}`, "expand.tags (how many)"},
		{"not expanded", view, `{"expand":{"tags":[{"t":1}]}}`, `{}`, "expand"},
		{"a page", list, `{"totalItems":2,"items":[{"id":"secret","n":1},{"id":"y","n":2}]}`, `{"totalItems":3,"items":[{"id":"secret","n":1},{"id":"y","n":5}]}`, "items.n totalItems"},
		{"one less", list, `{"items":[{"id":"a"},{"id":"b"}]}`, `{"items":[{"id":"a"}]}`, "items (how many)"},
		{"no JSON", view, `secret`, `{}`, "form"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			encoded := func(body string) []byte {
				data, ok := Codec{}.Encode(&answer{body: pando.Answer(body)})
				if !ok {
					t.Fatal("it is not encoded")
				}
				return data
			}
			got := strings.Join(Codec{}.Differences(tt.key, encoded(tt.a), encoded(tt.b)), " ")
			if got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
			if strings.Contains(got, "secret") {
				t.Errorf("%q tells what is in them", got)
			}
		})
	}
	none := &answer{err: &pando.Error{Kind: pando.KindNotFound, Message: "there is no secret"}}
	a, _ := Codec{}.Encode(none)
	b, _ := Codec{}.Encode(&answer{body: pando.Answer(`{"id":"secret"}`)})
	if got := (Codec{}).Differences(view, a, b); len(got) != 1 || slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "secret") }) {
		t.Errorf("one is not there: %q", got)
	}
	if got := (Codec{}).Differences(view, a, a[:len(a)-1]); len(got) != 1 || got[0] != "message" {
		t.Errorf("messages: %q", got)
	}
}
