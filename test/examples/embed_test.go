package examples

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pandobase/pando/test/target"
)

// embedded is the program of examples/embed.
type embedded struct{ binary, data string }

// embed builds examples/embed in a directory of its own, as a user's program
// outside this repository.
func embed(t *testing.T) *embedded {
	t.Helper()
	root, err := target.Root()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "program")
	if err := os.CopyFS(program, os.DirFS(filepath.Join(root, "examples/embed"))); err != nil {
		t.Fatal(err)
	}
	run(t, program, "go", "mod", "edit", "-replace", "github.com/pandobase/pando="+root)
	run(t, program, "go", "build", "-mod=readonly", "-o", "guestbook", ".")
	if imports := run(t, program, "go", "list", "-f", `{{join .Imports "\n"}}`, "."); strings.Contains(imports, "/internal/") {
		t.Errorf("the example imports %s", imports)
	}
	return &embedded{filepath.Join(program, "guestbook"), filepath.Join(dir, "data")}
}

// start runs the program; stop ends it, which must go well.
func (e *embedded) start(t *testing.T) (s *site, stop func()) {
	t.Helper()
	cmd := exec.Command(e.binary, "-dir", e.data, "-http", "127.0.0.1:0")
	cmd.Env = append(os.Environ(), "GUESTBOOK_EMAIL="+target.Email, "GUESTBOOK_PASSWORD="+target.Password)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		force := time.AfterFunc(20*time.Second, func() { cmd.Process.Kill() })
		defer force.Stop()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the program ended with %v\n%s", err, stderr.String())
		}
	})
	t.Cleanup(stop)
	line, err := bufio.NewReader(stdout).ReadString('\n')
	url, ready := strings.CutPrefix(strings.TrimSpace(line), "ready: ")
	if err != nil || !ready {
		t.Fatalf("the program printed %q (%v)", line, err)
	}
	return &site{target.At("guestbook", url, target.Email, target.Password), t.Context()}, stop
}

func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		hint := ""
		if strings.Contains(string(out), "go mod tidy") {
			hint = "\nThe repository needs other modules now: run `go mod tidy` in examples/embed."
		}
		t.Fatalf("%s %v: %v\n%s%s", name, args, err, out, hint)
	}
	return string(out)
}

// want sends a request and looks at the status and at parts of the answer.
func (s *site) want(t *testing.T, method, path, token string, body any, status int, parts ...string) map[string]any {
	t.Helper()
	got, text := s.send(t, method, path, token, body)
	if got != status {
		t.Errorf("%s %s: %d %s, want %d", method, path, got, text, status)
	}
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%s %s: %s does not have %s", method, path, text, p)
		}
	}
	var out map[string]any
	if text != "" {
		if err := json.Unmarshal([]byte(text), &out); err != nil {
			t.Errorf("%s %s: %v in %s", method, path, err, text)
		}
	}
	return out
}

func TestEmbed(t *testing.T) {
	program := embed(t)
	s, stop := program.start(t)
	root := s.superuser(t)
	const users, entries, summary = "/api/collections/users/records", "/api/collections/entries/records", "/api/guestbook/summary"
	id := map[string]string{}
	for _, name := range []string{"ada", "bob", "mallory"} {
		user := map[string]any{"email": name + "@example.com", "password": "long-enough", "passwordConfirm": "long-enough", "name": name}
		if name == "mallory" {
			user["name"] = ""
		}
		id[name] = s.want(t, "POST", users, root, user, 200)["id"].(string)
	}

	// The hook of logins refuses and adds.
	const login = "/api/collections/users/auth-with-password"
	credentials := func(name string) map[string]string {
		return map[string]string{"identity": name + "@example.com", "password": "long-enough"}
	}
	s.want(t, "POST", login, "", credentials("mallory"), 403, "Somebody has to give you a name first.")
	ada := s.want(t, "POST", login, "", credentials("ada"), 200, `"meta":{"greeting":"Hello, ada!","method":"password"}`)["token"].(string)
	bob := s.want(t, "POST", login, "", credentials("bob"), 200)["token"].(string)
	s.want(t, "POST", "/api/collections/users/auth-refresh", ada, nil, 200, `"method":"refresh"`)

	// An error of the own route has the API's form.
	s.want(t, "GET", summary, "", nil, 404, `{"data":{},"message":"Nobody has signed yet.","status":404}`)

	// The hook of creations changes what is stored, and refuses with a field.
	s.want(t, "POST", entries, "", map[string]any{"message": "guest"}, 400)
	first := s.want(t, "POST", entries, ada, map[string]any{"message": "  hello \n  there ", "author": id["bob"]}, 200,
		`"message":"hello there"`, `"author":"`+id["ada"]+`"`)["id"].(string)
	s.want(t, "POST", entries, ada, map[string]any{"message": "buy at https://evil.example"}, 400,
		`"message":"This entry cannot be taken."`, `"code":"guestbook_link"`, "Links are not allowed.")
	s.want(t, "POST", entries, ada, map[string]any{"message": ""}, 400, "validation_required")
	hidden := s.want(t, "POST", entries, bob, map[string]any{"message": "secret", "hidden": true}, 200)["id"].(string)

	// The hook of updates sees the record as it was.
	s.want(t, "PATCH", entries+"/"+first, ada, map[string]any{"message": "hello again"}, 200, `"edits":1`)
	s.want(t, "PATCH", entries+"/"+first, ada, map[string]any{"hidden": false}, 200, `"edits":1`)
	s.want(t, "PATCH", entries+"/"+first, ada, map[string]any{"message": "hello at last"}, 200, `"edits":2`)
	s.want(t, "PATCH", entries+"/"+first, bob, map[string]any{"message": "hacked"}, 404)

	// The own route reads with the caller's rights.
	s.want(t, "GET", summary, "", nil, 200, `{"entries":1,"newest":{"edits":2,"message":"hello at last"}}`)
	s.want(t, "GET", summary, ada, nil, 200, `"entries":1`)
	s.want(t, "GET", summary, bob, nil, 200, `{"entries":2,"newest":{"edits":0,"message":"secret"}}`)
	s.want(t, "GET", summary, root, nil, 200, `"entries":2`)

	// The hook of deletions writes what nobody may see but superusers, and only
	// when something was deleted.
	const removals = "/api/collections/removals/records"
	s.want(t, "DELETE", entries+"/"+hidden, ada, nil, 404)
	s.want(t, "GET", removals, root, nil, 200, `"totalItems":0`)
	s.want(t, "DELETE", entries+"/"+hidden, bob, nil, 204)
	s.want(t, "GET", removals, root, nil, 200, `"totalItems":1`, `"entry":"`+hidden+`"`, `"by":"`+id["bob"]+`"`, `"message":"secret"`)
	s.want(t, "GET", removals, bob, nil, 403)
	s.want(t, "GET", summary, bob, nil, 200, `"entries":1`)

	// The second time, the schema is there already, with what is in it.
	stop()
	s, _ = program.start(t)
	s.want(t, "GET", summary, "", nil, 200, `{"entries":1,"newest":{"edits":2,"message":"hello at last"}}`)
	s.want(t, "GET", summary, ada, nil, 200, `"entries":1`)
}

// TestServerNames: every exported name of pando/server is used in an example, so
// that whoever looks for it finds how.
func TestServerNames(t *testing.T) {
	root, err := target.Root()
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, file := range goFiles(t, filepath.Join(root, "examples/embed"), filepath.Join(root, "server/example_test.go")) {
		ast.Inspect(file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				used[sel.Sel.Name] = true
			}
			return true
		})
	}
	names := 0
	for _, file := range goFiles(t, filepath.Join(root, "server")) {
		for _, name := range exported(file) {
			names++
			if !used[name] {
				t.Errorf("server.%s has neither an example nor a caller in examples/", name)
			}
		}
	}
	if names < 40 {
		t.Errorf("only %d exported names found", names)
	}
}

// goFiles parses the files given, and those in the directories given that are
// not tests.
func goFiles(t *testing.T, paths ...string) []*ast.File {
	t.Helper()
	var out []*ast.File
	for _, path := range paths {
		names := []string{path}
		if !strings.HasSuffix(path, ".go") {
			var err error
			if names, err = filepath.Glob(filepath.Join(path, "*.go")); err != nil {
				t.Fatal(err)
			}
			names = slices.DeleteFunc(names, func(name string) bool { return strings.HasSuffix(name, "_test.go") })
		}
		for _, name := range names {
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, file)
		}
	}
	return out
}

// exported are the exported names of a file: functions, methods of exported
// types, types, constants and variables.
func exported(file *ast.File) []string {
	var out []string
	add := func(id *ast.Ident) {
		if id.IsExported() {
			out = append(out, id.Name)
		}
	}
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil || ast.IsExported(receiver(d.Recv.List[0].Type)) {
				add(d.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					add(s.Name)
				case *ast.ValueSpec:
					for _, id := range s.Names {
						add(id)
					}
				}
			}
		}
	}
	return out
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}
