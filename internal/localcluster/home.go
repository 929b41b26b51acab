package localcluster

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// house is a directory of what this process starts.
type house struct {
	sync.Mutex
	dir   string
	nodes int
	pipe  io.Closer // the watchdog reads from its other end; never closed: the end of the process does
}

// onDisk is home; inMemory is that of servers that need not keep anything.
var onDisk, inMemory house

// newNode makes the directory of a node. Its name is not the beginning of any
// other's, so that a process is told by it.
func newNode(as *identity, volatile bool) (name, dir string, err error) {
	if volatile && roomy(memory) {
		return inMemory.newNode(as, memory)
	}
	return onDisk.newNode(as, os.TempDir())
}

// memory is a file system in memory. To make the thousand files of a cluster, and
// the three hundred of a database, takes a disk ten times as long.
const memory = "/dev/shm"

// maxSocketDir is what a path of a Unix socket (107 bytes) leaves to the house.
const maxSocketDir = 80

func (h *house) newNode(as *identity, where string) (name, dir string, err error) {
	if len(where) > maxSocketDir-len("/pando-cluster-1234567890") {
		where = "/tmp"
	}
	h.Lock()
	defer h.Unlock()
	if h.dir == "" {
		if err := h.build(where); err != nil {
			return "", "", fmt.Errorf("localcluster: make a home for servers: %w", err)
		}
	}
	h.nodes++
	short := fmt.Sprintf("n%03d", h.nodes)
	dir = filepath.Join(h.dir, short)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", "", fmt.Errorf("localcluster: %w", err)
	}
	return filepath.Base(h.dir) + "-" + short, dir, as.own(dir)
}

func (h *house) build(where string) error {
	dir, err := os.MkdirTemp(where, "pando-cluster-")
	if err != nil {
		return err
	}
	// Servers of another user walk through it, and list nothing.
	if err := os.Chmod(dir, 0o711); err != nil {
		return err
	}
	pipe, err := startWatchdog(dir)
	if err != nil {
		_ = os.RemoveAll(dir)
		return err
	}
	h.dir, h.pipe = dir, pipe
	return nil
}

// watchdog waits until nobody holds the other end of its input. The name comes
// by the environment: were it in the watchdog's own command line, it would find
// itself. A killed postmaster leaves a System V segment, which only its lock
// file names.
const watchdog = `
cat >/dev/null
for round in 1 2 3 4 5 6 7 8 9 10; do
	found=
	for f in $(printf '%s' "${HOME_DIR##*/}" | grep -laF -f - /proc/[0-9]*/cmdline 2>/dev/null); do
		p=${f#/proc/}; p=${p%/cmdline}
		read -r comm 2>/dev/null </proc/$p/comm || continue
		case " $PROGRAMS " in *" $comm "*) kill -9 "$p" 2>/dev/null && found=1;; esac
	done
	[ -z "$found" ] && break
done
find "$HOME_DIR" -name postmaster.pid 2>/dev/null | while read -r f; do
	id=$(sed -n '7s/.* //p' "$f")
	[ -n "$id" ] && ipcrm -m "$id" 2>/dev/null
done
rm -rf "$HOME_DIR"
`

func startWatchdog(dir string) (io.Closer, error) {
	cmd := exec.Command("/bin/sh", "-c", watchdog)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME_DIR=" + dir, "PROGRAMS=" + programList()}
	detach(cmd, nil)
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the watchdog: %w", err)
	}
	return pipe, nil
}
