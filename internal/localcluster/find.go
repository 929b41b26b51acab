package localcluster

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// programs are the names, as the kernel knows them, of what a home may run, and
// what is killed with it. A pager or an editor that shows a file of it is none.
var programs = []string{
	"postgres", "initdb", "pg_basebackup", "pg_rewind", "pg_ctl",
	"patroni", "python3", "etcd", "pgbouncer", "redis-server", "versitygw",
}

func programList() string { return strings.Join(programs, " ") }

// oldestPostgres is the first version that Pando works with.
const oldestPostgres = 14

// postgresBin is the directory of the newest PostgreSQL's programs.
func postgresBin() (string, error) {
	// Debian's packages keep each version apart, and none of its servers in the PATH.
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.SortFunc(dirs, func(a, b string) int { return cmp.Compare(versionOf(b), versionOf(a)) })
	for _, dir := range dirs {
		if versionOf(dir) >= oldestPostgres && executable(filepath.Join(dir, "postgres")) {
			return dir, nil
		}
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	return "", fmt.Errorf("localcluster: no PostgreSQL %d or newer in /usr/lib/postgresql or PATH: apt-get install postgresql", oldestPostgres)
}

func versionOf(dir string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
	return n
}

// find looks where an ordinary user's PATH does not.
func find(program, debian string) (string, error) {
	if path, err := exec.LookPath(program); err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin", "/sbin"} {
		if path := filepath.Join(dir, program); executable(path) {
			return path, nil
		}
	}
	return "", fmt.Errorf("localcluster: no %s in PATH: apt-get install %s", program, debian)
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
