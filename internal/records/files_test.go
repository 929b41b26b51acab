package records_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/records"
)

func nopHandler(ctx context.Context, _ *records.Event, next func(context.Context) error) error {
	return next(ctx)
}

// files lists the files on disk, and fails if the fate of any is undecided.
func (w *world) files(t testing.TB) []string {
	t.Helper()
	pending, err := w.env.Blobs.Pending(t.Context())
	if err != nil || len(pending) > 0 {
		t.Errorf("undecided: %v, %v", pending, err)
	}
	root := filepath.Join(w.env.Dir, "storage")
	var list []string
	err = fs.WalkDir(os.DirFS(root), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.HasPrefix(path, ".") {
			list = append(list, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func docs(t testing.TB, w *world) {
	t.Helper()
	w.collection(t, "docs", nil,
		`{"id":"f1","name":"doc","type":"file","maxSelect":1,"maxSize":10}`,
		`{"id":"f2","name":"docs","type":"file","maxSelect":3,"mimeTypes":["text/plain"]}`,
		`{"id":"f3","name":"title","type":"text","min":2}`)
}

func uploads(pairs ...any) map[string][]pando.Upload {
	m := map[string][]pando.Upload{}
	for i := 0; i < len(pairs); i += 2 {
		key := pairs[i].(string)
		m[key] = append(m[key], pairs[i+1].(pando.Upload))
	}
	return m
}

func TestFileChecks(t *testing.T) {
	w := newWorld(t)
	docs(t, w)
	const refused = "400 Failed to create record. "
	many := uploads("docs", file("a.txt", "1"), "docs", file("b.txt", "2"), "docs", file("c.txt", "3"), "docs", file("d.txt", "4"))
	for _, s := range []step{
		{call{files: uploads("doc", file("big.txt", "12345678901"))}, refused + `{"doc":"validation_file_size_limit"}`},
		{call{files: uploads("docs", file("a.txt", "\x89PNG\r\n\x1a\n"))}, refused + `{"docs":"validation_invalid_mime_type"}`},
		{call{files: many}, refused + `{"docs":"validation_too_many_files"}`},
		{call{body: `{"doc":"x.txt"}`}, refused + `{"doc":"validation_invalid_file"}`},
		{call{body: `{"docs":["../../x.txt"]}`, files: uploads("docs", file("a.txt", "1"))}, refused + `{"docs":"validation_invalid_file"}`},
		{call{body: `{"title":"x"}`, files: uploads("doc", file("a.txt", "1"))}, refused + `{"title":"validation_min_text_constraint"}`},
	} {
		s.do, s.collection = "create", "docs"
		w.expect(t, []step{s})
	}
	if left := w.files(t); len(left) > 0 {
		t.Errorf("files of refused records are left: %v", left)
	}
}

func TestFileNames(t *testing.T) {
	w := newWorld(t)
	docs(t, w)
	for name, want := range map[string]string{
		"My File (1).TXT": `my_file_1_R\.TXT`, "a b  c.tar.gz": `a_b_c_R\.tar\.gz`, "a.b.c.d": `a_b_R\.c\.d`,
		"noext": `noext_R\.txt`, ".hidden": `R_R\.hidden`, "..": `R_R\.txt`, "": `R_R\.txt`,
		"héllo wörld.txt": `h_llo_w_rld_R\.txt`, "camelCaseName.txt": `camel_case_name_R\.txt`,
		"XMLHttpRequest.txt": `xmlhttp_request_R\.txt`, "UPPERCase.JPEG": `uppercase_R\.JPEG`,
		`..\..\x.txt`: `R_R\.x\.txt`, "日本語.txt": `R_R\.txt`, "__x__.txt": `xR_R\.txt`, "a.t!xt": `aR_R\.txt`,
		"x." + strings.Repeat("e", 30): `xR_R\.e{20}`, strings.Repeat("a", 150) + ".txt": `a{100}_R\.txt`,
	} {
		got := w.ok(t, call{do: "create", collection: "docs", files: uploads("doc", file(name, "hello"))})["doc"].(string)
		if !regexp.MustCompile("^" + strings.ReplaceAll(want, "R", "[a-z0-9]{10}") + "$").MatchString(got) {
			t.Errorf("%q: got %s, want %s", name, got, want)
		}
	}
}

// TestFileLife follows the files of one record: on disk is what it names, at
// every step.
func TestFileLife(t *testing.T) {
	w := newWorld(t)
	docs(t, w)
	names := func(m map[string]any) []string {
		var list []string
		for _, v := range m["docs"].([]any) {
			list = append(list, v.(string))
		}
		if doc := m["doc"].(string); doc != "" {
			list = append(list, doc)
		}
		return list
	}
	var now []string
	check := func(what string, m map[string]any, want int) {
		t.Helper()
		now = names(m)
		var keys []string
		for _, n := range now {
			keys = append(keys, "pbc_docs/doc000000000000/"+n)
		}
		slices.Sort(keys)
		if got := w.files(t); !slices.Equal(got, keys) || len(keys) != want {
			t.Errorf("%s: on disk are %v, the record names %v, want %d", what, got, keys, want)
		}
	}
	update := func(body string, files map[string][]pando.Upload) map[string]any {
		t.Helper()
		return w.ok(t, call{do: "update", collection: "docs", id: "doc000000000000", body: body, files: files})
	}
	check("create", w.ok(t, call{do: "create", collection: "docs", body: `{"id":"doc000000000000"}`,
		files: uploads("docs", file("a.txt", "1"), "docs", file("b.txt", "2"))}), 2)
	check("append", update(`{}`, uploads("docs+", file("c.txt", "3"))), 3)
	w.expect(t, []step{{call{do: "update", collection: "docs", id: "doc000000000000", files: uploads("docs+", file("d.txt", "4"))},
		`400 Failed to update record. {"docs":"validation_too_many_files"}`}})
	check("remove", update(`{"docs-":"`+now[0]+`"}`, nil), 2)
	check("prepend", update(`{}`, uploads("+docs", file("p.txt", "5"))), 3)
	if !strings.HasPrefix(now[0], "p") {
		t.Errorf("the new file is not the first: %v", now)
	}
	check("reorder", update(`{"docs":["`+now[2]+`","`+now[0]+`"]}`, nil), 2)
	check("keep one and add", update(`{"docs":"`+now[1]+`"}`, uploads("docs", file("n.txt", "6"))), 2)
	check("unknown names are not removed", update(`{"docs-":["zz.txt"]}`, nil), 2)
	check("replace", update(`{}`, uploads("docs", file("only.txt", "7"))), 1)
	check("single", update(`{}`, uploads("doc", file("one.txt", "8"), "doc", file("two.txt", "9"))), 2)
	check("single again", update(`{}`, uploads("doc", file("three.txt", "9"))), 2)
	check("other fields", update(`{"title":"tt"}`, nil), 2)
	check("a file for a text", update(`{}`, uploads("title", file("x.txt", "x"))), 2)
	check("clear", update(`{"docs":null,"doc-":"`+now[1]+`"}`, nil), 0)
	check("again", update(`{}`, uploads("doc", file("four.txt", "9"), "docs", file("z.txt", ""))), 2)
	w.expect(t, []step{{call{do: "delete", collection: "docs", id: "doc000000000000"}, "204"}})
	if left := w.files(t); len(left) > 0 {
		t.Errorf("files are left of a deleted record: %v", left)
	}
}
