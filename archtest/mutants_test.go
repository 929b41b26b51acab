package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"strings"
	"testing"
)

// TestMutantsAreOff: what is broken on purpose (internal/mutant) is not in the
// default build: there the package is constants that are false, and a Gap that does nothing.
// Nor is a neighbouring version (internal/neighbour).
func TestMutantsAreOff(t *testing.T) {
	for _, name := range []string{"mutant", "neighbour"} {
		cmd := exec.Command("go", "list", "-f", "{{join .GoFiles \" \"}}", "./internal/"+name)
		cmd.Dir = ".."
		out, err := cmd.Output()
		if err != nil || strings.TrimSpace(string(out)) != "doc.go off.go" {
			t.Fatalf("internal/%s is built of %q, %v; want doc.go and off.go", name, out, err)
		}
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
