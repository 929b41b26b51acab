package localcluster

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// initdb takes a second or more, a copy of what it made a tenth of that: it runs
// once for each version and set of arguments, into a cache of this user.

var templates sync.Mutex

// layOut fills data with a new database cluster that has a system identifier of its own.
func layOut(ctx context.Context, as *identity, bin, dir, data string, initArgs []string) error {
	template, err := templateDir(bin, dir, initArgs)
	if err != nil {
		return err
	}
	templates.Lock()
	if _, err = os.Stat(template); errors.Is(err, fs.ErrNotExist) {
		err = makeTemplate(ctx, as, bin, dir, template, initArgs)
	}
	templates.Unlock()
	if err != nil {
		return err
	}
	if err := copyTree(template, data); err != nil {
		return err
	}
	if err := newSystem(data); err != nil {
		return err
	}
	return as.own(data)
}

func templateDir(bin, nodeDir string, initArgs []string) (string, error) {
	version, err := exec.Command(filepath.Join(bin, "postgres"), "--version").Output()
	if err != nil {
		return "", fmt.Errorf("localcluster: ask %s for its version: %w", bin, err)
	}
	cache, err := os.UserCacheDir()
	if err != nil { // a user without a home: each process makes its own
		cache = filepath.Dir(nodeDir)
	}
	key := sha256.Sum256([]byte(bin + "\n" + string(version) + strings.Join(initArgs, "\n")))
	return filepath.Join(cache, "pando", "postgres-"+hex.EncodeToString(key[:8])), nil
}

// makeTemplate runs initdb in the node's directory, as the identity, and moves a
// copy to the cache by one rename: two processes may do it at the same time.
func makeTemplate(ctx context.Context, as *identity, bin, dir, template string, initArgs []string) error {
	first := filepath.Join(dir, "initdb")
	argv := append([]string{filepath.Join(bin, "initdb"), "-D", first, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"}, initArgs...)
	if err := run(ctx, as, dir, filepath.Join(dir, "log"), nil, argv...); err != nil {
		return err
	}
	defer os.RemoveAll(first)
	if err := os.MkdirAll(filepath.Dir(template), 0o700); err != nil {
		return fmt.Errorf("localcluster: %w", err)
	}
	part, err := os.MkdirTemp(filepath.Dir(template), "part-")
	if err != nil {
		return fmt.Errorf("localcluster: %w", err)
	}
	defer os.RemoveAll(part)
	if err := copyTree(first, filepath.Join(part, "data")); err != nil {
		return err
	}
	err = os.Rename(filepath.Join(part, "data"), template)
	if _, there := os.Stat(template); err != nil && there != nil {
		return fmt.Errorf("localcluster: keep what initdb made: %w", err)
	}
	return nil // or another was faster, and its is as good
}

func copyTree(from, to string) error {
	err := os.CopyFS(to, os.DirFS(from))
	if err == nil {
		// CopyFS adds rights for the group; PostgreSQL refuses such a directory.
		err = os.Chmod(to, 0o700)
	}
	if err != nil {
		return fmt.Errorf("localcluster: copy %s: %w", from, err)
	}
	return nil
}

// newSystem gives a copied cluster a system identifier of its own: two servers
// with the same one take each other for replicas. It stands in the control file,
// whose checksum follows the last field and is found by its value, and in the
// first page of each WAL segment, which has none.
func newSystem(data string) error {
	var id [8]byte
	_, _ = rand.Read(id[:]) // it never fails
	id[7] &= 0x7f           // shown as a bigint by some functions
	control := filepath.Join(data, "global", "pg_control")
	b, err := os.ReadFile(control)
	if err != nil {
		return fmt.Errorf("localcluster: %w", err)
	}
	table := crc32.MakeTable(crc32.Castagnoli)
	sum := 0
	for at := 64; at+4 <= min(len(b), 512) && sum == 0; at += 4 {
		if crc32.Checksum(b[:at], table) == binary.NativeEndian.Uint32(b[at:]) {
			sum = at
		}
	}
	if sum == 0 {
		return fmt.Errorf("localcluster: %s has no checksum where PostgreSQL 14 to 18 have it: this version is not known", control)
	}
	copy(b, id[:])
	binary.NativeEndian.PutUint32(b[sum:], crc32.Checksum(b[:sum], table))
	if err := os.WriteFile(control, b, 0o600); err != nil {
		return fmt.Errorf("localcluster: %w", err)
	}
	segments, err := filepath.Glob(filepath.Join(data, "pg_wal", "????????????????????????"))
	if err != nil || len(segments) == 0 {
		return fmt.Errorf("localcluster: no WAL in %s", data)
	}
	for _, name := range segments {
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return fmt.Errorf("localcluster: %w", err)
		}
		_, err = f.WriteAt(id[:], 24) // xlp_sysid of XLogLongPageHeaderData
		if err := errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("localcluster: %w", err)
		}
	}
	return nil
}
