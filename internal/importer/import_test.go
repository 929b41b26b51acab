package importer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/auth"
	"github.com/pandobase/pando/internal/collections"
	"github.com/pandobase/pando/internal/importer"
	"github.com/pandobase/pando/internal/servicetest"
	"github.com/pandobase/pando/internal/store"
)

// fixture imports into a real store.
type fixture struct {
	*servicetest.Env
	im        *importer.Importer
	passwords *auth.Passwords
	failed    []string // "number: reason" of the last import
	notes     []string
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	f := &fixture{Env: servicetest.New(t), passwords: auth.NewPasswords(auth.PasswordsConfig{})}
	t.Cleanup(func() { f.passwords.Close() })
	f.im = &importer.Importer{
		Store: f.Store, Passwords: f.passwords,
		Collections: collections.New(collections.Config{Store: f.Store, Blobs: f.Blobs}),
	}
	return f
}

func file(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (f *fixture) run(t testing.TB, ctx context.Context, path string, o importer.Options) (importer.Summary, error) {
	t.Helper()
	f.failed, f.notes = nil, nil
	o.Report = func(r importer.RowError) { f.failed = append(f.failed, fmt.Sprintf("%d: %v", r.Number, r.Err)) }
	o.Note = func(s string) { f.notes = append(f.notes, s) }
	return f.im.Run(ctx, path, o)
}

// imports runs an import that must not fail.
func (f *fixture) imports(t testing.TB, path string, o importer.Options) importer.Summary {
	t.Helper()
	sum, err := f.run(t, t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// records are all of a collection, in the order they came in.
func (f *fixture) records(t *testing.T, collection string) []*pando.Record {
	t.Helper()
	var out []*pando.Record
	err := f.Store.Read(t.Context(), func(r store.Reader) error {
		page, err := r.Find(t.Context(), store.Query{Collection: r.Catalog().Collection(collection), Limit: 1_000_000})
		out = page.Records
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestNewCollection(t *testing.T) {
	f := newFixture(t)
	path := file(t, "things.ndjson", `{"Title":"one","US Gross":12.5,"ok":true,"Release Date":"Jun 12 1998","mail":"a@b.co","home":"https://b.co","list":[1,{"a":2}],"code":"007","created":"x"}
{"Title":"zwei","US Gross":null,"ok":false,"Release Date":null,"mail":"","home":null,"list":null,"code":"008","created":""}
`)
	sum := f.imports(t, path, importer.Options{Collection: "things"})
	if !sum.Created || sum.Rows != 2 || sum.Failed != 0 || sum.Resumed != 0 {
		t.Errorf("%+v", sum)
	}
	c := f.Store.Catalog().Collection("things")
	types := map[string]pando.FieldType{}
	for _, field := range c.Fields {
		types[field.Name] = field.Type
	}
	want := map[string]pando.FieldType{
		"id": "text", "Title": "text", "US_Gross": "number", "ok": "bool", "Release_Date": "date", "mail": "email", "home": "url",
		"list": "json", "code": "text", "created_": "text", "created": "autodate", "updated": "autodate",
	}
	if diff := cmp.Diff(want, types); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	if c.ListRule != nil || c.ViewRule != nil || c.CreateRule != nil || c.UpdateRule != nil || c.DeleteRule != nil {
		t.Error("a rule is open without Public")
	}
	recs := f.records(t, "things")
	if len(recs) != 2 {
		t.Fatalf("%d records", len(recs))
	}
	values := map[string]any{}
	for _, name := range []string{"Title", "US_Gross", "ok", "Release_Date", "mail", "home", "list", "code", "created_"} {
		values[name] = recs[0].Get(name)
	}
	if diff := cmp.Diff(map[string]any{
		"Title": "one", "US_Gross": 12.5, "ok": true, "Release_Date": "1998-06-12 00:00:00.000Z", "mail": "a@b.co",
		"home": "https://b.co", "list": json.RawMessage(`[1,{"a":2}]`), "code": "007", "created_": "x",
	}, values); diff != "" {
		t.Errorf("first record (-want +got):\n%s", diff)
	}
	if recs[1].String("Title") != "zwei" || recs[1].Get("US_Gross") != 0.0 || len(recs[1].ID()) != 15 || recs[1].String("created") == "" {
		t.Errorf("second record: %v", recs[1].Values)
	}

	// Dates of creation are kept where they are such.
	f.imports(t, file(t, "dated.csv", "n,created,updated\n1,2001-02-03,2002-03-04 05:06\n2,2001-02-04,\n"), importer.Options{Collection: "dated"})
	dated := f.records(t, "dated")
	if len(dated[0].Collection.Fields) != 4 || dated[0].String("created") != "2001-02-03 00:00:00.000Z" ||
		dated[0].String("updated") != "2002-03-04 05:06:00.000Z" || dated[1].String("updated") == "" {
		t.Errorf("dated: %v, %v", dated[0].Values, dated[1].Values)
	}

	f.imports(t, path, importer.Options{Collection: "open", Public: true})
	open := f.Store.Catalog().Collection("open")
	if open.ListRule == nil || *open.ListRule != "" || open.ViewRule == nil || *open.ViewRule != "" ||
		open.CreateRule != nil || open.UpdateRule != nil || open.DeleteRule != nil {
		t.Error("Public opens listing and viewing, and nothing else")
	}
}

// TestRefusedRows: each row that cannot be taken is told of with its number and
// the reason, and the others go in.
func TestRefusedRows(t *testing.T) {
	f := newFixture(t)
	f.Save(t, servicetest.BaseJSON("others"))
	other := f.Insert(t, "others", nil)
	f.Save(t, strings.Replace(servicetest.BaseJSON("things",
		`{"id":"f1","name":"title","type":"text","required":true,"max":10}`,
		`{"id":"f2","name":"n","type":"number","min":0,"max":100}`,
		`{"id":"f3","name":"ok","type":"bool"}`,
		`{"id":"f4","name":"day","type":"date"}`,
		`{"id":"f5","name":"mail","type":"email"}`,
		`{"id":"f6","name":"home","type":"url"}`,
		`{"id":"f7","name":"color","type":"select","values":["red","blue"],"maxSelect":1}`,
		`{"id":"f8","name":"tags","type":"select","values":["a","b","c"],"maxSelect":2}`,
		`{"id":"f9","name":"other","type":"relation","collectionId":"pbc_others","maxSelect":1}`,
		`{"id":"f10","name":"pic","type":"file","maxSelect":1}`,
		`{"id":"f11","name":"place","type":"geoPoint"}`,
		`{"id":"f12","name":"data","type":"json"}`,
		`{"id":"f13","name":"word","type":"text"}`,
	), `"fields":`, "\"indexes\":[\"CREATE UNIQUE INDEX `idx_word` ON `things` (`word`) WHERE `word` != ''\"],\"fields\":", 1))

	tests := []struct{ row, reason string }{ // reason "": taken
		{`{"title":"all","n":"12.5","ok":"yes","day":"2024-02-03","mail":"a@b.co","home":"https://b.co","color":"red","tags":["a","b"],` +
			`"other":"` + other.ID() + `","pic":"","place":{"lon":1,"lat":2},"data":{"a":[1]},"word":"x"}`, ""},
		{`{"title":12,"n":null,"ok":0,"day":"","tags":"a","place":"{\"lon\":1,\"lat\":2}","data":"text","id":"aaaaaaaaaaaaaaa"}`, ""},
		{`{"title":"from an API"  ,"collectionId":"x","collectionName":"y","expand":{}}`, "title: Must be no more than 10 character(s)."},
		{`{"title":"api","collectionId":"x","collectionName":"y","expand":{}}`, ""},
		{`{"n":1}`, "title: Cannot be blank."},
		{`{"title":""}`, "title: Cannot be blank."},
		{`{"title":["a"]}`, `title: ["a"] is not a text`},
		{`{"title":"t","n":"many"}`, `n: "many" is not a number`},
		{`{"title":"t","n":true}`, `n: true is not a number`},
		{`{"title":"t","n":101}`, `n: Must be less than 100.000000.`},
		{`{"title":"t","n":"NaN"}`, `n: The submitted number is not properly formatted.`},
		{`{"title":"t","ok":"perhaps"}`, `ok: "perhaps" is neither true nor false`},
		{`{"title":"t","ok":2}`, `ok: 2 is neither true nor false`},
		{`{"title":"t","day":"31.31.2024"}`, `day: "31.31.2024" is not a date that is understood: write it as 2024-01-31 or 2024-01-31 15:04:05`},
		{`{"title":"t","day":1700000000}`, `day: 1700000000 is not a date that is understood: write it as 2024-01-31 or 2024-01-31 15:04:05`},
		{`{"title":"t","mail":"nobody"}`, `mail: Must be a valid email address.`},
		{`{"title":"t","home":"not a url"}`, `home: Must be a valid url.`},
		{`{"title":"t","color":"green"}`, `color: Invalid value green.`},
		{`{"title":"t","color":["red","blue"]}`, `color: has 2 values, and the field takes one`},
		{`{"title":"t","tags":["a","b","c"]}`, `tags: Select no more than 2.`},
		{`{"title":"t","tags":[{}]}`, `tags: {} is not a text`},
		{`{"title":"t","other":"nobodyhasthisid"}`, `other: others has no record with the id "nobodyhasthisid"`},
		{`{"title":"t","pic":"a.png"}`, `pic: files cannot be imported: upload them with the web API`},
		{`{"title":"t","place":{"lon":1}}`, `place: {"lon":1} is not a point: write it as {"lon": 13.4, "lat": 52.5}`},
		{`{"title":"t","place":"here"}`, `place: "here" is not a point: write it as {"lon": 13.4, "lat": 52.5}`},
		{`{"title":"t","place":{"lon":1,"lat":100}}`, `place: Latitude must be between -90 and 90 degrees.`},
		{`{"title":"t","word":"x"}`, `word: another record has the same value`},
		{`{"title":"t","id":"aaaaaaaaaaaaaaa"}`, `id: another record has the same value`},
		{`{"title":"t","id":"short"}`, `id: Must be at least 15 character(s).`},
		{`{"title":"t",`, "not JSON"},
		{`["t"]`, "not a JSON object"},
		{`{"title":"t"} {}`, "more than one object"},
		{`{"title":"t","title":"u"}`, `has "title" twice`},
		{"{\"title\":\"\xff\"}", "is not UTF-8"},
		{`{"title":"last"}`, ""},
	}
	var text strings.Builder
	var want []string
	taken := 0
	for i, tt := range tests {
		fmt.Fprintln(&text, tt.row)
		if tt.reason == "" {
			taken++
		} else {
			want = append(want, fmt.Sprintf("%d: %s", i+1, tt.reason))
		}
	}
	sum := f.imports(t, file(t, "things.ndjson", text.String()), importer.Options{Collection: "things"})
	if sum.Created || sum.Rows != taken || sum.Failed != len(want) {
		t.Errorf("%+v, want %d taken and %d failed", sum, taken, len(want))
	}
	for i, reason := range f.failed { // what the decoder says after that is its own
		if before, _, broken := strings.Cut(reason, "not JSON"); broken {
			f.failed[i] = before + "not JSON"
		}
	}
	if diff := cmp.Diff(want, f.failed); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
	recs := f.records(t, "things")
	if len(recs) != taken {
		t.Fatalf("%d records, want %d", len(recs), taken)
	}
	first, second := recs[0], recs[1]
	if first.Get("n") != 12.5 || !first.Bool("ok") || first.String("other") != other.ID() || first.Get("place") != (pando.GeoPoint{Lon: 1, Lat: 2}) {
		t.Errorf("first: %v", first.Values)
	}
	if second.String("title") != "12" || second.ID() != "aaaaaaaaaaaaaaa" || second.Get("place") != (pando.GeoPoint{Lon: 1, Lat: 2}) ||
		string(second.Get("data").(json.RawMessage)) != `"text"` {
		t.Errorf("second: %v", second.Values)
	}
}

func TestWrongFiles(t *testing.T) {
	f := newFixture(t)
	f.Save(t, servicetest.BaseJSON("things", `{"id":"f1","name":"title","type":"text"}`))
	f.Save(t, servicetest.BaseJSON("others", `{"id":"f1","name":"title","type":"text"}`,
		`{"id":"f2","name":"thing","type":"relation","collectionId":"pbc_things","maxSelect":1}`, `{"id":"f3","name":"secret","type":"text","hidden":true}`))
	f.Save(t, `{"id":"pbc_view","name":"seen","type":"view","viewQuery":"SELECT id, title FROM things","fields":[`+
		`{"id":"text1","name":"id","type":"text","primaryKey":true,"system":true},{"id":"v2","name":"title","type":"text"}]}`)
	row := `[{"title":"x","thing":"y"}]`
	tests := []struct {
		name, file, text, collection string
		match                        map[string]string
		want                         string
	}{
		{"field that is not there", "a.json", `[{"title":"x","color":"y"}]`, "things", nil, "things has no field for color of the file"},
		{"view", "a.json", `[{"title":"x"}]`, "seen", nil, "seen is a view"},
		{"no rows", "a.json", `[]`, "things", nil, "has no rows"},
		{"cut off", "a.json", `[{"title":"x"},{"ti`, "things", nil, "not JSON after row 1"},
		{"no such file type", "a.xls", ``, "things", nil, "must end in .json"},
		{"bad name of a new collection", "a.json", row, "no name!", nil, "cannot make the collection no name!"},
		{"match of a key that is not there", "a.json", row, "others", map[string]string{"color": "things.title"}, "the file has no color"},
		{"match without a field", "a.json", row, "others", map[string]string{"thing": "things"}, "FIELD=COLLECTION.FIELD"},
		{"match of no collection", "a.json", row, "others", map[string]string{"thing": "none.title"}, "there is no collection none"},
		{"match of no field", "a.json", row, "others", map[string]string{"thing": "things.name"}, "things has no field name"},
		{"match of a hidden field", "a.json", row, "others", map[string]string{"thing": "others.secret"}, "others has no field secret"},
		{"match of what is no relation", "a.json", row, "others", map[string]string{"title": "things.title"}, "is no relation to things"},
		{"match of another relation", "a.json", row, "others", map[string]string{"thing": "users.name"}, "is no relation to users"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := f.run(t, t.Context(), file(t, tt.file, tt.text), importer.Options{Collection: tt.collection, Match: tt.match})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
	if _, err := f.run(t, t.Context(), filepath.Join(t.TempDir(), "none.csv"), importer.Options{Collection: "things"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if n := len(f.records(t, "things")); n != 0 {
		t.Errorf("%d records came in", n)
	}
}

// TestLateKeys: a key that the sample did not show is a field of an existing
// collection all the same.
func TestLateKeys(t *testing.T) {
	f := newFixture(t)
	f.Save(t, servicetest.BaseJSON("things", `{"id":"f1","name":"n","type":"number"}`, `{"id":"f2","name":"late","type":"text"}`))
	var text strings.Builder
	for range 20_001 {
		text.WriteString("{\"n\":\"x\"}\n") // refused, which is quick
	}
	text.WriteString(`{"n":1,"late":"here"}` + "\n" + `{"n":1,"never":"x"}` + "\n")
	sum := f.imports(t, file(t, "late.ndjson", text.String()), importer.Options{Collection: "things"})
	if last := f.failed[len(f.failed)-1]; sum.Rows != 1 || len(f.failed) != 20_002 || last != "20003: never is no field of things" {
		t.Errorf("%+v, %d failed, the last: %s", sum, len(f.failed), last)
	}
	if recs := f.records(t, "things"); len(recs) != 1 || recs[0].String("late") != "here" {
		t.Error("the late key is lost")
	}
}
