package areas

import (
	"fmt"
	"strings"
)

// Values: what each type of field takes, makes of it, and refuses.

var valueFields = []row{
	field("text", "text"),
	field("text", "text_all", row{"min": 3, "max": 5, "pattern": "^[a-z]+$"}),
	field("text", "text_auto", row{"autogeneratePattern": "[a]{4}"}),
	field("number", "number"),
	field("number", "number_all", row{"min": -2, "max": 10.5, "onlyInt": false}),
	field("number", "number_int", row{"onlyInt": true}),
	field("bool", "bool"),
	field("email", "email"),
	field("email", "email_only", row{"onlyDomains": []string{"good.com"}}),
	field("email", "email_except", row{"exceptDomains": []string{"bad.com"}}),
	field("url", "url"),
	field("url", "url_only", row{"onlyDomains": []string{"good.com"}}),
	field("url", "url_except", row{"exceptDomains": []string{"bad.com"}}),
	field("editor", "editor", row{"maxSize": 10}),
	field("date", "date"),
	field("date", "date_all", row{"min": "2020-01-01 00:00:00.000Z", "max": "2021-01-01 00:00:00.000Z"}),
	field("select", "select", row{"values": []string{"a", "b", "1"}}),
	field("select", "selects", row{"values": []string{"a", "b", "c", "1"}, "maxSelect": 2}),
	field("json", "json", row{"maxSize": 30}),
	field("relation", "relation", row{"collectionId": "{{tags}}"}),
	field("relation", "relations", row{"collectionId": "{{tags}}", "minSelect": 2, "maxSelect": 3}),
	field("password", "password", row{"min": 4, "max": 8, "pattern": "^[a-z]+$"}),
	field("geoPoint", "geo"),
	field("autodate", "born", row{"onCreate": true}),
	field("autodate", "touched", row{"onUpdate": true}),
}

var required = []row{
	field("text", "text"), field("number", "number"), field("bool", "bool"), field("email", "email"), field("url", "url"),
	field("editor", "editor"), field("date", "date"), field("select", "select", row{"values": []string{"a"}}),
	field("select", "selects", row{"values": []string{"a", "b"}, "maxSelect": 2}), field("json", "json"),
	field("relation", "relation", row{"collectionId": "{{tags}}"}), field("relation", "relations", row{"collectionId": "{{tags}}", "maxSelect": 2}),
	field("password", "password"), field("geoPoint", "geo"), field("file", "file"),
}

// tried are values (as JSON) for a field.
var tried = []struct {
	field  string
	values []string
}{
	{"text", []string{`""`, `"a"`, `1`, `1.5`, `true`, `null`, `[]`, `["a","b"]`, `{}`, `{"a":1}`, `" pad "`, `"line\nbreak"`, `"\u0000"`, `"<b>\u2028"`, `1e21`, `0.1`, `12345678901234567890`}},
	{"text_all", []string{`""`, `"ab"`, `"abc"`, `"abcde"`, `"abcdef"`, `"ABC"`, `"äöü"`, `"a1"`, `123`}},
	{"text_auto", []string{`""`, `"own"`, `null`}},
	{"number", []string{`0`, `1`, `-1`, `1.5`, `"2"`, `"2.50"`, `" 3 "`, `"abc"`, `""`, `true`, `null`, `[]`, `[1]`, `{}`, `1e3`, `1e400`, `"1e3"`, `9007199254740993`, `123456789012345678901234567890`, `0.1`, `1e-9`, `"NaN"`, `"Infinity"`, `"0x10"`, `"1_000"`}},
	{"number_all", []string{`0`, `-2`, `-2.1`, `10.5`, `10.6`, `5`}},
	{"number_int", []string{`1`, `1.0`, `1.5`, `"1.5"`, `-3`}},
	{"bool", []string{`true`, `false`, `1`, `0`, `2`, `"true"`, `"false"`, `"t"`, `"1"`, `"yes"`, `""`, `null`, `[]`, `{}`}},
	{"email", []string{`""`, `"a@b.co"`, `"A@B.CO"`, `"a"`, `"a@b"`, `"a b@c.de"`, `"ä@b.co"`, `"a@bücher.de"`, `1`, `null`, `" a@b.co "`, `"a@b.co\n"`}},
	{"email_only", []string{`"x@good.com"`, `"x@GOOD.com"`, `"x@sub.good.com"`, `"x@bad.com"`}},
	{"email_except", []string{`"x@good.com"`, `"x@bad.com"`, `"x@BAD.com"`}},
	{"url", []string{`""`, `"https://a.co"`, `"a.co"`, `"http://localhost"`, `"ftp://a.co"`, `"javascript:alert(1)"`, `"https://a.co/p?q=1#f"`, `"https://"`, `"https://a b.co"`, `1`, `"//a.co"`, `"mailto:a@b.co"`}},
	{"url_only", []string{`"https://good.com"`, `"https://www.good.com"`, `"https://bad.com"`}},
	{"url_except", []string{`"https://good.com"`, `"https://bad.com/x"`}},
	{"editor", []string{`""`, `"<p>1</p>"`, `"<p>12345</p>"`, `"äöüäöü"`, `1`, `null`}},
	{"date", []string{`""`, `"2022-01-02"`, `"2022-01-02 03:04:05"`, `"2022-01-02 03:04:05.678Z"`, `"2022-01-02 03:04:05.678901Z"`, `"2022-01-02T03:04:05Z"`, `"2022-01-02T03:04:05+02:00"`, `"2022-01-02 03:04"`, `"2022-01-02T03:04"`, `"02.01.2022"`, `"01/02/2022"`, `"abc"`, `1640995200`, `1640995200.5`, `"1640995200"`, `1640995200000`, `0`, `true`, `null`, `[]`, `{}`, `"0001-01-01"`, `"9999-12-31 23:59:59.999Z"`, `"2022-02-30"`, `"2022-1-2"`, `"Mon, 02 Jan 2006 15:04:05 GMT"`, `"now"`, `" 2022-01-02 "`}},
	{"date_all", []string{`"2019-12-31 23:59:59.999Z"`, `"2020-01-01"`, `"2021-01-01"`, `"2021-01-02"`}},
	{"select", []string{`""`, `"a"`, `"z"`, `["a"]`, `["a","b"]`, `[]`, `null`, `1`, `"A"`, `[""]`, `true`}},
	{"selects", []string{`""`, `"a"`, `["a","b"]`, `["b","a"]`, `["a","a"]`, `["a","b","c"]`, `["z"]`, `[]`, `null`, `"[\"a\"]"`, `1`, `[1]`, `["",""]`, `{}`}},
	{"json", []string{`null`, `""`, `"abc"`, `"1"`, `"1.50"`, `"true"`, `"null"`, `"[1,2]"`, `"{\"a\":1}"`, `"{bad"`, `"\"quoted\""`, `1`, `1.0`, `1e3`, `true`, `[]`, `{}`, `{"b":1,"a":2}`, `[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]`, `"-"`, `"-5"`, `" 1"`, `"undefined"`, `"NaN"`, `"[1,"`, `"<&>"`, `1.10`, `10000000000000000000000`}},
	{"relation", []string{`""`, `"tag000000000001"`, `"missing"`, `["tag000000000001"]`, `["tag000000000001","tag000000000002"]`, `[]`, `null`, `1`, `{}`}},
	{"relations", []string{`[]`, `["tag000000000001"]`, `["tag000000000001","tag000000000002"]`, `["tag000000000002","tag000000000001","tag000000000003"]`, `["tag000000000001","tag000000000002","tag000000000003","tag000000000004"]`, `["tag000000000001","tag000000000001"]`, `["tag000000000001","missing"]`, `"tag000000000001"`, `null`, `["",""]`}},
	{"password", []string{`""`, `"abc"`, `"abcd"`, `"abcdefgh"`, `"abcdefghi"`, `"ABCD"`, `1234`, `null`}},
	{"geo", []string{`{"lon":1,"lat":2}`, `{"lon":180,"lat":90}`, `{"lon":181,"lat":0}`, `{"lon":0,"lat":91}`, `{"lon":-181,"lat":-91}`, `{"lon":"5","lat":"6"}`, `{"lon":1}`, `{}`, `null`, `""`, `"{\"lon\":3,\"lat\":4}"`, `[1,2]`, `"1,2"`, `{"lon":1.123456789,"lat":2,"x":3}`, `1`, `{"lon":"a","lat":0}`}},
	{"born", []string{`"2000-01-01 00:00:00.000Z"`, `""`}},
	{"touched", []string{`"2000-01-01 00:00:00.000Z"`}},
	{"id", []string{`"short"`, `""`, `null`, `"UPPERCASE000000"`, `"has space 00000"`, `"toolong000000000"`, `"valueid00000001"`, `"valueid00000001"`, `123456789012345`, `"a/b000000000000"`, `"äbc000000000000"`}},
	{"unknown", []string{`"ignored"`}},
	{"collectionId", []string{`"ignored"`}},
	{"expand", []string{`{"relation":1}`}},
}

func values() []req {
	all := []req{
		collection(with(rules(""), row{"name": "checked", "fields": valueFields})),
		collection(with(rules(""), row{"name": "needed", "fields": demanding(required)})),
		{Name: "nothing given", Path: at("checked"), Body: `{}`},
		{Name: "no body", Method: "POST", Path: at("checked")},
		{Name: "everything missing", Path: at("needed"), Body: `{}`},
		{Name: "everything missing as superuser", As: superuser, Path: at("needed"), Body: `{}`},
		{Name: "everything zero", Path: at("needed"), Body: `{"text":"","number":0,"bool":false,"email":"","url":"","editor":"","date":"","select":"","selects":[],"json":null,"relation":"","relations":[],"password":"","geo":{"lon":0,"lat":0}}`},
		{Name: "json empty array is blank", Path: at("needed"), Body: `{"json":[]}`},
		{Name: "json empty object is blank", Path: at("needed"), Body: `{"json":{}}`},
		{Name: "json empty text is blank", Path: at("needed"), Body: `{"json":""}`},
		{Name: "json false is not blank", Path: at("needed"), Body: `{"json":false}`},
		{Name: "half of a place is not blank", Path: at("needed"), Body: `{"geo":{"lon":1,"lat":0}}`},
	}
	n := 0
	for _, t := range tried {
		for _, v := range t.values {
			n++
			all = append(all, req{Name: fmt.Sprintf("%s = %s", t.field, v), Path: at("checked"),
				Body: fmt.Sprintf(`{%q:%s}`, t.field, v)})
		}
	}
	return flat(all, longValues(), identities(), unique(), updates())
}

func demanding(fields []row) []row {
	var all []row
	for _, f := range fields {
		all = append(all, with(f, row{"required": true}))
	}
	return all
}

func longValues() []req {
	return []req{
		{Name: "text of 5000", Path: at("checked"), Query: q("fields", "text_all"), Body: text(row{"text": strings.Repeat("ä", 5000)})},
		{Name: "text of 5001", Path: at("checked"), Body: text(row{"text": strings.Repeat("a", 5001)})},
		{Name: "email of 256", Path: at("checked"), Body: text(row{"email": strings.Repeat("a", 64) + "@" + strings.Repeat("b", 187) + ".com"})},
		{Name: "several errors", Path: at("checked"), Body: `{"text_all":"X","number_int":1.5,"email":"x","url":"x","select":"z","json":"0123456789012345678901234567890123456789","geo":{"lon":200,"lat":200}}`},
	}
}

// identities are patterns of ids.
func identities() []req {
	custom := with(rules(""), row{"name": "custom_id", "fields": []row{
		field("text", "id", row{"primaryKey": true, "system": true, "required": true, "pattern": "^[A-Za-z0-9_-]+$", "min": 2, "max": 10, "autogeneratePattern": "[a-z]{5}"}),
		field("text", "t")}})
	all := []req{collection(custom)}
	for _, v := range []string{`"Ab"`, `"ab"`, `"AB"`, `"x"`, `"has.dot"`, `"con"`, `"NUL"`, `"com1"`, `"elevenchars"`, `"a-_b"`, `"1"`, `12`} {
		all = append(all, req{Name: "custom id " + v, Path: at("custom_id"), Body: `{"id":` + v + `}`})
	}
	return append(all,
		req{Name: "custom id made", Path: at("custom_id"), Query: q("fields", "t"), Body: `{"t":"made"}`},
		req{Name: "custom id viewed", Path: at("custom_id", "Ab")},
		req{Name: "custom id viewed in another case", Path: at("custom_id", "aB")},
		req{Name: "change an id", Method: "PATCH", Path: at("custom_id", "Ab"), Body: `{"id":"Ac"}`},
		req{Name: "same id again", Method: "PATCH", Path: at("custom_id", "Ab"), Body: `{"id":"Ab","t":"new"}`},
		req{Name: "auth id of another collection", Path: at("users"), Body: text(row{"id": ownerID, "email": "clash@example.com", "password": secret, "passwordConfirm": secret})},
	)
}

// unique are indexes that refuse.
func unique() []req {
	all := []req{collection(with(rules(""), row{"name": "unique_all", "fields": []row{
		field("text", "one"), field("text", "nocase"), field("text", "left"), field("text", "right"), field("text", "partial"), field("number", "num")},
		"indexes": []string{
			"CREATE UNIQUE INDEX idx_u_one ON unique_all (one) WHERE one != ''",
			"create unique index `idx_u_nocase` on `unique_all` (`nocase` COLLATE NOCASE) where nocase <> ''",
			"CREATE UNIQUE INDEX IF NOT EXISTS idx_u_pair ON unique_all (left, `right` DESC) WHERE left != ''",
			"CREATE UNIQUE INDEX idx_u_partial ON unique_all (partial) WHERE num > 5",
			"CREATE INDEX idx_u_expr ON unique_all (lower(one))"}}))}
	for i, body := range []string{`{"one":"a"}`, `{"one":"a"}`, `{"one":"A"}`, `{"nocase":"a"}`, `{"nocase":"A"}`, `{"left":"l","right":"r"}`, `{"left":"l","right":"x"}`, `{"left":"l","right":"r"}`, `{"partial":"p","num":1}`, `{"partial":"p","num":2}`, `{"partial":"p","num":6}`, `{"partial":"p","num":7}`, `{"one":"a","nocase":"a"}`} {
		all = append(all, req{Name: fmt.Sprintf("unique %d %s", i, body), Path: at("unique_all"), Body: body})
	}
	return append(all,
		req{Name: "unique first", Path: at("unique_all"), Body: `{"id":"uniq00000000001","one":"first"}`},
		req{Name: "unique id twice", Path: at("unique_all"), Body: `{"id":"uniq00000000001","one":"second"}`},
		req{Name: "unique update", Method: "PATCH", Path: at("unique_all", id("uniq", 1)), Body: `{"one":"a"}`},
		req{Name: "unique update to itself", Method: "PATCH", Path: at("unique_all", id("uniq", 1)), Body: `{"one":"first"}`},
	)
}

// updates change one record, field by field.
func updates() []req {
	first := id("checked", 1)
	all := []req{{Name: "make one to change", Path: at("checked"), Body: text(row{"id": first, "text": "t", "number": 5, "selects": []string{"a", "b"}, "relations": []string{"tag000000000001", "tag000000000002"}, "json": row{"a": 1}, "password": "abcd"})}}
	for _, body := range []string{`{}`, ``, `{"text":"changed"}`, `{"text":null}`, `{"number":"x"}`, `{"selects":[]}`, `{"relations":["tag000000000001"]}`, `{"json":{"b":2}}`, `{"json":null}`, `{"geo":{"lat":5}}`, `{"text_all":"X"}`, `{"unknown":1}`, `{"id":"other"}`, `{"password":"x"}`, `{"password":""}`, `{"born":"2000-01-01 00:00:00.000Z"}`, `{"collectionName":"x"}`, `[]`, `"x"`, `1`, `null`} {
		all = append(all, req{Name: "update with " + body, Method: "PATCH", Path: at("checked", first), Body: body})
	}
	return all
}
