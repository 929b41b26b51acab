package scenarios

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pandobase/pando/test/target"
)

// TestDart holds the conversation that the Dart SDK would, with the peer and
// with Pando.
func TestDart(t *testing.T) {
	steps, err := Read("dart.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range append(target.Kinds(),
		target.Kind{Name: "pando on PostgreSQL behind PgBouncer", Start: target.PandoPgBouncer},
		target.Kind{Name: "pando on PostgreSQL and S3", Start: target.PandoS3},
	) {
		t.Run(kind.Name, func(t *testing.T) {
			s := kind.Start(t)
			r := NewRunner(s.URL, map[string]string{"root.email": s.Email, "root.password": s.Password})
			defer r.Close()
			for _, step := range steps {
				t.Run(step.Title, func(t *testing.T) {
					if err := r.Do(t.Context(), step); err != nil {
						t.Errorf("dart.txt:%d: %v", step.Line, err)
					}
				})
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"text outside a step", "=== a\nGET /\n--- 200\nhello", `4: want an expectation`},
		{"no step", "hello", "1: want a step"},
		{"no request", "=== a", "1: the step is empty"},
		{"no path", "=== a\nGET", "2: want METHOD PATH"},
		{"no header", "=== a\nGET /\nnonsense\n--- 200", "3: want a header"},
		{"no status", "=== a\nGET /\n", "3: the step has no --- STATUS"},
		{"no number", "=== a\nGET /\n--- ok", "3: want --- STATUS"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s.txt")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Read(path); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%s:%s", path, c.want)) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	doc := map[string]any{"a": map[string]any{"b": []any{"x", 2.0}}, "n": nil}
	for _, c := range []struct {
		line string
		ok   bool
	}{
		{`a.b.0 = "x"`, true}, {`a.b.1 = 2`, true}, {`a.b.1 = "2"`, false}, {`a.b.2 absent`, true}, {`a.b absent`, false}, {`n = null`, true}, {`n absent`, false},
		{`a.b.0 ~ ^x$`, true}, {`a.b.1 ~ 2`, false}, {`a.b.0 -> kept`, true}, {`a.b.0 = "{{kept}}"`, true}, {`. keys a, n`, true}, {`a keys a`, false}, {`missing = 1`, false},
	} {
		m := expectation.FindStringSubmatch(c.line)
		r := NewRunner("", map[string]string{"kept": "x"})
		if err := r.check(doc, Expectation{Path: m[1], Op: m[2], Want: m[3]}); (err == nil) != c.ok {
			t.Errorf("%s: %v, want ok %v", c.line, err, c.ok)
		}
	}
}
