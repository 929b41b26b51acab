package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// source is one Go file of the repository.
type source struct {
	path string // from the root, with slashes
	file *ast.File
	at   *token.FileSet
}

func (s source) dir() string { return path.Dir(s.path) }
func (s source) test() bool  { return strings.HasSuffix(s.path, "_test.go") }
func (s source) where(n ast.Node) string {
	return s.path + ":" + strconv.Itoa(s.at.Position(n.Pos()).Line)
}
func (s source) product() bool {
	return !s.test() && !isOutside(s.dir()) && !strings.HasSuffix(s.dir(), "test")
}
func (s source) in(dirs ...string) bool {
	for _, d := range dirs {
		if s.dir() == d {
			return true
		}
	}
	return false
}

// sources parses every file, of whatever platform and build tags.
func sources(t *testing.T) []source {
	t.Helper()
	var list []source
	err := fs.WalkDir(os.DirFS(".."), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git" || d.Name() == "testdata"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}
		at := token.NewFileSet()
		file, err := parser.ParseFile(at, filepath.Join("..", name), nil, parser.SkipObjectResolution)
		list = append(list, source{name, file, at})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 100 {
		t.Fatalf("%d files: the test looks at the wrong place", len(list))
	}
	return list
}

// sqlText is how a statement begins. Indexes are not in it: their texts are
// part of a collection's definition.
var sqlText = regexp.MustCompile(`(?s)^\s*(SELECT\s|(?i:SELECT\s.*\sFROM\s|WITH\s.*\sAS\s*\(\s*SELECT\s|(INSERT|REPLACE)\s+(OR\s+\w+\s+)?INTO\s|UPDATE\s+\S+\s+SET\s|DELETE\s+FROM\s|CREATE\s+(TEMP\s+)?(TABLE|VIEW|TRIGGER)\s|ALTER\s+TABLE\s|DROP\s+(TABLE|INDEX|VIEW)\s|PRAGMA\s|ATTACH\s|VACUUM\b|SAVEPOINT\s))`)

// TestSQL: SQL text is written in two packages only. What internal/localcluster
// tells the servers it starts is about servers, and about no data of ours.
func TestSQL(t *testing.T) {
	found := 0
	for _, s := range sources(t) {
		if !s.product() {
			continue
		}
		if s.in("internal/localcluster") {
			continue
		}
		home := s.in("internal/store/sqlgen", "internal/store/sqlite", "internal/store/postgres")
		ast.Inspect(s.file, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(lit.Value)
			switch {
			case err != nil || !sqlText.MatchString(text):
			case home:
				found++
			default:
				t.Errorf("%s: SQL text %q; it belongs to internal/store/sqlgen, sqlite or postgres", s.where(lit), text)
			}
			return true
		})
	}
	if found == 0 {
		t.Error("no SQL at all: the test looks for the wrong texts")
	}
}

// maxMethods is what an interface of a contract may declare.
const maxMethods = 12

// TestContractsAreSmall: what has more methods is two contracts. Those of an
// embedded interface are counted there.
func TestContractsAreSmall(t *testing.T) {
	found := 0
	for _, s := range sources(t) {
		layer, ok := layers[s.dir()]
		if !ok || layer != 0 && layer != 2 || s.test() {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			contract, ok := spec.Type.(*ast.InterfaceType)
			if !ok {
				return true
			}
			methods := 0
			for _, m := range contract.Methods.List {
				methods += len(m.Names)
			}
			if methods > maxMethods {
				t.Errorf("%s: %s has %d methods, more than %d: make it two", s.where(spec), spec.Name, methods, maxMethods)
			}
			found++
			return true
		})
	}
	if found == 0 {
		t.Error("no contracts at all: the test looks at the wrong packages")
	}
}

// TestNoInit: what a server is made of is chosen in server/wire.go, and not by
// which packages are imported.
func TestNoInit(t *testing.T) {
	for _, s := range sources(t) {
		if !s.product() {
			continue
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s: func init: wire it explicitly", s.where(f))
			}
		}
	}
}

// sleeps are the files that may, and for what.
var sleeps = map[string]string{
	"bench/internal/server/limit.go":    "the kernel, which tells nobody when it lets go of a group",
	"internal/topology/world_test.go":   "a bubble's time: all of its tests run inside synctest.Test",
	"internal/cluster/chaos_test.go":    "a bubble's time: what befalls members, called inside synctest.Test",
	"internal/cluster/check_test.go":    "a bubble's time: the checker's millisecond",
	"internal/web/gate_test.go":         "a bubble's time: a slow store, and the pace of arrivals",
	"internal/cluster/loopback_test.go": "a benchmark's pace",
	"internal/cluster/database_test.go": "a bubble's time: a database that exists in it",
}

// TestNoSleep: a test waits for what it waits for. A sleep is allowed where
// time is the test's own (testing/synctest), and between two looks of a loop
// that polls (for …; !done; time.Sleep(…)).
func TestNoSleep(t *testing.T) {
	for _, s := range sources(t) {
		if s.product() || sleeps[s.path] != "" || sleeps[path.Dir(s.path)] != "" {
			continue
		}
		var look func(n ast.Node) bool
		look = func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ForStmt:
				if n.Cond != nil && n.Post != nil {
					ast.Inspect(n.Body, look)
					return false
				}
			case *ast.CallExpr:
				switch selector(n.Fun) {
				case "synctest.Test", "scene", "feed": // the last two, of internal/cluster, call the first
					return false
				case "time.Sleep":
					t.Errorf("%s: time.Sleep: wait for a signal, or poll until a deadline", s.where(n))
				}
			}
			return true
		}
		ast.Inspect(s.file, look)
	}
}

// selector is a name as it is written, qualified or not; "" for anything else.
func selector(e ast.Expr) string {
	if x, ok := e.(*ast.Ident); ok {
		return x.Name
	}
	s, ok := e.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	x, ok := s.X.(*ast.Ident)
	if !ok {
		return ""
	}
	return x.Name + "." + s.Sel.Name
}
