package importer

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// readAll reads every row; a row that cannot be read stands as its error.
func readAll(s *Source) (rows []any, err error) {
	for {
		row, err := s.Next()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return rows, err
		}
		if row.Err != nil {
			rows = append(rows, row.Err.Error())
			continue
		}
		rows = append(rows, row.Values)
	}
}

func TestSource(t *testing.T) {
	type obj = map[string]any
	tests := []struct {
		name, file, text string
		want             []any
		openErr, err     string // parts of the errors
	}{
		{"json", "a.json", `[{"a":1,"b":"x"},{"a":null}]`, []any{obj{"a": 1.0, "b": "x"}, obj{"a": nil}}, "", ""},
		{"json with a byte order mark", "a.json", "\ufeff[{\"a\":1}]", []any{obj{"a": 1.0}}, "", ""},
		{"json with a row that is no object", "a.json", `[{"a":1},5,{"a":2}]`, []any{obj{"a": 1.0}, "not a JSON object", obj{"a": 2.0}}, "", ""},
		{"json cut off in a row", "a.json", `[{"a":1},{"a":`, []any{obj{"a": 1.0}}, "", "not JSON after row 1"},
		{"json cut off after a row", "a.json", `[{"a":1}`, []any{obj{"a": 1.0}}, "", "cut off"},
		{"json that is no array", "a.json", `{"a":1}`, nil, "does not begin with a JSON array", ""},
		{"empty array", "a.json", `[]`, nil, "", ""},
		{"ndjson", "a.ndjson", "{\"a\":1}\n\n  {\"a\":2}  \r\n{\"a\":3}", []any{obj{"a": 1.0}, obj{"a": 2.0}, obj{"a": 3.0}}, "", ""},
		{"ndjson with bad lines", "a.jsonl", "{\"a\":1}\n{\"a\"\n{\"a\":2} {\"a\":3}\n", []any{obj{"a": 1.0}, `not JSON: ":" expected: unexpected EOF`, "more than one object"}, "", ""},
		{"csv", "a.csv", "a,b\n1,\"x,y\"\n2,\n", []any{obj{"a": "1", "b": "x,y"}, obj{"a": "2", "b": ""}}, "", ""},
		{"csv with a short row", "a.csv", "a,b\n1\n2,3\n", []any{"has 1 values, the heading has 2", obj{"a": "2", "b": "3"}}, "", ""},
		{"csv that is not UTF-8", "a.csv", "a\n\xff\n", []any{"a is not UTF-8"}, "", ""},
		{"csv with a broken quote", "a.csv", "a,b\n1,\"x\"y\n2,3\n", []any{`parse error on line 2, column 5: extraneous or missing " in quoted-field`, obj{"a": "2", "b": "3"}}, "", ""},
		{"csv with a column twice", "a.csv", "a,b,a\n1,2,3\n", nil, `names the column "a" twice`, ""},
		{"ndjson with more on a line", "a.ndjson", "{\"a\":1}x\n{\"a\":1}{\n{\"a\":{\"b\":1,\"b\":2}}\n{\"a\":tru}\n", []any{
			"more than one object", "more than one object", `has "b" twice`, `not JSON at or after "a": unexpected byte 125 '}' at 8`}, "", ""},
		{"ndjson with a key twice", "a.ndjson", `{"a":1,"a":2}`, []any{`has "a" twice`}, "", ""},
		{"ndjson that is not UTF-8", "a.ndjson", "{\"a\":\"\xff\"}\n{\"a\":1}", []any{"is not UTF-8", obj{"a": 1.0}}, "", ""},
		{"empty csv", "a.csv", "", nil, "no first line", ""},
		{"another format", "a.xlsx", "", nil, "Cannot tell the format", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Open(write(t, tt.file, tt.text))
			if tt.openErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.openErr) {
					t.Fatalf("Open: %v, want %q", err, tt.openErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			rows, err := readAll(s)
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			if diff := cmp.Diff(tt.want, rows); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

func TestInfer(t *testing.T) {
	tests := []struct {
		values []any
		want   pando.FieldType
	}{
		{[]any{true, nil, false}, pando.FieldBool},
		{[]any{"true", "", "false"}, pando.FieldBool},
		{[]any{1.0, nil, -2.5}, pando.FieldNumber},
		{[]any{"1", "-2.5", "1e3"}, pando.FieldNumber},
		{[]any{"01", "02"}, pando.FieldText}, // codes
		{[]any{"+4930", "1"}, pando.FieldText},
		{[]any{1.0, "x"}, pando.FieldText},
		{[]any{"2001-02-03", "2001-12-31"}, pando.FieldDate},
		{[]any{"Jun 12 1998", "Aug 07 1998"}, pando.FieldDate},
		{[]any{"2001/01/01 00:47"}, pando.FieldDate},
		{[]any{"2001-02-03", "03.02.2001"}, pando.FieldText},
		{[]any{"2001-02-03", "Jun 12 1998"}, pando.FieldText}, // two layouts
		{[]any{"a@b.co", "c@d.org"}, pando.FieldEmail},
		{[]any{"https://a.co", "http://b.co/x"}, pando.FieldURL},
		{[]any{[]any{1.0}, map[string]any{}}, pando.FieldJSON},
		{[]any{"x", []any{}}, pando.FieldJSON},
		{[]any{nil, ""}, pando.FieldText},
	}
	for _, tt := range tests {
		c := column{field: "f"}
		for _, v := range tt.values {
			c.see(v)
		}
		if got := c.newField().Type; got != tt.want {
			t.Errorf("%v: %s, want %s", tt.values, got, tt.want)
		}
	}
}

func TestFieldName(t *testing.T) {
	taken := map[string]bool{}
	tests := []struct{ key, want string }{
		{"Title", "Title"},
		{"US Gross", "US_Gross"},
		{"US-Gross", "US_Gross2"},
		{"created", "created_"},
		{"expand", "expand_"},
		{"", "column"},
		{"???", "column2"},
		{"größe", "gr_e"},
		{"a_via_b", "a_b"},
		{"id", "id"},
	}
	for _, tt := range tests {
		if got := fieldName(tt.key, taken); got != tt.want {
			t.Errorf("fieldName(%q) = %q, want %q", tt.key, got, tt.want)
		}
	}
}

func FuzzObjectRow(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":1}`, `{"a":{"b":[1,2]},"a":2}`, `[]`, `{"a"`, `{"a":1}x`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		row := objectRow(data)
		if row.Err != nil {
			return
		}
		if len(row.Keys) != len(row.Values) {
			t.Errorf("%d keys, %d values", len(row.Keys), len(row.Values))
		}
		var want map[string]any
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatalf("taken, though it is not JSON: %v", err)
		}
		if diff := cmp.Diff(want, row.Values); diff != "" {
			t.Errorf("values (-encoding/json +ours):\n%s", diff)
		}
	})
}
