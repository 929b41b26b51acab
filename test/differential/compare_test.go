package differential

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func answer(status int, body string) Answer {
	return Answer{Status: status, Header: http.Header{}, Body: []byte(body), At: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
}

func TestCompareTellsWhatDiffers(t *testing.T) {
	const records, settings = "/api/collections/posts/records", "/api/settings"
	for _, c := range []struct {
		name, path string
		a, b       Answer
		want       []Difference
	}{
		{"same", records, answer(200, `{"a":1}`), answer(200, `{"a":1}`), nil},
		{"key order is free", records, answer(200, `{"a":1,"b":2}`), answer(200, `{"b":2,"a":1}`), nil},
		{"status", records, answer(200, `{}`), answer(404, `{"x":1}`), []Difference{{Status, "status", "200 {}", `404 {"x":1}`}}},
		{"no answer", records, answer(200, `{}`), Answer{Err: errors.New("closed")}, []Difference{{Status, "answer", "200 {}", "no answer: closed"}}},
		{"a record's field", records, answer(200, `{"title":"x"}`), answer(200, `{"title":"y"}`), []Difference{{SDKKey, "body title", `"x"`, `"y"`}}},
		{"a field inside a list", records, answer(200, `{"items":[{"t":1}]}`), answer(200, `{"items":[{"t":2}]}`), []Difference{{SDKKey, "body items.0.t", "1", "2"}}},
		{"a missing field", records, answer(200, `{"title":null}`), answer(200, `{}`), []Difference{{SDKKey, "body title", "null", "absent"}}},
		{"a code", settings, answer(400, `{"data":{"meta":{"appName":{"code":"a"}}}}`), answer(400, `{"data":{"meta":{"appName":{"code":"b"}}}}`), []Difference{{SDKKey, "body data.meta.appName.code", `"a"`, `"b"`}}},
		{"params of a message", records, answer(400, `{"data":{"t":{"params":{"min":1}}}}`), answer(400, `{"data":{"t":{}}}`), []Difference{{SDKKey, "body data.t.params", `{"min":1}`, "absent"}}},
		{"a setting", settings, answer(200, `{"meta":{"appName":"a"}}`), answer(200, `{"meta":{"appName":"b"}}`), []Difference{{Other, "body meta.appName", `"a"`, `"b"`}}},
		{"a number written otherwise", records, answer(200, `{"n":1e3}`), answer(200, `{"n":1000}`), []Difference{{Other, "body n", "1e3", "1000"}}},
		{"text and number", records, answer(200, `{"n":1}`), answer(200, `{"n":"1"}`), []Difference{{SDKKey, "body n", "1", `"1"`}}},
		{"bytes", "/api/files/a/b/c", answer(200, "one"), answer(200, "two"), []Difference{{SDKKey, "body", "one", "two"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := newNormaliser(nil, nil, c.a.At)
			got := compare(Request{Path: c.path}, c.a, c.b, n, n)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestNormaliseHidesOnlyWhatIsFree(t *testing.T) {
	at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	n := newNormaliser(map[string]bool{"fixed0000000001": true}, map[string]string{"posts": "pbc_1234567890"}, at)
	for _, c := range []struct{ name, in, want string }{
		{"a generated id", "abcdefghij01234", "«id»"},
		{"a given id", "fixed0000000001", "fixed0000000001"},
		{"an id of another length", "abcdefghij0123", "abcdefghij0123"},
		{"a captured value", "pbc_1234567890", "«posts»"},
		{"now", "2026-05-01 11:59:59.123Z", "«now as 2006-01-02 15:04:05.000Z»"},
		{"now in another form", "2026-05-01T11:59:59Z", "«now as 2006-01-02T15:04:05Z07:00»"},
		{"another year", "2022-05-01 11:59:59.123Z", "2022-05-01 11:59:59.123Z"},
		{"a file's name", "report_aB3dE6gH9j.pdf", "report_«random».pdf"},
		{"a short file's name", "a0123456789_aB3dE6gH9j.pdf", "a«random»_«random».pdf"},
		{"plain text", "nothing to hide", "nothing to hide"},
		{"a token", "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3Nzc2MzcyMDMsInR5cGUiOiJhdXRoIn0.c2lnbmF0dXJl", `«token {"alg":"HS256"}{"exp":"in 400 s","type":"auth"}»`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := n.text(c.in); got != c.want {
				t.Errorf("text(%q) = %q, want %q", c.in, got, c.want)
			}
		})
	}
}

func TestOnlyListedOtherDifferencesAreAccepted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "compatibility.md")
	table := strings.Join([]string{"# x", listBegin, "| request | where | reason |", "|---|---|---|",
		"| `routes/*` | `header Vary` | because |", "| `none/*` | `body x` | never seen |", listEnd}, "\n")
	if err := os.WriteFile(path, []byte(table), 0o600); err != nil {
		t.Fatal(err)
	}
	rows, err := ReadAccepted(path)
	if err != nil {
		t.Fatal(err)
	}
	result := func(area string, d ...Difference) Result {
		return Result{Request: Request{Area: area, Name: "r"}, Differences: d}
	}
	vary := Difference{Class: Other, Where: "header Vary"}
	severe := Difference{Class: Status, Where: "header Vary"}
	left, unused := Unlisted([]Result{result("routes", vary), result("routes", severe), result("files", vary), result("files")}, rows)
	if len(left) != 2 || left[0].Request.Area != "routes" || left[1].Request.Area != "files" {
		t.Errorf("left %+v, want the status in routes and the header in files", left)
	}
	if len(unused) != 1 || unused[0].Request != "none/*" {
		t.Errorf("unused %+v, want none/*", unused)
	}
}

func TestReadAcceptedRefuses(t *testing.T) {
	rows := strings.Repeat("| a | b | c |\n", MaxListed+1)
	for _, c := range []struct{ name, text, want string }{
		{"no table", "# nothing", "no table of differences"},
		{"too many", listBegin + "\n" + rows + listEnd, "at most 15"},
		{"no reason", listBegin + "\n| a | b |\n" + listEnd, "want | request | where | reason |"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "c.md")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := ReadAccepted(path); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}
