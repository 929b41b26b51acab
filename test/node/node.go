// Package node gives tests what they need of Node: npm packages exactly as a
// lock file has them, and Debian's Chromium for a real browser. What is missing
// on the machine fails the test with a word on how to get it.
package node

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Install puts the packages of dir/package-lock.json into dir/node_modules,
// unless they are there already. Lock files name no registry, since these
// differ between the machines that install from them.
func Install(tb testing.TB, dir string) {
	tb.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		tb.Fatalf("this test needs Node and npm: run test/install.sh (%v)", err)
	}
	lock, err := os.ReadFile(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		tb.Fatal(err)
	}
	for i, line := range strings.Split(string(lock), "\n") {
		if strings.Contains(line, `"resolved"`) {
			tb.Errorf("%s/package-lock.json:%d names a registry: %s", dir, i+1, strings.TrimSpace(line))
		}
	}
	sum := sha256.Sum256(lock)
	want := hex.EncodeToString(sum[:])
	stamp := filepath.Join(dir, "node_modules", ".installed")
	if have, err := os.ReadFile(stamp); err == nil && string(have) == want {
		return
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("npm ci in %s: %v\n%s", dir, err, out)
	}
	if err := os.WriteFile(stamp, []byte(want), 0o644); err != nil {
		tb.Fatal(err)
	}
}

// NeedBrowser fails the test if there is no Chromium. CHROMIUM names another
// one than Debian's.
func NeedBrowser(tb testing.TB) {
	tb.Helper()
	path := os.Getenv("CHROMIUM")
	if path == "" {
		path = "/usr/bin/chromium"
	}
	if _, err := os.Stat(path); err != nil {
		tb.Fatalf("this test needs Chromium: run test/install.sh, or set CHROMIUM to its path (%v)", err)
	}
}
