// Package peer builds the server that Pando is compared with: an unchanged
// PocketBase, from the small module in bench/peers/pocketbase.
//
// The peer is a black box. Tests start it as a process (see package target),
// send it the requests that Pando gets, and compare what comes back.
package peer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// source is where the peer's module is, seen from the repository's root.
const source = "bench/peers/pocketbase"

// Build returns the path of the peer's binary, building it when there is none
// for this source and this Go version yet. root is the repository's root.
//
// The binary is kept in the user's cache directory, because linking it takes
// longer than most tests that use it. Build is safe to call from several
// processes at once: the binary appears whole or not at all.
func Build(ctx context.Context, root string) (string, error) {
	dir := filepath.Join(root, source)
	key, err := fingerprint(dir)
	if err != nil {
		return "", fmt.Errorf("peer: read %s: %w", source, err)
	}
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	bin := filepath.Join(cache, "pocketbase-"+key)
	if _, err := os.Stat(bin); err == nil {
		return bin, nil
	}

	tmp, err := os.MkdirTemp(cache, "build-*")
	if err != nil {
		return "", fmt.Errorf("peer: %w", err)
	}
	defer os.RemoveAll(tmp)
	fresh := filepath.Join(tmp, "pocketbase")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", fresh, ".")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("peer: go build in %s: %w\n%s", source, err, out)
	}
	if err := os.Rename(fresh, bin); err != nil {
		return "", fmt.Errorf("peer: keep the built binary: %w", err)
	}
	return bin, nil
}

// fingerprint names a build: it changes with the peer's version, its main and
// the Go release, and with nothing else.
func fingerprint(dir string) (string, error) {
	h := sha256.New()
	io.WriteString(h, runtime.Version()+runtime.GOOS+runtime.GOARCH)
	for _, name := range []string{"go.mod", "go.sum", "main.go"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return "", err
		}
		h.Write(text)
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}

func cacheDir() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("peer: no cache directory for the built binary: %w", err)
	}
	dir := filepath.Join(base, "pando", "peer")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("peer: %w", err)
	}
	return dir, nil
}
