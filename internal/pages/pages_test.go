package pages_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/pages"
)

func TestRouting(t *testing.T) {
	s := newSite(t, map[string]string{
		"_layout.html":      `<main>{{template "content" .}}</main>{{block "title" .}}plain{{end}}`,
		"_deep/_card.html":  `[{{.}}]`,
		"index.html":        `{{define "content"}}start{{end}}`,
		"bare.html":         `no layout{{template "_deep/_card.html" "card"}}`,
		"a/index.html":      `{{define "title"}}mine{{end}}{{define "content"}}a {{query "q"}} {{.Query.q}} {{.Path}} {{.URL}}{{end}}`,
		"a/[id].html":       `id={{param "id"}} {{.Params.id}}`,
		"a/new.html":        `new`,
		"[any]/b.html":      `any={{param "any"}}`,
		"404.html":          `{{define "content"}}nothing at {{.Path}}{{end}}`,
		"deep/[x]/[y].html": `{{param "x"}}/{{param "y"}}{{param "z"}}`,
	})
	guest := s.browser(t)
	tests := []struct {
		path   string
		status int
		want   string
	}{
		{"/", 200, "<main>start</main>plain"},
		{"/bare", 200, "no layout[card]"},
		{"/a", 200, "<main>a   /a /a</main>mine"},
		{"/a/?q=%3Cb%3E", 200, "<main>a &lt;b&gt; &lt;b&gt; /a/ /a/?q=%3Cb%3E</main>mine"},
		{"/a/one", 200, "id=one one"},
		{"/a/new", 200, "new"},  // a name wins over a placeholder
		{"/a/b", 200, "id=b b"}, // the earlier segment decides
		{"/c/b", 200, "any=c"},
		{"/a/x%20y%22", 200, "id=x y&#34; x y&#34;"},
		{"/deep/1/2", 200, "1/2"},
		{"/_layout", 404, "<main>nothing at /_layout</main>plain"},
		{"/bare.html", 404, "<main>nothing at /bare.html</main>plain"},
		{"/404", 404, "<main>nothing at /404</main>plain"},
	}
	for _, tt := range tests {
		res := s.get(t, guest, tt.path)
		if res.StatusCode != tt.status || res.body != tt.want {
			t.Errorf("%s: %d %q, want %d %q", tt.path, res.StatusCode, res.body, tt.status, tt.want)
		}
		if ct := res.Header.Get("Content-Type"); ct != "text/html; charset=utf-8" {
			t.Errorf("%s: Content-Type %q", tt.path, ct)
		}
	}
	if res := s.post(t, guest, "/a", nil); res.StatusCode != 404 {
		t.Errorf("POST to a page: %d", res.StatusCode)
	}
	req := s.request(t, "HEAD", "/bare", nil)
	if res := do(t, guest, req); res.StatusCode != 200 || res.body != "" || res.ContentLength != int64(len("no layout[card]")) {
		t.Errorf("HEAD: %d, %d bytes", res.StatusCode, res.ContentLength)
	}
}

// rights tells what one visitor sees in each collection.
const rights = `posts{{range (list "posts").items}} {{.title}}{{end}};notes{{range (list "notes").items}} {{.title}}{{end}};` +
	`{{if .User}}{{.User.email}} {{.User.collectionName}}{{if .User.tokenKey}} LEAK{{end}}{{if .User.password}} LEAK{{end}}{{end}}`

func TestVisitorsOwnRights(t *testing.T) {
	s := newSite(t, map[string]string{
		"rights.html":     rights,
		"note/[id].html":  `{{(view "notes" (param "id")).title}}`,
		"post/[id].html":  `{{with view "posts" (param "id") "author"}}{{.title}} by {{.expand.author.id}}{{end}}`,
		"closed.html":     `{{range (list "closed").items}}{{.title}}{{end}}`,
		"misspelt.html":   `{{list "poosts"}}`,
		"badoption.html":  `{{list "posts" "sorted" "x"}}`,
		"badfilter.html":  `{{list "posts" "filter" (query "f")}}`,
		"404.html":        `gone`,
		"one/[n]/ok.html": `{{range (list "posts" "page" (param "n") "perPage" 1 "sort" "-title").items}}{{.title}}{{end}}`,
	})
	bob := s.user(t, "users", "bob")
	post := s.Insert(t, "posts", map[string]any{"title": "hello", "author": s.ada.ID()})
	s.Insert(t, "posts", map[string]any{"title": "zwei"})
	mine := s.Insert(t, "notes", map[string]any{"title": "adas", "owner": s.ada.ID()})
	his := s.Insert(t, "notes", map[string]any{"title": "bobs", "owner": bob.ID()})
	s.Insert(t, "closed", map[string]any{"title": "top"})

	guest, ada, root := s.browser(t), s.login(t, "ada"), s.login(t, "root", "collection", "_superusers")
	tests := []struct {
		who    string
		c      *http.Client
		path   string
		status int
		want   string
	}{
		{"guest", guest, "/rights", 200, "posts hello zwei;notes;"},
		{"ada", ada, "/rights", 200, "posts hello zwei;notes adas;ada@example.com users"},
		{"root", root, "/rights", 200, "posts hello zwei;notes adas bobs;root@example.com _superusers"},
		{"guest", guest, "/post/" + post.ID(), 200, "hello by " + s.ada.ID()},
		{"guest", guest, "/note/" + mine.ID(), 404, "gone"},
		{"ada", ada, "/note/" + mine.ID(), 200, "adas"},
		{"ada", ada, "/note/" + his.ID(), 404, "gone"},
		{"guest", guest, "/closed", 403, "You are not allowed to see this page.\n"},
		{"ada", ada, "/closed", 403, "You are not allowed to see this page.\n"},
		{"root", root, "/closed", 200, "top"},
		{"guest", guest, "/misspelt", 500, "This page cannot be shown: something went wrong on the server.\n"},
		{"guest", guest, "/badoption", 500, "This page cannot be shown: something went wrong on the server.\n"},
		{"guest", guest, "/badfilter?f=((", 400, "This page cannot be shown: it was asked for something that does not exist.\n"},
		{"guest", guest, "/one/2/ok", 200, "hello"},
		{"guest", guest, "/one/nonsense/ok", 200, "zwei"},
	}
	for _, tt := range tests {
		if res := s.get(t, tt.c, tt.path); res.StatusCode != tt.status || res.body != tt.want {
			t.Errorf("%s %s: %d %q, want %d %q", tt.who, tt.path, res.StatusCode, res.body, tt.status, tt.want)
		}
	}
	for _, want := range []string{`there is no collection \"poosts\"`, `list has no option \"sorted\"`, "misspelt.html:1"} {
		if !strings.Contains(s.log.String(), want) {
			t.Errorf("the log does not say %s:\n%s", want, s.log)
		}
	}
}

func TestCacheHeaders(t *testing.T) {
	s := newSite(t, map[string]string{"index.html": `{{range (list "posts").items}}{{.title}}{{end}}`, "404.html": "none"})
	s.Insert(t, "posts", map[string]any{"title": "one"})
	guest, ada := s.browser(t), s.login(t, "ada")

	res := s.get(t, guest, "/")
	etag := res.Header.Get("ETag")
	if etag == "" || res.Header.Get("Cache-Control") != "no-cache" || !strings.Contains(strings.Join(res.Header.Values("Vary"), ","), "Cookie") {
		t.Errorf("guest: %v", res.Header)
	}
	for _, match := range []string{etag, "W/" + etag, `"other", ` + etag, "*"} {
		if res := s.get(t, guest, "/", "If-None-Match", match); res.StatusCode != 304 || res.body != "" {
			t.Errorf("If-None-Match %s: %d %q", match, res.StatusCode, res.body)
		}
	}
	if res := s.get(t, ada, "/", "If-None-Match", etag); res.StatusCode != 200 || res.Header.Get("Cache-Control") != "private, no-store" || res.Header.Get("ETag") != "" {
		t.Errorf("with an identity: %d %v", res.StatusCode, res.Header)
	}
	s.Insert(t, "posts", map[string]any{"title": "two"})
	if res := s.get(t, guest, "/", "If-None-Match", etag); res.StatusCode != 200 || res.body != "onetwo" {
		t.Errorf("after a write: %d %q", res.StatusCode, res.body)
	}
	if res := s.get(t, guest, "/nowhere", "If-None-Match", "*"); res.StatusCode != 404 || res.body != "none" {
		t.Errorf("404 with If-None-Match: %d %q", res.StatusCode, res.body)
	}
}

func TestCompression(t *testing.T) {
	s := newSite(t, map[string]string{"index.html": `{{range 1000}}again and {{end}}{{if .User}}{{.User.id}}{{end}}`})
	guest, ada := s.browser(t), s.login(t, "ada")
	get := func(c *http.Client, headers ...string) response {
		return s.get(t, c, "/", append(headers, "Accept-Encoding", "gzip")...) // said by ourselves, it is not undone
	}
	res := get(guest)
	etag := res.Header.Get("ETag")
	if res.Header.Get("Content-Encoding") != "gzip" || len(res.body) > 1000 || !strings.HasSuffix(etag, `-gzip"`) ||
		!strings.Contains(strings.Join(res.Header.Values("Vary"), ","), "Accept-Encoding") {
		t.Errorf("%d bytes, %v", len(res.body), res.Header)
	}
	if res := get(guest, "If-None-Match", etag); res.StatusCode != 304 {
		t.Errorf("If-None-Match %s: %d", etag, res.StatusCode)
	}
	if res := get(ada); res.Header.Get("Content-Encoding") != "" || !strings.HasSuffix(res.body, s.ada.ID()) || res.Header.Get("No-Gzip-Compression") != "" {
		t.Errorf("with an identity: %v", res.Header)
	}
}

func TestBounds(t *testing.T) {
	s := newSite(t, map[string]string{
		"endless.html":   `{{range 1000000000}}{{range 1000000000}}{{end}}{{end}}`,
		"recursion.html": `{{define "r"}}{{template "r" .}}{{end}}{{template "r" .}}`,
		"fork.html":      `{{define "f"}}{{if gt . 0}}{{template "f" (sub . 1)}}{{template "f" (sub . 1)}}{{end}}{{end}}{{template "f" 60}}`,
		"output.html":    `{{range 1000000}}0123456789{{end}}`,
		"double.html":    `{{$s := "0123456789"}}{{range 100}}{{$s = printf "%s%s" $s $s}}{{end}}`,
		"escape.html":    `{{$s := "\\"}}{{range 100}}{{$s = js $s}}{{end}}`,
		"dicts.html":     `{{$d := dict "a" 1}}{{range 100}}{{$d = dict "a" $d "b" $d}}{{end}}{{$d}}`,
		"wide.html":      `{{printf "%1000000d%1000000d%1000000d%1000000d%1000000d" 1 1 1 1 1}}`,
		"fine.html":      `{{range 4000}}` + strings.Repeat("0123456789", 100) + `{{end}}`,
		"tree.html":      `{{define "t"}}{{.n}}{{if lt .n 500}}{{template "t" (dict "n" (add .n 1))}}{{end}}{{end}}{{template "t" (dict "n" 499)}}`,
	})
	guest := s.browser(t)
	for _, name := range []string{"endless", "recursion", "fork", "output", "double", "escape", "dicts", "wide"} {
		began := time.Now()
		res := s.get(t, guest, "/"+name)
		if res.StatusCode != 503 || !strings.Contains(res.body, "takes too long or is too large") {
			t.Errorf("%s: %d %.100q", name, res.StatusCode, res.body)
		}
		// The bound is 2 s; the rest is for machines that have much else to do.
		if took := time.Since(began); took > 12*time.Second {
			t.Errorf("%s took %s", name, took)
		}
	}
	if res := s.get(t, guest, "/fine"); res.StatusCode != 200 || len(res.body) != 4_000_000 {
		t.Errorf("fine: %d, %d bytes", res.StatusCode, len(res.body))
	}
	if res := s.get(t, guest, "/tree"); res.body != "499500" {
		t.Errorf("tree: %d %q", res.StatusCode, res.body)
	}
}

// TestSlowDatabase: the bound of time reaches into queries.
func TestSlowDatabase(t *testing.T) {
	var deadline bool
	s := newSite(t, map[string]string{"index.html": `{{list "posts"}}`}, func(o *pages.Options) { o.Records = waiting{o.Records, &deadline} })
	if res := s.get(t, s.browser(t), "/"); res.StatusCode != 503 || !deadline {
		t.Errorf("%d %q, a deadline: %v", res.StatusCode, res.body, deadline)
	}
}

// waiting is a service whose lists take as long as their context allows.
type waiting struct {
	pando.Records
	deadline *bool
}

func (w waiting) List(ctx context.Context, _ *pando.Request, _ string, _ pando.ListQuery) (pando.Answer, error) {
	_, *w.deadline = ctx.Deadline()
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestBadTemplates(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  []string
	}{
		{"syntax", map[string]string{"a/b.html": "line one\n{{range}}"}, []string{"a/b.html:2"}},
		{"syntax in a partial", map[string]string{"x.html": "ok", "_p.html": "\n\n{{end}}"}, []string{"_p.html:3"}},
		{"unknown function", map[string]string{"x.html": "{{readFile `/etc/passwd`}}"}, []string{"x.html:1", `"readFile" not defined`}},
		{"missing partial", map[string]string{"x.html": "a\n{{template `_none.html`}}"}, []string{"x.html:2", "_none.html"}},
		{"unescapable place", map[string]string{"x.html": "<a\n href='{{.Path}}>"}, []string{"x.html"}},
		{"two pages of one path", map[string]string{"m.html": "", "m/index.html": ""}, []string{"m.html", "m/index.html", "/m"}},
		{"two placeholders", map[string]string{"m/[a].html": "", "m/[b].html": ""}, []string{"m/[a].html", "m/[b].html"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range tt.files {
				path := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, err := pages.New(pages.Options{Dir: dir})
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}

// TestEscaping: what records and visitors say stays text, wherever it stands;
// loops and templates change nothing about that.
func TestEscaping(t *testing.T) {
	const evil = `"><script>alert(1)</script>'`
	s := newSite(t, map[string]string{
		"text.html":   `{{range (list "posts").items}}<p title="{{.title}}">{{.title}}</p>{{end}}`,
		"url.html":    `<a href="{{query "u"}}">x</a>`,
		"script.html": `<script>var t = {{query "q"}}, n = [{{range (list "posts").items}}{{.stars}},{{end}}]</script>`,
		"attr.html":   `<i {{range (list "posts").items}}class=x{{.stars}} {{end}}></i><i class={{range (list "posts").items}}{{.stars}}{{end}}></i>`,
		"part.html":   `{{define "p"}}1{{end}}<i {{template "a"}}></i><script>var x = {{template "p"}}</script>{{define "a"}}data-a{{end}}`,
		"filter.html": `{{range (list "posts" "filter" (printf "title = %s" (quote (query "q")))).items}}{{.stars}}{{end}}`,
	})
	s.Insert(t, "posts", map[string]any{"title": evil, "stars": 1e6})
	odd := []string{`a\`, `a'b`, `a\'b`, `\\`, `"`, "a\nb", `' || stars > 0 || title = '`, `\' || stars > 0 //`, `{:x}`, "@now", `a%b_c`}
	for i, title := range odd {
		s.Insert(t, "posts", map[string]any{"title": title, "stars": float64(i)})
	}
	guest := s.browser(t)
	if res := s.get(t, guest, "/text"); strings.Contains(res.body, "<script>") || !strings.Contains(res.body, "&lt;script&gt;alert(1)") {
		t.Errorf("text: %s", res.body)
	}
	if res := s.get(t, guest, "/url?u=javascript:alert(1)"); strings.Contains(res.body, "javascript:") {
		t.Errorf("url: %s", res.body)
	}
	res := s.get(t, guest, "/script?q="+url.QueryEscape(evil))
	if strings.Count(res.body, "<script>") != 1 || !strings.Contains(res.body, "n = [ 1000000 , 0 , 1 , 2 ,") {
		t.Errorf("script: %s", res.body)
	}
	if res := s.get(t, guest, "/attr"); !strings.HasPrefix(res.body, "<i class=x1000000 class=x0 ") || strings.Contains(res.body, "ZgotmplZ") {
		t.Errorf("attr: %s", res.body)
	}
	if res := s.get(t, guest, "/part"); res.body != "<i data-a></i><script>var x = 1</script>" {
		t.Errorf("part: %s", res.body)
	}
	for i, title := range odd {
		if res := s.get(t, guest, "/filter?q="+url.QueryEscape(title)); res.body != fmt.Sprint(i) {
			t.Errorf("filter by %q: %d %q, want %d", title, res.StatusCode, res.body, i)
		}
	}
}

func TestReload(t *testing.T) {
	s := newSite(t, map[string]string{"index.html": "one"}, func(o *pages.Options) { o.Reload = true })
	guest := s.browser(t)
	expect := func(path string, status int, want string) {
		t.Helper()
		if res := s.get(t, guest, path); res.StatusCode != status || !strings.Contains(res.body, want) {
			t.Errorf("%s: %d %q, want %d %q", path, res.StatusCode, res.body, status, want)
		}
	}
	expect("/", 200, "one")
	s.write(t, "index.html", "changed")
	expect("/", 200, "changed")
	s.write(t, "more.html", "more")
	expect("/more", 200, "more")
	s.write(t, "index.html", "{{broken")
	for range 3 {
		expect("/", 200, "changed")
	}
	if n := strings.Count(s.log.String(), "index.html:1"); n != 1 {
		t.Errorf("the broken page is named %d times in the log, want once:\n%s", n, s.log)
	}
	s.write(t, "index.html", "mended!")
	expect("/", 200, "mended!")
	if err := os.Remove(filepath.Join(s.dir, "more.html")); err != nil {
		t.Fatal(err)
	}
	expect("/more", 404, "Not found.")

	still := newSite(t, map[string]string{"index.html": "one"})
	still.write(t, "index.html", "changed")
	if res := still.get(t, guest, "/"); res.body != "one" {
		t.Errorf("without Reload: %q", res.body)
	}
}

func TestNoDirectory(t *testing.T) {
	p, err := pages.New(pages.Options{Dir: filepath.Join(t.TempDir(), "none")})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest("GET", "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if p.Serves(req) {
		t.Error("a page where there are none")
	}
}
