package storetest

import (
	"encoding/json"

	"github.com/pandobase/pando"
)

func field(name string, options pando.FieldOptions) *pando.Field {
	f := &pando.Field{ID: "f_" + name, Name: name, Options: options}
	switch options.(type) {
	case *pando.TextOptions:
		f.Type = pando.FieldText
	case *pando.NumberOptions:
		f.Type = pando.FieldNumber
	case *pando.BoolOptions:
		f.Type = pando.FieldBool
	case *pando.EmailOptions:
		f.Type = pando.FieldEmail
	case *pando.URLOptions:
		f.Type = pando.FieldURL
	case *pando.EditorOptions:
		f.Type = pando.FieldEditor
	case *pando.DateOptions:
		f.Type = pando.FieldDate
	case *pando.AutodateOptions:
		f.Type = pando.FieldAutodate
	case *pando.SelectOptions:
		f.Type = pando.FieldSelect
	case *pando.JSONOptions:
		f.Type = pando.FieldJSON
	case *pando.FileOptions:
		f.Type = pando.FieldFile
	case *pando.RelationOptions:
		f.Type = pando.FieldRelation
	case *pando.PasswordOptions:
		f.Type = pando.FieldPassword
	case *pando.GeoPointOptions:
		f.Type = pando.FieldGeoPoint
	}
	return f
}

func text(name string) *pando.Field { return field(name, &pando.TextOptions{}) }

func number(name string) *pando.Field { return field(name, &pando.NumberOptions{}) }

// many is a select of several values.
func many(name string) *pando.Field { return field(name, &pando.SelectOptions{MaxSelect: 9}) }

// one is a select of one value.
func one(name string) *pando.Field { return field(name, &pando.SelectOptions{MaxSelect: 1}) }

func base(name string, fields ...*pando.Field) *pando.Collection {
	id := field("id", &pando.TextOptions{PrimaryKey: true, Min: 1, Max: 100})
	return &pando.Collection{
		ID: "pbc_" + name, Name: name, Type: pando.TypeBase, Fields: append([]*pando.Field{id}, fields...),
		ListRule: new(""), Created: "2026-01-02 03:04:05.678Z", Updated: "2026-01-02 03:04:05.678Z",
	}
}

func view(name, query string, fields ...*pando.Field) *pando.Collection {
	c := base(name, fields...)
	c.Type, c.ViewQuery = pando.TypeView, query
	return c
}

// notes is the collection that most tests use.
func notes() *pando.Collection {
	return base("notes", text("title"), number("n"), many("tags"), one("kind"))
}

// note is a record of notes.
func note(c *pando.Collection, id, title string) *pando.Record {
	r := pando.NewRecord(c)
	r.Set("id", id)
	r.Set("title", title)
	return r
}

// everything is a collection with a field of each type.
func everything() *pando.Collection {
	return base("everything",
		text("text"), number("number"), field("bool", &pando.BoolOptions{}), field("email", &pando.EmailOptions{}),
		field("url", &pando.URLOptions{}), field("editor", &pando.EditorOptions{}), field("date", &pando.DateOptions{}),
		field("autodate", &pando.AutodateOptions{OnCreate: true}), one("select"), many("selects"),
		field("json", &pando.JSONOptions{}), field("file", &pando.FileOptions{MaxSelect: 1}),
		field("files", &pando.FileOptions{MaxSelect: 5}), field("relation", &pando.RelationOptions{MaxSelect: 1}),
		field("relations", &pando.RelationOptions{MaxSelect: 5}), field("password", &pando.PasswordOptions{}),
		field("geo", &pando.GeoPointOptions{}),
	)
}

// values are records of everything, by id, as values that must come back as they
// are.
var values = map[string]map[string]any{
	"zero": {},
	"full": {
		"text": "a 'quoted' \"text\" with \\ and ☃ and 😀\r\n", "number": 1234567.25, "bool": true,
		"email": "a@example.com", "url": "https://example.com/?a=b&c=d", "editor": "<p>x</p>",
		"date": "2026-01-02 03:04:05.678Z", "autodate": "2026-01-02 03:04:05.679Z",
		"select": "a", "selects": []string{"b", "a"}, "json": json.RawMessage(`{"a":[1,2.5,"x",null,true],"b":"<&>"}`),
		"file": "a_1234567890.png", "files": []string{"b_1.txt", "c_2.txt"},
		"relation": "r1", "relations": []string{"r2", "r1", "r2"},
		"password": "$2a$10$abcdefghijklmnopqrstuv", "geo": pando.GeoPoint{Lon: -122.25, Lat: 37.5},
	},
	"odd": {
		"text": "123", "number": -0.1, "email": "", "url": "null", "editor": "[]", "select": "[\"a\"]",
		"selects": []string{"with \"quotes\"", "back\\slash", "☃", "a,b", "[]", ""},
		"json":    json.RawMessage(`"null"`), "relations": []string{"only"},
		"geo": pando.GeoPoint{Lon: 1e-7, Lat: -90},
	},
	"big":   {"number": 9007199254740991.0, "json": json.RawMessage(`[]`), "geo": pando.GeoPoint{Lon: 180}},
	"small": {"number": 1e-300, "json": json.RawMessage(`0`)},
	"huge":  {"number": -1e300, "json": json.RawMessage(`false`)},
	"text":  {"json": json.RawMessage(`"a \"text\""`)},
	"empty": {"json": json.RawMessage(`""`)},
	"true":  {"json": json.RawMessage(`true`)},
	"int":   {"json": json.RawMessage(`42`)},
}
