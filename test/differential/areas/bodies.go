package areas

import (
	"fmt"
	"strings"
)

// Bodies: how a request's body is read, and what happens when it cannot be.

func bodies() []req {
	all := []req{collection(with(rules(""), row{"name": "read", "fields": []row{
		field("text", "t"), field("number", "n"), field("bool", "b"), field("json", "j"), field("select", "s", row{"values": []string{"a", "b", "1"}, "maxSelect": 3}), field("file", "f")}}))}
	const form, multi = "application/x-www-form-urlencoded", "multipart/form-data; boundary=xx"
	for _, t := range []struct{ kind, body string }{
		{"application/json", `{`}, {"application/json", `{"t":"a"`}, {"application/json", `{"t":"a"} trailing`}, {"application/json", `{"t":"a"}{"t":"b"}`}, {"application/json", `{"T":"upper"}`}, {"application/json", `{"t":'a'}`}, {"application/json", `{t:"a"}`}, {"application/json", `{"t":"a",}`}, {"application/json", `{"t":"\ud800"}`}, {"application/json", "\ufeff{\"t\":\"bom\"}"}, {"application/json", ` `}, {"application/json", `null`}, {"application/json", `"x"`}, {"application/json", `[]`}, {"application/json", `[{"t":"a"}]`}, {"application/json", `true`}, {"application/json", `{"n":01}`}, {"application/json", `{"n":NaN}`}, {"application/json", `{"j":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`}, {"application/json", `{"j":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`}, {"application/json", `{"":"empty key"}`}, {"application/json", `{"t":"a","@jsonPayload":"{\"t\":\"b\"}"}`},
		{"application/json; charset=utf-8", `{"t":"charset"}`}, {"APPLICATION/JSON", `{"t":"upper type"}`}, {"application/jsonx", `{"t":"longer type"}`}, {"application/vnd.api+json", `{"t":"vendor"}`}, {"text/json", `{"t":"a"}`}, {"text/plain", `{"t":"a"}`}, {"application/octet-stream", `{"t":"a"}`}, {"none", `{"t":"a"}`}, {"text/xml", `<a><t>x</t></a>`}, {"application/xml", `<a>`}, {"application/yaml", "t: a"}, {";", `{"t":"a"}`},
		{form, ``}, {form, `t=a`}, {form, `t=a&n=5&b=true&j={"a":1}&s=a&s=b`}, {form, `n=1.0&j=1.0`}, {form, `n=01&j=01&t=01`}, {form, `n=1e3&j=1e3`}, {form, `j=true&t=true`}, {form, `j=null`}, {form, `j=[1,2]`}, {form, `j=-5&n=-5`}, {form, `j=1.50&t=1.50`}, {form, `t=a&t=b`}, {form, `t=%zz`}, {form, `t`}, {form, `=x`}, {form, `t=a;n=5`}, {form, `s=1`}, {form, `s[]=a&s[]=b`}, {form, `s.0=a`}, {form, `@jsonPayload={"t":"payload","n":7}`}, {form, `@jsonPayload={"t":"one"}&@jsonPayload={"n":8}`}, {form, `t=first&@jsonPayload={"t":"second"}`}, {form, `@jsonPayload={`}, {form, `@jsonPayload=[]`}, {form, `@jsonPayload=`}, {form, `t=a+b%20c%2Bd`}, {form, `j=9007199254740993&t=9007199254740993`}, {form, `t=Infinity&j=NaN`}, {form, `t=&n=&j=&b=`}, {form, `t= 5 &n= 5 `},
		{multi, ``}, {multi, "--xx--\r\n"}, {multi, "--xx\r\nContent-Disposition: form-data; name=\"t\"\r\n\r\nhello\r\n--xx--\r\n"}, {multi, "--xx\r\nContent-Disposition: form-data; name=\"t\"\r\n\r\ncut"}, {multi, "nonsense"}, {"multipart/form-data", "--xx\r\n"}, {multi, "--yy\r\nContent-Disposition: form-data; name=\"t\"\r\n\r\nwrong\r\n--yy--\r\n"}, {multi, "--xx\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.txt\"\r\n\r\ncut"}, {multi, "--xx\r\n\r\nno disposition\r\n--xx--\r\n"},
	} {
		short := t.body
		if len(short) > 60 {
			short = short[:60]
		}
		all = append(all, req{Name: fmt.Sprintf("%s %q", t.kind, short), Method: "POST", Path: at("read"), Type: t.kind, Body: t.body})
	}
	return flat(all, payloads(), otherRoutes(), tooLarge())
}

func payloads() []req {
	return []req{
		{Name: "multipart of all kinds", Path: at("read"), Form: []part{{Name: "t", Content: "5"}, {Name: "n", Content: "5"}, {Name: "b", Content: "true"}, {Name: "j", Content: `{"a":[1]}`}, {Name: "s", Content: "a"}, {Name: "s", Content: "b"}}},
		{Name: "multipart with payload", Path: at("read"), Form: []part{{Name: "@jsonPayload", Content: `{"t":"p","s":["a","b"],"j":{"x":1}}`}, {Name: "n", Content: "3"}}},
		{Name: "multipart with two payloads", Path: at("read"), Form: []part{{Name: "@jsonPayload", Content: `{"t":"one"}`}, {Name: "@jsonPayload", Content: `{"n":2}`}}},
		{Name: "multipart with a broken payload", Path: at("read"), Form: []part{{Name: "@jsonPayload", Content: `{"t":`}}},
		{Name: "multipart with a list as payload", Path: at("read"), Form: []part{{Name: "@jsonPayload", Content: `[1]`}}},
		{Name: "query parameters beside a form", Path: at("read") + "?t=from-query&n=9", Type: "application/x-www-form-urlencoded", Body: "b=true"},
		{Name: "query parameters beside JSON", Path: at("read") + "?t=from-query&n=9", Body: `{"b":true}`},
		{Name: "query parameters alone", Method: "POST", Path: at("read") + "?t=from-query&n=9", Type: "application/x-www-form-urlencoded"},
		{Name: "empty body of an unknown type", Method: "POST", Path: at("read"), Type: "text/plain"},
		{Name: "body on GET", Method: "GET", Path: at("read"), Query: q("perPage", "1", "fields", "collectionName"), Body: `{"t":1}`},
		{Name: "broken body on GET", Method: "GET", Path: at("read"), Query: q("perPage", "1", "fields", "collectionName"), Body: `{`},
		{Name: "unknown type on GET", Method: "GET", Path: at("read"), Query: q("perPage", "1", "fields", "collectionName"), Type: "text/plain", Body: `x`},
		{Name: "broken body on view", Method: "GET", Path: at("tags", id("tag", 1)), Body: `{`},
		{Name: "broken body on DELETE", Method: "DELETE", Path: at("tags", id("tag", 404)), Body: `{`},
	}
}

func otherRoutes() []req {
	var all []req
	for _, r := range []req{
		{Method: "POST", Path: "/api/collections/users/auth-with-password"}, {Method: "POST", Path: "/api/batch"}, {Method: "POST", Path: "/api/realtime"}, {Method: "POST", Path: "/api/files/token", As: owner}, {Method: "PATCH", Path: "/api/settings", As: superuser}, {Method: "POST", Path: "/api/collections", As: superuser}, {Method: "PUT", Path: "/api/collections/import", As: superuser}, {Method: "POST", Path: "/api/collections/users/impersonate/" + userID, As: superuser}, {Method: "PATCH", Path: at("users", userID), As: user},
	} {
		for _, t := range []struct{ kind, body string }{{"application/json", `{`}, {"application/json", `[]`}, {"text/plain", `x`}, {"application/json", `"x"`}} {
			r.Name = fmt.Sprintf("%s %s %s %s", r.Method, r.Path, t.kind, t.body)
			r.Type, r.Body = t.kind, t.body
			all = append(all, r)
		}
	}
	return all
}

// tooLarge bodies go over the limits of their fields.
func tooLarge() []req {
	return []req{
		{Name: "32 MB of JSON for a login", Path: "/api/collections/users/auth-with-password", Body: `{"identity":"` + strings.Repeat("x", 33<<20) + `"}`},
		{Name: "filter of 3500", Path: at("tags"), Query: q("filter", "title = '"+strings.Repeat("x", 3489)+"'")},
		{Name: "filter of 3501", Path: at("tags"), Query: q("filter", "title = '"+strings.Repeat("x", 3490)+"'")},
		{Name: "200 comparisons", Path: at("tags"), Query: q("filter", strings.Repeat("weight=1||", 199)+"weight=1")},
		{Name: "201 comparisons", Path: at("tags"), Query: q("filter", strings.Repeat("weight=1||", 200)+"weight=1")},
		{Name: "deep parentheses", Path: at("tags"), Query: q("filter", strings.Repeat("(", 50)+"weight=1"+strings.Repeat(")", 50))},
		{Name: "sort of 256", Path: at("tags"), Query: q("sort", strings.Repeat("x", 256))},
	}
}
