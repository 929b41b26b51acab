package areas

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"strings"

	"github.com/pandobase/pando/test/differential"
)

// Files: uploads, what their names become, downloads, thumbs and tokens.

func fileRequests() []req {
	return flat(
		[]req{
			collection(with(rules(""), row{"name": "stored", "fields": []row{
				field("text", "title"), field("file", "doc", row{"maxSize": 2000}), field("file", "docs", row{"maxSelect": 3}),
				field("file", "pic", row{"thumbs": []string{"20x10", "20x10t", "20x10b", "20x10f", "0x10", "20x0"}, "maxSize": 100000}),
				field("file", "text", row{"mimeTypes": []string{"text/plain"}}),
			}})),
			collection(with(rules(""), row{"name": "guarded", "viewRule": "owner = @request.auth.id", "fields": []row{
				field("relation", "owner", row{"collectionId": usersCollection}), field("file", "doc", row{"protected": true}), field("file", "open")}})),
			collection(with(rules(nil), row{"name": "sealed_files", "fields": []row{field("file", "doc", row{"protected": true}), field("file", "open")}})),
		},
		uploads(), downloads(), thumbs(), protected(), fileEdits(),
	)
}

func upload(name, collection, recordID string, parts ...part) req {
	return req{Name: name, Path: at(collection), Form: append([]part{{Name: "id", Content: recordID}}, parts...)}
}

// uploads: names, types and limits.
func uploads() []req {
	var all []req
	for i, f := range []struct{ field, name, kind, content string }{
		{"doc", "simple.txt", "text/plain", "hello"}, {"doc", "Ünï cödé (1) File.TXT", "text/plain", "hello"}, {"doc", "no-extension", "", "hello text"}, {"doc", "no-extension", "", string(picture("png", 3, 3))}, {"doc", "../../etc/passwd", "", "x"}, {"doc", ".hidden", "", "x"}, {"doc", "a.tar.gz", "", "x"}, {"doc", "UPPER.PNG", "", "not a png"}, {"doc", strings.Repeat("long", 40) + ".txt", "", "x"}, {"doc", "empty.txt", "", ""}, {"doc", "x", "", "x"}, {"doc", "weird.ex%t", "", "x"}, {"doc", "camelCaseName.txt", "", "x"}, {"doc", "a_b-c d.txt", "", "x"}, {"doc", "日本.txt", "", "x"}, {"doc", "page.html", "text/html", "<html><body>x</body></html>"}, {"doc", "script.js", "", "alert(1)"}, {"doc", "pic.svg", "image/svg+xml", `<svg xmlns="http://www.w3.org/2000/svg"></svg>`},
		{"doc", "big.txt", "", strings.Repeat("x", 2001)}, {"doc", "fits.txt", "", strings.Repeat("x", 2000)},
		{"text", "real.txt", "text/plain", "plain text"}, {"text", "fake.txt", "text/plain", string(picture("png", 2, 2))}, {"text", "json.json", "application/json", `{"a":1}`},
	} {
		all = append(all, upload(fmt.Sprintf("upload %s %.40s", f.field, f.name), "stored", id("up", i), part{Name: f.field, Filename: f.name, Type: f.kind, Content: f.content}))
	}
	return append(all,
		upload("upload three", "stored", id("three", 1), part{Name: "docs", Filename: "a.txt", Content: "1"}, part{Name: "docs", Filename: "b.txt", Content: "2"}, part{Name: "docs", Filename: "c.txt", Content: "3"}),
		upload("upload four", "stored", id("four", 1), part{Name: "docs", Filename: "a.txt", Content: "1"}, part{Name: "docs", Filename: "b.txt", Content: "2"}, part{Name: "docs", Filename: "c.txt", Content: "3"}, part{Name: "docs", Filename: "d.txt", Content: "4"}),
		upload("upload two to one", "stored", id("two", 1), part{Name: "doc", Filename: "a.txt", Content: "1"}, part{Name: "doc", Filename: "b.txt", Content: "2"}),
		req{Name: "a name without a file", Path: at("stored"), Body: `{"doc":"missing.txt"}`},
		req{Name: "a list of names without files", Path: at("stored"), Body: `{"docs":["missing.txt"]}`},
		req{Name: "an object for a file", Path: at("stored"), Body: `{"doc":{"a":1}}`},
		upload("file for a text", "stored", id("fft", 1), part{Name: "title", Filename: "a.txt", Content: "1"}),
		upload("text for a file", "stored", id("tff", 1), part{Name: "doc", Content: "just text"}),
		upload("file for nothing", "stored", id("ffn", 1), part{Name: "unknown", Filename: "a.txt", Content: "1"}),
		upload("with payload", "stored", id("pay", 1), part{Name: "@jsonPayload", Content: `{"title":"from the payload"}`}, part{Name: "doc", Filename: "p.txt", Content: "1"}),
	)
}

// held makes a record with one file and keeps the file's name.
func held(collection, recordID, field, name, kind, content, variable string, more ...part) req {
	r := upload("hold "+name, collection, recordID, append(more, part{Name: field, Filename: name, Type: kind, Content: content})...)
	r.As = superuser
	r.Capture = map[string]string{variable: field}
	return r
}

var contents = []struct{ name, kind, content string }{
	{"plain.txt", "text/plain", "hello world"}, {"page.html", "text/html", "<html><script>alert(1)</script></html>"}, {"style.css", "text/css", "a{}"}, {"code.js", "text/javascript", "alert(1)"},
	{"pic.svg", "image/svg+xml", `<svg xmlns="http://www.w3.org/2000/svg"></svg>`}, {"pic.png", "image/png", string(picture("png", 8, 4))}, {"pic.jpg", "image/jpeg", string(picture("jpeg", 8, 4))}, {"pic.gif", "image/gif", string(picture("gif", 8, 4))},
	{"doc.pdf", "application/pdf", "%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF"}, {"data.json", "application/json", `{"a":1}`}, {"data.bin", "", "\x00\x01\x02\x03"}, {"data.csv", "text/csv", "a,b\n1,2\n"}, {"data.xml", "text/xml", "<?xml version=\"1.0\"?><a/>"}, {"clip.mp4", "video/mp4", "\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"}, {"song.mp3", "audio/mpeg", "ID3\x03\x00\x00\x00\x00\x00\x00"}, {"archive.zip", "application/zip", "PK\x05\x06" + strings.Repeat("\x00", 18)},
	{"fake.png", "image/png", "<html>not a picture</html>"},
}

func downloads() []req {
	var all []req
	for i, c := range contents {
		n, name := id("held", i), fmt.Sprintf("held.%d", i)
		path := "/api/files/stored/" + n + "/{{" + name + "}}"
		all = append(all,
			held("stored", n, "doc", c.name, c.kind, c.content, name),
			req{Name: "download " + c.name, Path: path},
			req{Name: "download as attachment " + c.name, Path: path, Query: q("download", "1")})
	}
	first := "/api/files/stored/" + id("held", 0) + "/{{held.0}}"
	for _, v := range []string{"true", "0", "false", "", "x"} {
		all = append(all, req{Name: "download=" + v, Path: first, Query: q("download", v)})
	}
	for _, r := range []struct{ name, header, value string }{
		{"range", "Range", "bytes=0-4"}, {"range to the end", "Range", "bytes=6-"}, {"last bytes", "Range", "bytes=-3"}, {"range outside", "Range", "bytes=100-"}, {"two ranges outside", "Range", "bytes=100-,200-"}, {"bad range", "Range", "lines=1"}, {"if modified since", "If-Modified-Since", "Fri, 31 Dec 2100 00:00:00 GMT"}, {"if modified long ago", "If-Modified-Since", "Fri, 31 Dec 1999 00:00:00 GMT"}, {"if none match", "If-None-Match", "*"}, {"origin", "Origin", "https://example.com"},
	} {
		all = append(all, req{Name: r.name, Path: first, Headers: map[string]string{r.header: r.value}})
	}
	return append(all,
		req{Name: "head", Method: "HEAD", Path: first},
		req{Name: "collection by id", Path: "/api/files/{{stored}}/" + id("held", 0) + "/{{held.0}}"},
		req{Name: "unknown collection", Path: "/api/files/nope/" + id("held", 0) + "/{{held.0}}"},
		req{Name: "unknown record", Path: "/api/files/stored/" + id("none", 0) + "/{{held.0}}"},
		req{Name: "unknown name", Path: "/api/files/stored/" + id("held", 0) + "/none.txt"},
		req{Name: "another record's name", Path: "/api/files/stored/" + id("held", 1) + "/{{held.0}}"},
		req{Name: "path trick", Path: "/api/files/stored/" + id("held", 0) + "/..%2F..%2Fdata.db"},
		req{Name: "path trick with dots", Path: "/api/files/stored/" + id("held", 0) + "/%2e%2e"},
		req{Name: "attributes of the file", Path: "/api/files/stored/" + id("held", 0) + "/{{held.0}}.attrs"},
		req{Name: "no name", Path: "/api/files/stored/" + id("held", 0) + "/"},
		req{Name: "post", Method: "POST", Path: first},
	)
}

func thumbs() []req {
	all := []req{
		held("stored", id("pic", 1), "pic", "wide.png", "image/png", string(picture("png", 80, 40)), "pic.png"),
		held("stored", id("pic", 2), "pic", "tall.jpg", "image/jpeg", string(picture("jpeg", 40, 80)), "pic.jpg"),
		held("stored", id("pic", 3), "pic", "some.gif", "image/gif", string(picture("gif", 30, 30)), "pic.gif"),
		held("stored", id("pic", 4), "pic", "notes.txt", "text/plain", "not a picture", "pic.txt"),
		held("stored", id("pic", 5), "pic", "broken.png", "image/png", string(picture("png", 9, 9)[:40]), "pic.broken"),
	}
	for i, name := range []string{"pic.png", "pic.jpg", "pic.gif", "pic.txt", "pic.broken"} {
		for _, size := range []string{"20x10", "20x10t", "20x10b", "20x10f", "0x10", "20x0", "100x100", "33x33", "0x0", "x", "", "100x100t", "-1x5"} {
			all = append(all, req{Name: name + " as " + size, Path: "/api/files/stored/" + id("pic", i+1) + "/{{" + name + "}}",
				Query: q("thumb", size), Bytes: differential.Pixels})
		}
	}
	return append(all, req{Name: "thumb as attachment", Path: "/api/files/stored/" + id("pic", 1) + "/{{pic.png}}", Query: q("thumb", "20x10", "download", "1"), Bytes: differential.Pixels})
}

func protected() []req {
	var all []req
	for _, c := range []string{"guarded", "sealed_files"} {
		more := []part{}
		if c == "guarded" {
			more = append(more, part{Name: "owner", Content: ownerID})
		}
		all = append(all,
			held(c, id("prot", 1), "doc", "secret.txt", "", "protected", c+".doc", more...),
			held(c, id("prot", 2), "open", "public.txt", "", "open", c+".open", more...))
	}
	for _, as := range everyone {
		all = append(all, req{Name: "token as " + called(as), As: as, Method: "POST", Path: "/api/files/token", Capture: map[string]string{"file." + called(as): "token"}})
	}
	for _, c := range []string{"guarded", "sealed_files"} {
		path, open := "/api/files/"+c+"/"+id("prot", 1)+"/{{"+c+".doc}}", "/api/files/"+c+"/"+id("prot", 2)+"/{{"+c+".open}}"
		for _, as := range everyone {
			all = append(all,
				req{Name: c + " by header as " + called(as), As: as, Path: path},
				req{Name: c + " open one as " + called(as), As: as, Path: open},
				req{Name: c + " by file token of " + called(as), Path: path + "?token={{file." + called(as) + "}}"})
		}
		all = append(all,
			req{Name: c + " by auth token", Path: path + "?token={{owner}}"},
			req{Name: c + " by a bad token", Path: path + "?token=bad"},
			req{Name: c + " by an empty token", Path: path + "?token="})
	}
	return append(all, req{Name: "file token as auth token", Path: at("users", ownerID), Headers: map[string]string{"Authorization": "{{file.owner}}"}})
}

// fileEdits add, keep, remove and replace files of one record.
func fileEdits() []req {
	edit := at("stored", id("edit", 1))
	patch := func(name, body string) req { return req{Name: name, Method: "PATCH", Path: edit, Body: body} }
	form := func(name string, parts ...part) req { return req{Name: name, Method: "PATCH", Path: edit, Form: parts} }
	a := upload("edit: two files", "stored", id("edit", 1), part{Name: "docs", Filename: "a.txt", Content: "a"}, part{Name: "docs", Filename: "b.txt", Content: "b"}, part{Name: "doc", Filename: "one.txt", Content: "1"})
	a.Capture = map[string]string{"edit.a": "docs.0", "edit.b": "docs.1", "edit.one": "doc"}
	return []req{
		a,
		form("edit: append", part{Name: "docs+", Filename: "c.txt", Content: "c"}),
		form("edit: one too many", part{Name: "docs+", Filename: "d.txt", Content: "d"}),
		patch("edit: remove one", `{"docs-":"{{edit.a}}"}`),
		{Name: "edit: removed", Path: "/api/files/stored/" + id("edit", 1) + "/{{edit.a}}"},
		form("edit: prepend", part{Name: "+docs", Filename: "e.txt", Content: "e"}),
		patch("edit: keep one by name", `{"docs":["{{edit.b}}"]}`),
		patch("edit: a removed name again", `{"docs":["{{edit.a}}"]}`),
		form("edit: add in the same key", part{Name: "docs", Filename: "f.txt", Content: "f"}),
		form("edit: add beside a kept name", part{Name: "docs", Content: "{{edit.b}}"}, part{Name: "docs", Filename: "g.txt", Content: "g"}),
		form("edit: replace the single one", part{Name: "doc", Filename: "two.txt", Content: "2"}),
		{Name: "edit: replaced", Path: "/api/files/stored/" + id("edit", 1) + "/{{edit.one}}"},
		patch("edit: clear with null", `{"doc":null}`),
		patch("edit: clear with empty text", `{"docs":""}`),
		{Name: "edit: cleared", Path: edit},
		{Name: "edit: delete the record", Method: "DELETE", Path: edit},
		{Name: "edit: file of the deleted record", Path: "/api/files/stored/" + id("edit", 1) + "/{{edit.b}}"},
	}
}

// picture is a deterministic image.
func picture(format string, w, h int) []byte {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.Set(x, y, color.RGBA{uint8(x * 3), uint8(y * 3), 100, 255})
		}
	}
	var buf bytes.Buffer
	var err error
	switch format {
	case "png":
		err = png.Encode(&buf, m)
	case "jpeg":
		err = jpeg.Encode(&buf, m, nil)
	default:
		err = gif.Encode(&buf, m, nil)
	}
	if err != nil {
		panic(err) // encoding to memory does not fail
	}
	return buf.Bytes()
}
