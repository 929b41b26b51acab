package postgres

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/store"
)

// everything has a field of each form.
func everything() *pando.Collection {
	return &pando.Collection{ID: "pbc_all", Name: "everything", Type: pando.TypeBase, Fields: []*pando.Field{
		{ID: "f_id", Name: "id", Type: pando.FieldText, Options: &pando.TextOptions{PrimaryKey: true}},
		{ID: "f_text", Name: "text", Type: pando.FieldText, Options: &pando.TextOptions{}},
		{ID: "f_number", Name: "number", Type: pando.FieldNumber, Options: &pando.NumberOptions{}},
		{ID: "f_bool", Name: "bool", Type: pando.FieldBool, Options: &pando.BoolOptions{}},
		{ID: "f_date", Name: "date", Type: pando.FieldDate, Options: &pando.DateOptions{}},
		{ID: "f_list", Name: "list", Type: pando.FieldSelect, Options: &pando.SelectOptions{Values: []string{"a", "b"}, MaxSelect: 5}},
		{ID: "f_one", Name: "one", Type: pando.FieldSelect, Options: &pando.SelectOptions{Values: []string{"a", "b"}, MaxSelect: 1}},
		{ID: "f_json", Name: "json", Type: pando.FieldJSON, Options: &pando.JSONOptions{}},
		{ID: "f_point", Name: "point", Type: pando.FieldGeoPoint, Options: &pando.GeoPointOptions{}},
	}}
}

// What the log says of a record is the record that is read, whoever wrote it.
func TestDecodeRow(t *testing.T) {
	s, _ := fresh(t, Options{OneShot: true, AnnounceDeletes: true})
	c := create(t, s, everything())
	f := follow(t, s)
	ctx := t.Context()
	tests := []func(r *pando.Record){
		func(*pando.Record) {},
		func(r *pando.Record) {
			r.Set("text", "it's \"a\"\n\\ ☃ \u0001")
			r.Set("number", 0.1+0.2)
			r.Set("bool", true)
			r.Set("date", "2024-02-29 23:59:59.123Z")
			r.Set("list", []string{"a", "", "NULL", `b"\,{}`, " c "})
			r.Set("one", "a")
			r.Set("json", json.RawMessage(`{"a": [1, null, "x"], "b":1e400}`))
			r.Set("point", pando.GeoPoint{Lon: 13.404954, Lat: -52.5200066})
		},
		func(r *pando.Record) {
			r.Set("number", -1.7976931348623157e308)
			r.Set("date", "0001-01-01 00:00:00.000Z")
			r.Set("list", []string{"null"})
			r.Set("json", json.RawMessage(`"text"`))
		},
		func(r *pando.Record) {
			r.Set("number", 5e-324)
			r.Set("date", "9999-12-31 23:59:59.999Z")
			r.Set("json", json.RawMessage(`[]`))
		},
	}
	for i, set := range tests {
		r := pando.NewRecord(c)
		r.Set("id", fmt.Sprint("own", i))
		set(r)
		write(t, s, func(tx store.Tx) error { return tx.Insert(ctx, r) })
	}
	for i, sql := range []string{
		`"number" = 'NaN', "date" = 'infinity'`, `"number" = '-Infinity', "date" = '0044-03-15 BC'`, `"date" = '12024-01-01'`,
		`"list" = '{{a,b},{c,d}}'`, `"list" = '[0:1]={a,b}'`, `"list" = ARRAY['x', NULL]`, `"date" = '2024-01-01 00:00:00.123456+05:30'`,
		`"json" = '  {"b": 1}  '`, `"text" = repeat('long', 1000)`,
	} {
		f.exec(fmt.Sprintf(`INSERT INTO everything (id) VALUES ('foreign%d'); UPDATE everything SET %s WHERE id = 'foreign%[1]d'`, i, sql))
	}
	check := func(row changes.Row) {
		t.Helper()
		got, complete, err := s.DecodeRow(row)
		if err != nil || !complete {
			t.Fatalf("%s: %v, %v", row.ID, complete, err)
		}
		want := get(t, s, c, row.ID)
		if diff := cmp.Diff(want.Values, got.Values); diff != "" {
			t.Errorf("%s of %s: the log has another record than the table (-):\n%s", row.Action, row.ID, diff)
		}
	}
	list := f.entries()
	if len(list) != len(tests)+9 {
		t.Fatalf("%d entries", len(list))
	}
	for _, e := range list {
		check(e.Rows[len(e.Rows)-1])
	}
	// What is deleted here is told whole.
	for i := range tests {
		old := get(t, s, c, fmt.Sprint("own", i))
		write(t, s, func(tx store.Tx) error { return tx.Delete(ctx, old) })
		got, complete, err := s.DecodeRow(f.entries()[0].Rows[0])
		if err != nil || !complete {
			t.Fatalf("deleted: %v, %v", complete, err)
		}
		if diff := cmp.Diff(old.Values, got.Values); diff != "" {
			t.Errorf("deleted: the log has another record than the table had (-):\n%s", diff)
		}
	}
	f.exec(`UPDATE everything SET text = (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 1000) i) WHERE id = 'foreign0'; UPDATE everything SET bool = true WHERE id = 'foreign0'`)
	f.entries()
	f.exec(`UPDATE everything SET bool = false WHERE id = 'foreign0'`)
	if r, complete, err := s.DecodeRow(f.entries()[0].Rows[0]); err != nil || complete || r.ID() != "foreign0" {
		t.Errorf("a large value that was not touched: %v, %v, %v", r, complete, err)
	}
	if _, _, err := s.DecodeRow(changes.Row{Collection: "gone"}); err == nil {
		t.Error("a row of no collection was decoded")
	}
}

// FuzzTextForms: no text makes it panic, and lists come back from the form in which
// the store itself writes them.
func FuzzTextForms(f *testing.F) {
	for _, text := range []string{"", "{}", "{a,NULL}", `{"a\"b",c}`, "{{a},{b}}", "[0:1]={a,b}", "infinity", "2024-01-01 00:00:00+00", "NaN", "t", `{"lon":1,"lat":2}`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, form := range []form{formText, formNumber, formBool, formDate, formList, formJSON, formPoint} {
			form.ofText([]byte(text))
		}
		if validText(text) && !strings.Contains(text, "\x00") {
			want := []string{text, "x" + text}
			if got := listOfText(string(arrayText(want))); !cmp.Equal(got, want) {
				t.Errorf("%q comes back as %q", want, got)
			}
		}
	})
}
