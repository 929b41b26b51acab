package wire

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pandobase/pando"
)

const pickBody = `{"body":"<p>Hello   <b>bold</b> wor<br>ld &amp; more</p><script>x()</script> tail",` +
	`"expand":{"rel":{"id":"t1","name":"one"},"rels":[{"id":"t2","name":"two"},{"id":"t1","name":"one"}]},` +
	`"geo":{"lat":2,"lon":1.5},"id":"all1",` +
	`"js":{"":5,"a":[{"x":1,"y":2},{"x":3}],"a.b":7,"e":[],"m":[2,{"x":1,"y":2}],"nn":[[{"x":1,"y":2}]],"nul":null,` +
	`"o":{"lon":1,"x":{"j":2,"k":1}},"s":["<b>ab</b>"]},"num":5,"title":"Hello"}`

func TestPick(t *testing.T) {
	for fields, want := range map[string]string{
		"":                           pickBody,
		",":                          pickBody,
		"*":                          pickBody,
		"id":                         `{"id":"all1"}`,
		" id , title ":               `{"id":"all1","title":"Hello"}`,
		"nope":                       `{}`,
		"ID":                         `{}`,
		"id.x":                       `{"id":"all1"}`,
		"id.":                        `{"id":"all1"}`,
		".id":                        `{}`,
		"geo.lon":                    `{"geo":{"lon":1.5}}`,
		"geo.*":                      `{"geo":{"lat":2,"lon":1.5}}`,
		"*.lon":                      `{}`,
		"geo.nope":                   `{"geo":{}}`,
		"expand.rels.name":           `{"expand":{"rels":[{"name":"two"},{"name":"one"}]}}`,
		"expand.*.name":              `{"expand":{}}`,
		"expand.rel,id":              `{"expand":{"rel":{"id":"t1","name":"one"}},"id":"all1"}`,
		"js.a.x":                     `{"js":{"a":[{"x":1},{"x":3}]}}`,
		"js.a.b":                     `{"js":{"a":[{},{}],"a.b":7}}`,
		"js.e.x":                     `{"js":{"e":[]}}`,
		"js.nn.x":                    `{"js":{"nn":[[{"x":1,"y":2}]]}}`,
		"js.m.x":                     `{"js":{"m":[2,{"x":1,"y":2}]}}`,
		"js.nul.x":                   `{"js":{"nul":null}}`,
		"js..":                       `{"js":{"":5}}`,
		"js.o.*,js.o.x.k":            `{"js":{"o":{"lon":1,"x":{"k":1}}}}`,
		"js.o.x.k,js.o":              `{"js":{"o":{"lon":1,"x":{"j":2,"k":1}}}}`,
		"js.o.x.k,js.o.x.j":          `{"js":{"o":{"x":{"j":2,"k":1}}}}`,
		"js.s:excerpt(1)":            `{"js":{"s":["<b>ab</b>"]}}`,
		"num:excerpt(1)":             `{"num":5}`,
		"title:excerpt(3),title":     `{"title":"Hello"}`,
		"title,title:excerpt(3)":     `{"title":"Hel"}`,
		"title:excerpt(3, TRUE)":     `{"title":"Hel..."}`,
		"title: excerpt (3, yes)x":   `{"title":"Hel"}`,
		"title:excerpt(3, ,),id":     `{"id":"all1","title":"Hel"}`,
		"title:excerpt(5,1)":         `{"title":"Hello"}`,
		"body:excerpt(5,true)":       `{"body":"Hello..."}`,
		"body:excerpt(100,true)":     `{"body":"Hello bold world \u0026 more tail"}`,
		"id,geo:excerpt(1),num,nope": `{"geo":{"lat":2,"lon":1.5},"id":"all1","num":5}`,
	} {
		got, err := Pick([]byte(pickBody), fields)
		if err != nil {
			t.Errorf("%q: %v", fields, err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", fields, diff)
		}
	}
}

func TestPickKeyBeforeStar(t *testing.T) {
	for fields, want := range map[string]string{
		"*,a:excerpt(1)":   `{"a":"x","b":{"c":"xyz","d":1}}`,
		"a:excerpt(1),*":   `{"a":"x","b":{"c":"xyz","d":1}}`,
		"*:excerpt(1)":     `{"a":"x","b":{"c":"xyz","d":1}}`,
		"*,b.c:excerpt(2)": `{"a":"xyz","b":{"c":"xy"}}`,
	} {
		got, err := Pick([]byte(`{"a":"xyz","b":{"c":"xyz","d":1}}`), fields)
		if err != nil || string(got) != want {
			t.Errorf("%q: got %s, %v; want %s", fields, got, err, want)
		}
	}
}

func TestPickNumbers(t *testing.T) {
	body := `{"a":[1.50,2.5e+06,-0.0,12345678901234567890,"1.50",{"b":1e-7}],"b":1E2}`
	want := `{"a":[1.5,2500000,-0,12345678901234567890,"1.50",{"b":1e-7}],"b":100}`
	if got, err := Pick([]byte(body), "*"); err != nil || string(got) != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
}

func TestPickList(t *testing.T) {
	list := func(items string) string {
		return string(CloseList(append(OpenList(nil), items...), 2, 30, 61))
	}
	for name, c := range map[string]struct{ body, fields, want string }{
		"items only":    {list(`{"id":"a","x":1},{"id":"b"}`), "id", list(`{"id":"a"},{"id":"b"}`)},
		"no envelope":   {list(`{"id":"a"}`), "page", list(`{}`)},
		"empty":         {list(""), "id", list("")},
		"not counted":   {string(CloseList(append(OpenList(nil), `{"a":1,"b":2}`...), 1, 30, -1)), "a", `{"items":[{"a":1}],"page":1,"perPage":30,"totalItems":-1,"totalPages":-1}`},
		"another shape": {`{"items":[{"a":1,"b":2}],"page":1}`, "items.a", `{"items":[{"a":1}]}`},
		"no list":       {`{"items":[{"a":1,"b":2}],"x":{"items":[],"page":1,"perPage":1,"totalItems":1,"totalPages":1}}`, "items.a", `{"items":[{"a":1}]}`},
		"bare array":    {`[{"a":1,"b":2}, {"a":3}]`, "a", `[{"a":1},{"a":3}]`},
		"white space":   {" {\"a\" : 1 ,\n\"b\":2} \n", "b", `{"b":2}`},
	} {
		got, err := Pick([]byte(c.body), c.fields)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: got %s, %v; want %s", name, got, err, c.want)
		}
	}
}

func TestPickRefuses(t *testing.T) {
	for _, fields := range []string{
		"a:excerpt", "a:", "a:nope(1)", "a:EXCERPT(1)", "a:excerpt()", "a:excerpt(0)", "a:excerpt(-1)", "a:excerpt(x)",
		"a:excerpt(1,true,2)", "a:excerpt(5", "(a", "a:excerpt('5')", "a:excerpt(3):excerpt(2)", "a:excerpt(1e99)", "a:excerpt(NaN)",
	} {
		got, err := Pick([]byte(`{"a":"b"}`), fields)
		if pando.KindOf(err) != pando.KindInvalid {
			t.Errorf("%q: got %s, %v; want a KindInvalid error", fields, got, err)
		}
	}
	for _, body := range []string{"", "{", `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a" 1}`, `["a"`, `[{} {}]`, `{"a":1}x`, `{1:2}`, `{"a":"\`, `{,}`} {
		if got, err := Pick([]byte(body), "a"); err == nil {
			t.Errorf("%q: got %s, want an error", body, got)
		}
	}
}

// FuzzPick: of a valid body comes a valid body with no key that was not asked
// for, and of an invalid one never a crash.
func FuzzPick(f *testing.F) {
	f.Add([]byte(pickBody), "id,js.a.x,body:excerpt(5,true)")
	f.Add([]byte(`{"items":[{"a":1}],"page":1,"perPage":1,"totalItems":-1,"totalPages":-1}`), "*,a.b")
	f.Add([]byte(`{"\u0061":"\u003cb>"}`), "a:excerpt(1)")
	f.Fuzz(func(t *testing.T, body []byte, fields string) {
		p, err := ParseFields(fields)
		if err != nil {
			return
		}
		got, err := p.Pick(body)
		if !json.Valid(body) {
			return
		}
		if err != nil {
			t.Fatalf("valid body: %v", err)
		}
		if !json.Valid(got) {
			t.Fatalf("%q of %s is no JSON: %s", fields, body, got)
		}
		if p == nil && !bytes.Equal(got, body) {
			t.Fatalf("nothing asked, but changed: %s", got)
		}
	})
}

func BenchmarkPick(b *testing.B) {
	p, err := ParseFields("id,expand.rels.name,js.a.x")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := p.Pick([]byte(pickBody)); err != nil {
			b.Fatal(err)
		}
	}
}
