// Package readme runs the first screen of the README, as somebody would who has
// just cloned the repository: the command that starts the server, the lines of
// curl, the lines of JavaScript. Only the address is another, since this machine
// may have a server of its own.
package readme

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/test/node"
	"github.com/pandobase/pando/test/target"
)

const address = "127.0.0.1:8090" // in the README

// block is the first block of code in a language.
func block(t *testing.T, text, language string) string {
	t.Helper()
	m := regexp.MustCompile("(?s)```" + language + "\n(.*?)```").FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("the README has no block of %s", language)
	}
	return m[1]
}

// serve runs `make run` with a data directory and an address of its own.
func serve(t *testing.T, root string, env []string, addr string) {
	t.Helper()
	cmd := exec.Command("make", "--no-print-directory", "run")
	cmd.Dir, cmd.Env = root, env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // make and the server, to be stopped together
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
			t.Error(err)
		}
		force := time.AfterFunc(20*time.Second, func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
		defer force.Stop()
		cmd.Wait()
	})
	deadline := time.AfterFunc(5*time.Minute, func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer deadline.Stop()
	var said bytes.Buffer
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		said.Write(append(lines.Bytes(), '\n'))
		if strings.Contains(lines.Text(), `"msg":"ready"`) && strings.Contains(lines.Text(), addr) {
			go func() { // it may say more
				for lines.Scan() {
				}
			}()
			return
		}
	}
	t.Fatalf("make run did not start a server:\n%s", said.String())
}

func TestFirstScreen(t *testing.T) {
	root, err := target.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	readme := string(text)
	for _, want := range []string{"make run ", "make test ", "http://" + address} {
		if !strings.Contains(readme, want) {
			t.Errorf("the README does not say %q", want)
		}
	}
	node.Install(t, ".")
	addr := localclustertest.Ports(t, 1)[0].Addr()
	env := append(os.Environ(), "PANDO_HTTP="+addr, "PANDO_ADMIN=off", "PANDO_DIR="+filepath.Join(t.TempDir(), "data"))
	serve(t, root, env, addr)

	script := block(t, readme, "sh")
	if n := strings.Count(script, "\n"); n > 10 {
		t.Errorf("the first record takes %d lines, more than ten", n)
	}
	out := run(t, root, env, "sh", "-e", "-c", strings.ReplaceAll(script, address, addr))
	for _, want := range []string{"Superuser me@example.com saved.", `"name":"posts"`, `"title":"Hello"`, `"totalItems":1`} {
		if !strings.Contains(out, want) {
			t.Errorf("the commands did not answer %s:\n%s", want, out)
		}
	}

	// In a file here, so that it finds what npm installed.
	file, err := os.CreateTemp(".", "readme-*.mjs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(file.Name()) })
	_, err = file.WriteString(strings.ReplaceAll(block(t, readme, "js"), address, addr))
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
	out = run(t, ".", env, "node", file.Name())
	if n := strings.Count(out, "title: 'Hello'"); n != 2 {
		t.Errorf("the JavaScript shows %d records, want the two that were made:\n%s", n, out)
	}
}

func run(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}
