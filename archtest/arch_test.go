// Package archtest holds the layers of docs/architecture.md: which package may
// import which, and where drivers and SQL may be.
package archtest

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/pandobase/pando"

// layers maps a package, relative to the module, to its layer. A package may
// import its own module's packages of lower layers only, and what allowed adds.
// A key that ends in /... stands for everything below it.
var layers = map[string]int{
	".": 0,

	"internal/position": 1,
	"internal/mutant":   1,
	"internal/rule":     1,
	"internal/indexdef": 1,
	"internal/hook":     1,
	"internal/field":    1,
	"internal/wire":     1,

	"internal/store":   2,
	"internal/cache":   2,
	"internal/changes": 2,
	"internal/blob":    2,

	"internal/store/cached":  3,
	"internal/store/sqlgen":  3,
	"internal/store/sqlite":  3,
	"internal/cache/memory":  3,
	"internal/changes/local": 3,
	"internal/blob/disk":     3,

	"internal/importer": 4,
	"internal/takeover": 4,
	"internal/backup":   4,
	"internal/auth":     4,
	"internal/files":    4,
	"internal/realtime": 4,

	"internal/pages":       5,
	"internal/web":         5,
	"cmd/pando":            7,
	"server":               6,
	"internal/records":     4,
	"internal/settings":    4,
	"internal/collections": 4,
}

// allowed are imports within one layer, or of services by name.
var allowed = map[string][]string{
	"internal/store/sqlite": {"internal/store/sqlgen"}, // the dialect's SQL is generated there
	"internal/rule":         {"internal/indexdef"},     // a back relation over a unique index is one record
	"internal/web":          {"internal/pages"},
}

// maxServiceImport: services know contracts, never adapters.
const maxServiceImport = 2

// drivers may be imported in exactly one package each.
var drivers = map[string]string{
	"zombiezen.com/go/sqlite":      "internal/store/sqlite",
	"modernc.org/sqlite":           "internal/store/sqlite",
	"github.com/maypok86/otter/v2": "internal/cache/memory",
	"github.com/jackc/pgx/v5":      "internal/store/postgres",
}

// outside are not part of the product: tests, benchmarks, examples.
var outside = []string{"archtest", "test", "bench", "examples"}

type pkg struct {
	ImportPath string
	Imports    []string
}

func TestLayers(t *testing.T) {
	for _, p := range packages(t) {
		name := relative(p.ImportPath)
		if isOutside(name) || strings.HasSuffix(name, "test") {
			continue
		}
		layer, ok := layers[name]
		if !ok {
			t.Errorf("%s has no layer: give it one in docs/architecture.md and here", name)
			continue
		}
		for _, imp := range p.Imports {
			if driver, home := driverOf(imp); driver != "" && name != home {
				t.Errorf("%s imports the driver %s: only %s may", name, imp, home)
			}
			if !strings.HasPrefix(imp, module) {
				if name == "." && strings.Contains(strings.Split(imp, "/")[0], ".") {
					t.Errorf("the root package imports %s: standard library only", imp)
				}
				continue
			}
			other := relative(imp)
			switch {
			case slices.Contains(allowed[name], other):
			case isOutside(other) || strings.HasSuffix(other, "test"):
				t.Errorf("%s imports %s: test code must not be in the product", name, other)
			case layers[other] >= layer:
				t.Errorf("%s (layer %d) imports %s (layer %d)", name, layer, other, layers[other])
			case layer == 4 && layers[other] > maxServiceImport:
				t.Errorf("%s is a service and imports %s: services know contracts only", name, other)
			case layer == 5 && layers[other] > 1:
				t.Errorf("%s is an edge and imports %s: it reaches services through the root's interfaces", name, other)
			}
		}
	}
}

// Services and edges never name a database; the store contract has a feature
// for what differs.
func TestEveryLayerIsReal(t *testing.T) {
	have := map[string]bool{}
	for _, p := range packages(t) {
		have[relative(p.ImportPath)] = true
	}
	for name := range layers {
		if !have[name] {
			t.Errorf("%s has a layer but does not exist: no empty rooms", name)
		}
	}
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", module+"/...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var list []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

func relative(importPath string) string {
	if importPath == module {
		return "."
	}
	return strings.TrimPrefix(importPath, module+"/")
}

func isOutside(name string) bool {
	first, _, _ := strings.Cut(name, "/")
	return slices.Contains(outside, first)
}

func driverOf(imp string) (driver, home string) {
	for d, h := range drivers {
		if imp == d || strings.HasPrefix(imp, d+"/") {
			return d, h
		}
	}
	return "", path.Clean("")
}

// What is broken on purpose (internal/mutant) is not in the default build: there
// the package is constants that are false, and a Gap that does nothing.
func TestMutantsAreOff(t *testing.T) {
	cmd := exec.Command("go", "list", "-f", "{{join .GoFiles \" \"}}", "./internal/mutant")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil || strings.TrimSpace(string(out)) != "doc.go off.go" {
		t.Fatalf("internal/mutant is built of %q, %v; want doc.go and off.go", out, err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), "../internal/mutant/off.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	consts := 0
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if len(d.Body.List) > 0 {
				t.Errorf("%s does something", d.Name)
			}
		case *ast.GenDecl:
			if d.Tok != token.CONST {
				t.Errorf("a declaration that is no constant, and could be changed")
			}
			for _, s := range d.Specs {
				v, ok := s.(*ast.ValueSpec)
				if !ok || len(v.Values) != 1 {
					t.Errorf("a declaration without a value")
					continue
				}
				if id, ok := v.Values[0].(*ast.Ident); !ok || id.Name != "false" {
					t.Errorf("%s is not false", v.Names[0])
				}
				consts++
			}
		}
	}
	if consts == 0 {
		t.Error("no mutants at all: the test looks at the wrong file")
	}
}
