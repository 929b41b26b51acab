package server

import (
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// Kind names a kind of server.
type Kind string

// The kinds of server.
const (
	Pando      Kind = "pando"
	PocketBase Kind = "pocketbase"
	Bare       Kind = "bare"
	PGX        Kind = "pgx"
)

// Superuser of every data directory that the benchmarks make.
const (
	Email    = "bench@example.com"
	Password = "bench-superuser-1"
)

// Binary is a server's program.
type Binary struct {
	Kind    Kind
	Path    string
	Version string // for people; "unknown" if the program does not say
	Hash    string // first 12 hex digits of the SHA-256 of the program
}

// Inspect describes the program at path. The error says how to get the
// program when it is not there.
func Inspect(kind Kind, path string) (Binary, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return Binary{}, err
	}
	f, err := os.Open(abs)
	if os.IsNotExist(err) {
		return Binary{}, fmt.Errorf("no %s program at %s: build it first (make build), or name it with -%s", kind, path, kind)
	}
	if err != nil {
		return Binary{}, fmt.Errorf("%s program: %w", kind, err)
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return Binary{}, fmt.Errorf("%s program: %w", kind, err)
	}
	return Binary{
		Kind: kind, Path: abs, Version: version(kind, abs),
		Hash: hex.EncodeToString(sum.Sum(nil))[:12],
	}, nil
}

// version reads the version from what the Go linker left in the program.
func version(kind Kind, path string) string {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	module := map[Kind]string{PocketBase: "github.com/pocketbase/pocketbase", PGX: "github.com/jackc/pgx/v5"}[kind]
	for _, dep := range info.Deps {
		if dep.Path == module {
			return dep.Version
		}
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	if v := info.Main.Version; v != "" {
		return v
	}
	return "unknown"
}

// BuildPeer builds a peer from its module in dir and writes the program to path.
func BuildPeer(ctx context.Context, dir, path string) error {
	abs, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-C", dir, "-o", abs, ".")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the peer in %s: %w\n%s", dir, err, out)
	}
	return nil
}
