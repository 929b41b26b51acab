package faults

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// everyField is a field of every type that users can make, named after it.
func everyField() []map[string]any {
	return []map[string]any{
		{"name": "text", "type": "text"},
		{"name": "number", "type": "number"},
		{"name": "bool", "type": "bool"},
		{"name": "email", "type": "email"},
		{"name": "url", "type": "url"},
		{"name": "editor", "type": "editor"},
		{"name": "date", "type": "date"},
		{"name": "choice", "type": "select", "values": []string{"a", "b"}, "maxSelect": 1},
		{"name": "choices", "type": "select", "values": []string{"a", "b"}, "maxSelect": 2},
		{"name": "file", "type": "file", "maxSelect": 1},
		{"name": "files", "type": "file", "maxSelect": 99},
		{"name": "json", "type": "json"},
		{"name": "point", "type": "geoPoint"},
		{"name": "secret", "type": "password"},
		{"name": "created", "type": "autodate", "onCreate": true},
	}
}

// badBodies cannot be read, whatever route they are sent to.
var badBodies = map[string]string{
	"empty text":               " ",
	"not JSON":                 "hello",
	"an array":                 `[{"text":"x"}]`,
	"a string":                 `"x"`,
	"a number":                 `1`,
	"truncated in a key":       `{"te`,
	"truncated in a value":     `{"text":"abc`,
	"truncated after a colon":  `{"text":`,
	"truncated in an object":   `{"json":{"a":{"b":1}`,
	"trailing comma":           `{"text":"x",}`,
	"single quotes":            `{'text':'x'}`,
	"a bare key":               `{text:"x"}`,
	"a bad escape":             `{"text":"\q"}`,
	"half an escape":           `{"text":"\u12`,
	"NaN":                      `{"number":NaN}`,
	"infinity":                 `{"number":Infinity}`,
	"leading zero":             `{"number":01}`,
	"two signs":                `{"number":--1}`,
	"control character":        "{\"text\":\"a\x01b\"}",
	"NUL":                      "\x00",
	"key twice":                `{"text":"a","text":"b"}`,
	"key twice inside":         `{"json":{"a":1,"a":2}}`,
	"invalid UTF-8 in a value": "{\"text\":\"\xff\xfe\"}",
	"invalid UTF-8 in a key":   "{\"te\xc3\":1}",
	"overlong UTF-8":           "{\"text\":\"\xc0\xaf\"}",
	"UTF-16":                   "\xff\xfe{\x00}\x00",
	"byte order mark":          "\xef\xbb\xbf{\"text\":\"x\"}",
	"deep arrays":              `{"json":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`,
	"deep arrays, open":        `{"json":` + strings.Repeat("[", 1_000_000),
	"deep objects":             strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000),
	"a comment":                `{"text":"x" /* y */}`,
}

func TestMalformedJSON(t *testing.T) {
	a := start(t)
	a.collection(t, "things", everyField()...)
	a.must(t, a.json(t, "PATCH", "/api/settings", a.token, map[string]any{"batch": map[string]any{"enabled": true}}), 200)
	id := a.create(t, "things", map[string]any{"text": "stays"})
	before := a.must(t, a.get(t, records("things")+"/"+id, a.token), 200)
	settings := a.must(t, a.get(t, "/api/settings", a.token), 200)

	routes := []struct{ method, path, token string }{
		{"POST", records("things"), ""},
		{"PATCH", records("things") + "/" + id, ""},
		{"POST", "/api/batch", ""},
		{"POST", "/api/realtime", ""},
		{"POST", "/api/collections/users/auth-with-password", ""},
		{"POST", "/api/collections", a.token},
		{"PATCH", "/api/collections/things", a.token},
		{"PUT", "/api/collections/import", a.token},
		{"POST", "/api/collections/meta/dry-run-view", a.token},
		{"PATCH", "/api/settings", a.token},
		{"POST", "/api/collections/users/impersonate/" + id, a.token},
	}
	for name, body := range badBodies {
		t.Run(name, func(t *testing.T) {
			for _, r := range routes {
				got := a.send(t, r.method, r.path, r.token, "application/json", strings.NewReader(body))
				isError(t, got, http.StatusBadRequest)
				if t.Failed() {
					t.Fatalf("%s %s", r.method, r.path)
				}
			}
		})
	}
	if n := a.count(t, "things"); n != 1 {
		t.Errorf("%d records, want 1", n)
	}
	after := a.must(t, a.get(t, records("things")+"/"+id, a.token), 200)
	if diff := cmp.Diff(string(before.body), string(after.body)); diff != "" {
		t.Errorf("the record changed:\n%s", diff)
	}
	if now := a.must(t, a.get(t, "/api/settings", a.token), 200); !bytes.Equal(now.body, settings.body) {
		t.Errorf("the settings changed: %s", now.body)
	}
	a.healthy(t)
}

// TestWrongTypes sends every field a value of every JSON type. Many of them are
// cast, as users of this API expect; none may lead to anything but a record or a
// clear refusal.
func TestWrongTypes(t *testing.T) {
	a := start(t)
	a.collection(t, "things", everyField()...)
	values := []string{
		`null`, `true`, `0`, `-1`, `1e308`, `12345678901234567890`, `0.1`, `""`, `" "`, `"x"`, `"\u0000"`, `"\ud800"`, `"1e999"`,
		`[]`, `[null]`, `["a","b","c"]`, `[[["a"]]]`, `[{}]`, `{}`, `{"a":{"b":[1]}}`, `{"lon":"x","lat":{}}`,
		`{"lon":1e300,"lat":-1e300}`, `1e999`, `-1e999`, `"../../etc/passwd"`, `["../x","\u0000"]`, `"9999-99-99 99:99:99"`, `"-1"`,
	}
	made := 0
	for _, f := range append(everyField(), map[string]any{"name": "id"}, map[string]any{"name": "nobody"}) {
		for _, suffix := range []string{"", "+", "-", ":autogenerate"} {
			for _, v := range values {
				body := fmt.Sprintf(`{"%s%s":%s}`, f["name"], suffix, v)
				got := a.send(t, "POST", records("things"), "", "application/json", strings.NewReader(body))
				if got.status == http.StatusOK {
					made++
					id := str(t, got.body, "id")
					view := a.get(t, records("things")+"/"+id, "")
					if !bytes.Equal(bytes.TrimSpace(view.body), bytes.TrimSpace(got.body)) {
						t.Errorf("%s: created %s\nviewed %s", body, got.body, view.body)
					}
					continue
				}
				isError(t, got, http.StatusBadRequest)
				if t.Failed() {
					t.Fatal(body)
				}
			}
		}
	}
	if n := a.count(t, "things"); n != made {
		t.Errorf("%d records, %d were answered", n, made)
	}
	if files, own := storedFiles(t, a.Dir); len(files)+len(own) > 0 {
		t.Errorf("files came from nowhere: %q %q", files, own)
	}
	a.healthy(t)
}

// TestUnknownFields checks that what no field is called is ignored on records,
// and harms nothing elsewhere.
func TestUnknownFields(t *testing.T) {
	a := start(t)
	a.collection(t, "things", everyField()...)
	body := map[string]any{"text": "x", "nobody": 1, "collectionId": "evil", "collectionName": "evil", "expand": map[string]any{"a": 1},
		"": "empty", "a.b.c": 1, "__proto__": 1, "rowid": 7, "text; DROP TABLE things": 1, strings.Repeat("k", 100_000): 1}
	got := a.must(t, a.post(t, records("things"), "", body), 200)
	if name := str(t, got.body, "collectionName"); name != "things" {
		t.Errorf("collectionName is %q", name)
	}
	many := map[string]any{"text": "many"}
	for i := range 20_000 {
		many[fmt.Sprint("k", i)] = i
	}
	a.must(t, a.post(t, records("things"), "", many), 200)
	if n := a.count(t, "things"); n != 2 {
		t.Errorf("%d records, want 2", n)
	}
	a.healthy(t)
}
