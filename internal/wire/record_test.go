package wire

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pandobase/pando"
)

// members is an auth collection with a field of every type.
func members() *pando.Collection {
	c := &pando.Collection{ID: "pbc_1", Name: "members", Type: pando.TypeAuth, Auth: &pando.AuthOptions{}}
	add := func(name string, t pando.FieldType, hidden bool) {
		c.Fields = append(c.Fields, &pando.Field{ID: name, Name: name, Type: t, Hidden: hidden, Options: pando.NewOptions(t)})
	}
	add("id", pando.FieldText, false)
	add("password", pando.FieldPassword, true)
	add("tokenKey", pando.FieldText, true)
	add("email", pando.FieldEmail, false)
	add("emailVisibility", pando.FieldBool, false)
	add("verified", pando.FieldBool, false)
	add("Title", pando.FieldText, false)
	add("num", pando.FieldNumber, false)
	add("day", pando.FieldDate, false)
	add("sels", pando.FieldSelect, false)
	add("js", pando.FieldJSON, false)
	add("pin", pando.FieldPassword, false)
	add("geo", pando.FieldGeoPoint, false)
	add("note", pando.FieldText, true)
	add("zip", pando.FieldText, false)
	c.Field("sels").Options.(*pando.SelectOptions).MaxSelect = 2
	return c
}

// reference is what encoding/json makes of the record's map.
func reference(t testing.TB, r *pando.Record, show Show, expand map[string]any) string {
	t.Helper()
	m := map[string]any{"collectionId": r.Collection.ID, "collectionName": r.Collection.Name}
	for i, f := range r.Collection.Fields {
		v := r.Values[i]
		switch {
		case f.Name == "password" || f.Name == "tokenKey":
			continue
		case f.Name == "email" && !show.Email && !r.Bool("emailVisibility"):
			continue
		case f.Hidden && !show.Hidden:
			continue
		case f.Type == pando.FieldPassword:
			v = ""
		case f.Multiple() && len(r.Strings(f.Name)) == 0:
			v = []string{}
		}
		m[f.Name] = v
	}
	if expand != nil {
		m["expand"] = expand
	}
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestRecord(t *testing.T) {
	c := members()
	r := pando.NewRecord(c)
	r.Set("id", "abc")
	r.Set("email", "a@b.co")
	r.Set("Title", "</script> & \"q\" \u2028 \x00\x1f\b\f\xff \\")
	r.Set("num", -1e-9)
	r.Set("sels", []string{"b", "<a>"})
	r.Set("js", json.RawMessage("{ \"z\" : [1.50, \"<\\\" , \u2029>\"],\n\"a\": null }"))
	r.Set("pin", "$2a$10$hash")
	r.Set("geo", pando.GeoPoint{Lon: 1.5, Lat: -2})
	r.Set("note", "seen by superusers")
	visible := r.Clone()
	visible.Set("emailVisibility", true)
	plan := NewPlan(c)
	for name, r := range map[string]*pando.Record{"zero": pando.NewRecord(c), "full": r, "visible": visible} {
		for _, show := range []Show{{}, {Hidden: true}, {Email: true}, {Hidden: true, Email: true}} {
			want := reference(t, r, show, nil)
			if diff := cmp.Diff(want, string(plan.AppendRecord(nil, r, show))); diff != "" {
				t.Errorf("%s, %+v (-want +got):\n%s", name, show, diff)
			}
		}
	}
	node := func(r *pando.Record) *Node { return &Node{Plan: plan, Record: r} }
	n := Node{Plan: plan, Record: r, Expand: []Expansion{
		{Key: "friends", Many: true, Nodes: []*Node{node(visible), node(r)}},
		{Key: "none", Many: true},
		{Key: "zone", Nodes: []*Node{{Plan: plan, Record: r, Expand: []Expansion{}}}},
	}}
	raw := func(r *pando.Record, expand map[string]any) any {
		return json.RawMessage(reference(t, r, Show{}, expand))
	}
	want := reference(t, r, Show{}, map[string]any{
		"friends": []any{raw(visible, nil), raw(r, nil)}, "none": []any{}, "zone": raw(r, map[string]any{}),
	})
	if diff := cmp.Diff("x"+want, string(n.Append([]byte("x")))); diff != "" {
		t.Errorf("expand (-want +got):\n%s", diff)
	}
}

func TestNumber(t *testing.T) {
	for _, f := range []float64{0, math.Copysign(0, -1), 1, -1, 0.5, 1e6, 1e14, 1e15, 123456789012345678, 1e20, 1e21, -1e21, 1e-6, 9e-7, 1e-7, 1e-10, 1e-100, 1e300, math.MaxFloat64, math.SmallestNonzeroFloat64, 999999.5} {
		want, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		if got := AppendNumber(nil, f); !bytes.Equal(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for _, f := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if got := AppendNumber(nil, f); string(got) != "null" {
			t.Errorf("%v: got %s, want null", f, got)
		}
	}
}

func TestRawThatIsNoJSON(t *testing.T) {
	for in, want := range map[string]string{"": "null", "{": `"{"`, `a"b`: `"a\"b"`, "1 2": `"1 2"`, " [ ] ": "[]"} {
		if got := AppendRaw(nil, json.RawMessage(in)); string(got) != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

// FuzzScalars: strings, numbers and raw JSON are written as encoding/json does.
func FuzzScalars(f *testing.F) {
	f.Add("a<b>\u2028\xff", 1.5, []byte(`{"a": ["<\u2028", 1]}`))
	f.Add("\xed\xa0\x80", 1e-7, []byte("\"\u2029\\\"\""))
	f.Fuzz(func(t *testing.T, s string, n float64, raw []byte) {
		check := func(got []byte, v any) {
			t.Helper()
			want, err := json.Marshal(v)
			if err == nil && !bytes.Equal(got, want) {
				t.Fatalf("got %s, want %s", got, want)
			}
		}
		check(AppendString(nil, s), s)
		check(AppendNumber(nil, n), n)
		check(AppendRaw(nil, raw), json.RawMessage(raw))
	})
}

// FuzzRecord: a record is written as encoding/json writes the map of its keys.
func FuzzRecord(f *testing.F) {
	f.Add("a", "<b>", 1.5, []byte(`{"x": 1}`), true, false)
	f.Add("\xff", "\u2028", -1e-7, []byte(`nope`), false, true)
	f.Fuzz(func(t *testing.T, title, email string, n float64, raw []byte, visible, superuser bool) {
		if !json.Valid(raw) || math.IsNaN(n) || math.IsInf(n, 0) {
			return
		}
		r := pando.NewRecord(members())
		r.Set("id", title)
		r.Set("Title", title)
		r.Set("email", email)
		r.Set("emailVisibility", visible)
		r.Set("num", n)
		r.Set("geo", pando.GeoPoint{Lon: n, Lat: -n})
		r.Set("sels", []string{email, title})
		r.Set("js", json.RawMessage(raw))
		show := Show{Hidden: superuser, Email: superuser}
		if got, want := string(NewPlan(r.Collection).AppendRecord(nil, r, show)), reference(t, r, show, nil); got != want {
			t.Fatalf("got %s\nwant %s", got, want)
		}
	})
}

func benchRecord() *pando.Record {
	r := pando.NewRecord(members())
	r.Set("id", "abcdefghijklmno")
	r.Set("Title", string(bytes.Repeat([]byte("lorem ipsum "), 30)))
	r.Set("num", 42.0)
	r.Set("day", "2026-01-02 10:00:00.000Z")
	r.Set("sels", []string{"one", "two"})
	r.Set("js", json.RawMessage(`{"a":[1,2,3],"b":"c"}`))
	return r
}

func BenchmarkRecord(b *testing.B) {
	r := benchRecord()
	plan := NewPlan(r.Collection)
	buf := plan.AppendRecord(nil, r, Show{})
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		buf = plan.AppendRecord(buf[:0], r, Show{})
	}
}

// What one record takes is the least of many runs: json.Valid keeps its scanner
// in a sync.Pool, of which the race detector throws away a quarter.
func TestRecordDoesNotAllocate(t *testing.T) {
	r := benchRecord()
	plan := NewPlan(r.Collection)
	buf := plan.AppendRecord(nil, r, Show{})
	least := math.Inf(1)
	for range 100 {
		least = min(least, testing.AllocsPerRun(1, func() { buf = plan.AppendRecord(buf[:0], r, Show{}) }))
	}
	if least > 0 {
		t.Errorf("%v allocations per record, want none", least)
	}
}
