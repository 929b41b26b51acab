// Package built builds the programs that tests use and that are no part of Pando,
// each from a module of its own, once.
package built

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// Program returns the path of a program, building it when there is none for this
// source and this Go version yet: the package pkg as seen from the module in dir.
//
// The binary is kept in the user's cache directory, because linking it takes
// longer than most tests that use it. Program is safe to call from several
// processes at once: the binary appears whole or not at all. Its base name is
// name.
func Program(ctx context.Context, dir, pkg, name string) (string, error) {
	key, err := fingerprint(dir)
	if err != nil {
		return "", fmt.Errorf("built: read %s: %w", dir, err)
	}
	cache, err := cacheDir(name + "-" + key)
	if err != nil {
		return "", err
	}
	bin := filepath.Join(cache, name)
	if _, err := os.Stat(bin); err == nil {
		return bin, nil
	}
	tmp, err := os.MkdirTemp(cache, "build-*")
	if err != nil {
		return "", fmt.Errorf("built: %w", err)
	}
	defer os.RemoveAll(tmp)
	fresh := filepath.Join(tmp, name)
	cmd := exec.CommandContext(ctx, "go", "build", "-o", fresh, pkg)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("built: go build %s in %s: %w\n%s", pkg, dir, err, out)
	}
	if err := os.Rename(fresh, bin); err != nil {
		return "", fmt.Errorf("built: keep the built binary: %w", err)
	}
	return bin, nil
}

// fingerprint names a build: it changes with the versions of everything, the main
// package if it is the module's own, and the Go release, and with nothing else.
func fingerprint(dir string) (string, error) {
	h := sha256.New()
	io.WriteString(h, runtime.Version()+runtime.GOOS+runtime.GOARCH)
	for _, name := range []string{"go.mod", "go.sum", "main.go"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !(name == "main.go" && errors.Is(err, fs.ErrNotExist)) {
			return "", err
		}
		h.Write(text)
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}

func cacheDir(name string) (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("built: no cache directory for the binary: %w", err)
	}
	dir := filepath.Join(base, "pando", name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("built: %w", err)
	}
	return dir, nil
}
