package web

import (
	"bytes"
	"mime/multipart"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	jsonType = "Content-Type: application/json"
	formType = "Content-Type: application/x-www-form-urlencoded"
)

const createURL = "/api/collections/open/records"

func TestSubmissionJSON(t *testing.T) {
	for _, test := range []struct {
		name, body, contentType string
		status                  int
		want                    map[string]any
		message                 string
	}{
		{"values", `{"s":"x","n":1.50,"b":true,"z":null,"l":[1,"a",{}],"o":{"k":1}}`, "application/json", 200,
			map[string]any{"s": "x", "n": 1.5, "b": true, "z": nil, "l": []any{1.0, "a", map[string]any{}}, "o": map[string]any{"k": 1.0}}, ""},
		{"charset", `{"s":"x"}`, "application/json; charset=utf-8", 200, map[string]any{"s": "x"}, ""},
		{"null is empty", `null`, "application/json", 200, map[string]any{}, ""},
		{"no body", ``, "text/plain", 200, map[string]any{}, ""},
		{"bytes after the value", `{"s":"x"} trailing`, "application/json", 200, map[string]any{"s": "x"}, ""},
		{"brace after the value", `{"s":"x"}}`, "application/json", 200, map[string]any{"s": "x"}, ""},
		{"duplicate key", `{"s":"x","s":"y"}`, "application/json", 400, nil, `The key "s" is given twice in one object.`},
		{"duplicate key inside", `{"o":{"a":1,"a":2}}`, "application/json", 400, nil, `The key "a" is given twice in one object.`},
		{"cut off", `{"s":`, "application/json", 400, nil, genericMessage},
		{"array", `[1]`, "application/json", 400, nil, genericMessage},
		{"text", `"x"`, "application/json", 400, nil, genericMessage},
		{"blank", ` `, "application/json", 400, nil, genericMessage},
		{"number out of range", `{"n":1e400}`, "application/json", 400, nil, genericMessage},
		{"UTF-8", "{\"s\":\"\xff\xfe\"}", "application/json", 400, nil, "The submitted data is not valid UTF-8."},
		{"deep", `{"a":` + strings.Repeat("[", 100000) + strings.Repeat("]", 100000) + `}`, "application/json", 400, nil, genericMessage},
		{"other type", `abc`, "text/plain", 400, nil, messageUnsupported},
		{"no type", `{}`, "", 400, nil, messageUnsupported},
		{"type in capitals", `{}`, "APPLICATION/JSON", 400, nil, messageUnsupported},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake()
			w := request(f.handler(t), "POST", createURL, test.body, "Content-Type: "+test.contentType)
			if w.Code != test.status {
				t.Fatalf("status %d, want %d: %s", w.Code, test.status, w.Body)
			}
			if test.status != 200 {
				want := `{"data":{},"message":` + quoted(test.message) + `,"status":400}` + "\n"
				if diff := cmp.Diff(want, w.Body.String()); diff != "" {
					t.Error(diff)
				}
				return
			}
			if diff := cmp.Diff(test.want, f.in.Body); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func quoted(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }

func TestSubmissionURLEncoded(t *testing.T) {
	for _, test := range []struct {
		name, query, body string
		want              map[string]any
	}{
		{"inference", "", "a=1&b=1.0&c=true&d=x&e=&f=01&g=1e3&h=-5&i=null&j=TRUE&k=-0.5",
			map[string]any{"a": 1.0, "b": "1.0", "c": true, "d": "x", "e": "", "f": "01", "g": "1e3", "h": -5.0, "i": "null", "j": "TRUE", "k": -0.5}},
		{"repeated keys", "", "l=a&l=1&l=true", map[string]any{"l": []any{"a", 1.0, true}}},
		{"query after the body", "?t=query&u=only", "t=body", map[string]any{"t": []any{"body", "query"}, "u": "only"}},
		{"payload wins", "", "t=form&%40jsonPayload=%7B%22t%22%3A%22json%22%7D", map[string]any{"t": "json"}},
		{"long number stays text", "", "n=12345678901234567890", map[string]any{"n": "12345678901234567890"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake()
			w := request(f.handler(t), "POST", createURL+test.query, test.body, formType)
			if w.Code != 200 {
				t.Fatalf("status %d: %s", w.Code, w.Body)
			}
			if diff := cmp.Diff(test.want, f.in.Body); diff != "" {
				t.Error(diff)
			}
		})
	}
	if w := request(newFake().handler(t), "POST", createURL, "t=%zz", formType); w.Code != 400 {
		t.Errorf("a broken escape: status %d", w.Code)
	}
}

// multipartBody builds a form; a key with "<name>" is a file of that name.
func multipartBody(t *testing.T, pairs ...[2]string) (body, header string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range pairs {
		key, name, isFile := strings.Cut(p[0], "<")
		if !isFile {
			if err := w.WriteField(key, p[1]); err != nil {
				t.Fatal(err)
			}
			continue
		}
		part, err := w.CreateFormFile(key, strings.TrimSuffix(name, ">"))
		if err != nil {
			t.Fatal(err)
		}
		part.Write([]byte(p[1]))
	}
	w.Close()
	return b.String(), "Content-Type: " + w.FormDataContentType()
}

func TestSubmissionMultipart(t *testing.T) {
	large := strings.Repeat("L", 200_000)
	body, header := multipartBody(t,
		[2]string{"@jsonPayload", `{"n":7,"t":"first"}`}, [2]string{"t", "form"}, [2]string{"x", "5"},
		[2]string{"@jsonPayload", `{"n":8}`},
		[2]string{"f<../../a b.txt>", "hello"}, [2]string{"f<large.bin>", large}, [2]string{"f+<empty>", ""})
	f := newFake()
	w := request(f.handler(t), "POST", createURL, body, header)
	if w.Code != 200 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	want := map[string]any{"n": 8.0, "t": "first", "x": 5.0}
	if diff := cmp.Diff(want, f.in.Body); diff != "" {
		t.Error(diff)
	}
	files := map[string]string{"f": "a b.txt=hello;large.bin=" + large[:40] + ";", "f+": "empty=;"}
	if diff := cmp.Diff(files, f.files); diff != "" {
		t.Error(diff)
	}

	for name, cut := range map[string]string{
		"within a value": body[:150], "within a small file": body[:strings.Index(body, "hello")+2],
		"within a large file": body[:strings.Index(body, "LLLL")+100_000], "before the end": body[:len(body)-10],
	} {
		if w := request(newFake().handler(t), "POST", createURL, cut, header); w.Code != 400 {
			t.Errorf("cut off %s: status %d", name, w.Code)
		}
	}
	for _, bad := range []string{"Content-Type: multipart/form-data", "Content-Type: multipart/form-data; boundary="} {
		if w := request(newFake().handler(t), "POST", createURL, body, bad); w.Code != 400 {
			t.Errorf("%s: status %d", bad, w.Code)
		}
	}
	for _, payload := range []string{"{bad", "[1]", `{"a":1,"a":2}`} {
		body, header := multipartBody(t, [2]string{"@jsonPayload", payload})
		if w := request(newFake().handler(t), "POST", createURL, body, header); w.Code != 400 {
			t.Errorf("payload %s: status %d", payload, w.Code)
		}
	}
}

func TestBodyLimits(t *testing.T) {
	big := strings.Repeat("a", 33<<20)
	tooMuch := `{"data":{},"message":"Request entity too large.","status":413}` + "\n"
	for _, url := range []string{"/api/collections/users/auth-with-password", "/api/nope", "/api/collections"} {
		w := request(newFake().handler(t), "POST", url, big, jsonType)
		if w.Code != 413 || w.Body.String() != tooMuch {
			t.Errorf("%s: %d %s", url, w.Code, w.Body)
		}
	}
	// The collection's file field (2 × 1 MB) adds to the 32 MB.
	for size, want := range map[int]int{33 << 20: 200, 35 << 20: 413} {
		value := `{"s":"` + strings.Repeat("a", size) + `"}`
		if w := request(newFake().handler(t), "POST", createURL, value, jsonType); w.Code != want {
			t.Errorf("%d bytes: status %d, want %d", size, w.Code, want)
		}
		body, header := multipartBody(t, [2]string{"f<x>", strings.Repeat("a", size)})
		f := newFake()
		h := f.handler(t)
		if w := requestChunked(h, body, header); w.Code != want {
			t.Errorf("%d bytes, chunked form: status %d, want %d", size, w.Code, want)
		}
	}
}

func TestDefinitionBodies(t *testing.T) {
	for body, want := range map[string]string{
		`{"name":"a"} x`:            "",
		`{"name":`:                  messageNewCollection,
		`[]`:                        messageNewCollection,
		`{"a":{"b":1,"b":2}}`:       `The key "b" is given twice in one object.`,
		`{"a":[{"b":1,"b":2}]}`:     `The key "b" is given twice in one object.`,
		"{\"name\":\"\x80\"}":       "The submitted data is not valid UTF-8.",
		`{"name":"` + "\x01" + `"}`: messageNewCollection,
	} {
		f := newFake()
		w := request(f.handler(t), "POST", "/api/collections", body, jsonType, "Authorization: super")
		if want == "" {
			if w.Code != 200 || string(f.raw) != `{"name":"a"}` {
				t.Errorf("%s: %d %s, body %s", body, w.Code, w.Body, f.raw)
			}
			continue
		}
		if w.Code != 400 || !strings.Contains(w.Body.String(), quoted(want)) {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
	if w := request(newFake().handler(t), "POST", "/api/collections", "x", "Content-Type: text/plain", "Authorization: super"); !strings.Contains(w.Body.String(), messageNewCollection) {
		t.Errorf("type: %s", w.Body)
	}
	if w := request(newFake().handler(t), "PATCH", "/api/collections/a", "{", jsonType, "Authorization: super"); !strings.Contains(w.Body.String(), messageCollection) {
		t.Errorf("update: %s", w.Body)
	}
}

func FuzzBodies(f *testing.F) {
	f.Add(`{"a":[1,{"b":"c"}]}`, uint8(0))
	f.Add("a=1&b=%20&a=x", uint8(1))
	f.Add("--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x--\r\n", uint8(2))
	f.Add("--x\r\nContent-Disposition: form-data; name=\"a\"; filename=\"f\"\r\n\r\n1\r\n--x--\r\n", uint8(2))
	types := []string{jsonType, formType, "Content-Type: multipart/form-data; boundary=x"}
	f.Fuzz(func(t *testing.T, body string, kind uint8) {
		fk := newFake()
		w := request(fk.handler(t), "POST", createURL, body, types[int(kind)%len(types)])
		if w.Code != 200 && w.Code != 400 {
			t.Fatalf("status %d: %s", w.Code, w.Body)
		}
		if w.Code == 200 && fk.in.Body == nil {
			t.Fatal("accepted without a body")
		}
		if !strings.HasPrefix(types[int(kind)%len(types)], jsonType) {
			return
		}
		// What is taken as a definition is what a record's body would be.
		if _, err := firstObject([]byte(body)); body != "" && (err == nil) != (w.Code == 200) {
			// encoding/json has the last word on definitions: only it refuses more.
			if err == nil {
				t.Fatalf("firstObject takes %q, the decoder does not", body)
			}
		}
	})
}
