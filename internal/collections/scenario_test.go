package collections_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/collections"
)

// TestScenarios plays the files under testdata. A line that begins with a verb is
// a call; what stands indented below is its outcome:
//
//	create BODY | update REF BODY | delete REF | truncate REF | view REF [FIELDS]
//	list QUERY | import [missing] BODY | dryrun QUERY
//
// An outcome is "ok", or the short form of a definition (see short), or an error
// as the web API tells it: its message, then its data. Each file starts with a
// new directory. Set UPDATE=1 to write the outcomes.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			s, _ := open(t)
			got := play(t, s, string(text))
			if os.Getenv("UPDATE") != "" {
				if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(text), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// play carries out the calls of a file and returns the file with the outcomes.
func play(t *testing.T, s *collections.Service, text string) string {
	t.Helper()
	var out strings.Builder
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		if strings.HasPrefix(line, "\t") {
			continue
		}
		out.WriteString(line + "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		for part := range strings.SplitSeq(call(t, s, line), "\n") {
			out.WriteString("\t" + part + "\n")
		}
	}
	return out.String()
}

func call(t *testing.T, s *collections.Service, line string) string {
	t.Helper()
	verb, rest, _ := strings.Cut(line, " ")
	ctx := context.Background()
	switch verb {
	case "create":
		return told(t)(s.Create(ctx, []byte(rest), ""))
	case "update":
		ref, body, _ := strings.Cut(rest, " ")
		return told(t)(s.Update(ctx, ref, []byte(body), ""))
	case "delete":
		return told(t)(nil, s.Delete(ctx, rest))
	case "truncate":
		return told(t)(nil, s.Truncate(ctx, rest))
	case "view":
		ref, fields, picked := strings.Cut(rest, " ")
		a, err := s.View(ctx, ref, fields)
		if picked && err == nil {
			return string(a)
		}
		return told(t)(a, err)
	case "import":
		body, missing := strings.CutPrefix(rest, "missing ")
		var items []json.RawMessage
		if err := json.Unmarshal([]byte(body), &items); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		return told(t)(nil, s.Import(ctx, items, missing))
	case "dryrun":
		a, err := s.DryRunView(ctx, rest)
		if err == nil {
			return clones.ReplaceAllString(string(a), "_clone_")
		}
		return told(t)(a, err)
	case "list":
		return list(t, s, rest)
	}
	t.Fatalf("unknown call %q", line)
	return ""
}

// list takes "filter=… sort=… page=… perPage=…" separated by |, and names what is
// found.
func list(t *testing.T, s *collections.Service, text string) string {
	t.Helper()
	q := pando.ListQuery{}
	q.Fields = "name"
	for part := range strings.SplitSeq(text, "|") {
		key, value, _ := strings.Cut(part, "=")
		switch key {
		case "filter":
			q.Filter = value
		case "sort":
			q.Sort = value
		case "page":
			q.Page = len(value)
		case "perPage":
			q.PerPage = len(value)
		case "skipTotal":
			q.SkipTotal = true
		}
	}
	a, err := s.List(context.Background(), q)
	if err != nil {
		return told(t)(a, err)
	}
	return strings.NewReplacer(`{"name":`, "", `"}`, `"`).Replace(string(a))
}

// told is an outcome in words.
func told(t *testing.T) func(pando.Answer, error) string {
	t.Helper()
	return func(a pando.Answer, err error) string {
		switch {
		case err != nil && pando.KindOf(err) == pando.KindNotFound:
			return "not found"
		case err != nil:
			var e struct {
				Message string          `json:"message"`
				Data    json.RawMessage `json:"data"`
			}
			if err := json.Unmarshal([]byte(outcome(t, nil, err)), &e); err != nil {
				t.Fatal(err)
			}
			if string(e.Data) == "{}" {
				return e.Message
			}
			return e.Message + "\n" + string(e.Data)
		case a == nil:
			return "ok"
		}
		return short(t, a)
	}
}

var clones = regexp.MustCompile(`_clone_[A-Za-z0-9]{4}`)

// short is a definition without what is zero or long: one line for the
// collection, one for each field.
func short(t *testing.T, a pando.Answer) string {
	t.Helper()
	c := decode(t, string(a))
	var fields []string
	for _, f := range c["fields"].([]any) {
		f := f.(map[string]any)
		head := f["name"].(string) + " " + f["type"].(string) + " " + clones.ReplaceAllString(f["id"].(string), "_clone_")
		for _, key := range []string{"name", "type", "id"} {
			delete(f, key)
		}
		if rest := nonZero(f); len(rest) > 0 {
			head += " " + encode(t, rest)
		}
		fields = append(fields, "- "+head)
	}
	for _, key := range []string{
		"fields", "created", "updated", "authAlert", "verificationTemplate", "resetPasswordTemplate", "confirmEmailChangeTemplate",
		"otp", "mfa", "passwordResetToken", "emailChangeToken", "verificationToken", "fileToken",
	} {
		delete(c, key)
	}
	return encode(t, nonZero(c)) + "\n" + strings.Join(fields, "\n")
}

func nonZero(m map[string]any) map[string]any {
	for key, v := range m {
		switch v := v.(type) {
		case nil:
			delete(m, key)
		case bool:
			if !v {
				delete(m, key)
			}
		case float64:
			if v == 0 {
				delete(m, key)
			}
		case string:
			if v == "" {
				delete(m, key)
			}
		case []any:
			if len(v) == 0 {
				delete(m, key)
			}
		case map[string]any:
			if len(nonZero(v)) == 0 {
				delete(m, key)
			}
		}
	}
	return m
}
