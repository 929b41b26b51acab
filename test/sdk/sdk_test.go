// Package sdk runs the PocketBase JavaScript SDK, as it is published, against
// a server: what an app does from signing up to subscribing. One script
// (suite.mjs) runs in Node and, from another origin, in a real browser, against
// the peer and against Pando.
package sdk

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando/test/target"
)

// least is how many steps the suite must have taken: a script that ends early
// without a word must not pass.
const least = 28

func TestSDKNode(t *testing.T)    { run(t, "node.mjs") }
func TestSDKBrowser(t *testing.T) { needBrowser(t); run(t, "browser.mjs") }

func run(t *testing.T, script string) {
	install(t)
	for _, server := range []struct {
		name  string
		start func(testing.TB) *target.Server
	}{{"peer", target.Peer}, {"pando", target.Pando}} {
		t.Run(server.name, func(t *testing.T) { suite(t, script, server.start(t)) })
	}
}

// step is what the suite says of one of its steps.
type step struct {
	Name  string `json:"name"`
	OK    bool   `json:"ok"`
	Error string `json:"error"`
}

func suite(t *testing.T, script string, s *target.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", script, s.URL, s.Email, s.Password)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = 5 * time.Second
	runErr := cmd.Run()

	taken := 0
	lines := bufio.NewScanner(&stdout)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var s step
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Errorf("%s printed what is not a step: %s", script, lines.Text())
			continue
		}
		taken++
		t.Run(s.Name, func(t *testing.T) {
			if !s.OK {
				t.Error(s.Error)
			}
		})
	}
	if err := errors.Join(runErr, lines.Err()); err != nil {
		t.Errorf("%s: %v\n%s", script, err, stderr.String())
	}
	if taken < least {
		t.Errorf("%s took only %d steps, want at least %d\n%s", script, taken, least, stderr.String())
	}
}

// install puts the SDK into node_modules, exactly as package-lock.json has it,
// unless it is there already.
func install(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		t.Fatalf("the SDK tests need Node and npm: run test/install.sh (%v)", err)
	}
	lock, err := os.ReadFile("package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(lock)
	want := hex.EncodeToString(sum[:])
	stamp := filepath.Join("node_modules", ".installed")
	if have, err := os.ReadFile(stamp); err == nil && string(have) == want {
		return
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund").CombinedOutput()
	if err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	if err := os.WriteFile(stamp, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

func needBrowser(t *testing.T) {
	t.Helper()
	path := os.Getenv("CHROMIUM")
	if path == "" {
		path = "/usr/bin/chromium"
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("the browser test needs Chromium: run test/install.sh, or set CHROMIUM to its path (%v)", err)
	}
}

// TestLockFileNamesNoHost keeps the lock file free of registries, which differ
// between the machines that install from it.
func TestLockFileNamesNoHost(t *testing.T) {
	lock, err := os.ReadFile("package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(lock), "\n") {
		if strings.Contains(line, `"resolved"`) {
			t.Errorf("package-lock.json:%d names a registry: %s", i+1, strings.TrimSpace(line))
		}
	}
}
