package localcluster_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pandobase/pando/internal/localcluster"
)

// TestMain is this test binary's second life: a process that starts servers,
// says where, and waits to be killed.
func TestMain(m *testing.M) {
	if os.Getenv("LOCALCLUSTER_VICTIM") == "" {
		os.Exit(m.Run())
	}
	if err := victim(); err != nil {
		println(err.Error())
		os.Exit(1)
	}
}

func victim() error {
	c, err := localcluster.StartReplicated(context.Background(), 1, localcluster.ReplicatedOptions{})
	if err != nil {
		return err
	}
	if err := c.Node(1).Freeze(); err != nil {
		return err
	}
	println(filepath.Dir(filepath.Dir(c.Primary().DataDir())))
	_, err = bufio.NewReader(os.Stdin).ReadString('\n') // of which there is none
	return err
}

// TestNothingIsLeft: a process that is killed takes its servers with it, the
// frozen ones too, and their directories, and their segments of shared memory.
func TestNothingIsLeft(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "LOCALCLUSTER_VICTIM=1")
	in, err := cmd.StdinPipe()
	must(t, err)
	defer in.Close()
	says, err := cmd.StderrPipe()
	must(t, err)
	must(t, cmd.Start())
	home, err := bufio.NewReader(says).ReadString('\n')
	home = strings.TrimSpace(home)
	if err == nil && !filepath.IsAbs(home) {
		t.Errorf("the victim says %q", home)
	}
	ids := segments(t, home)
	before := running(t, filepath.Base(home))
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	if before < 8 || len(ids) != 2 {
		t.Errorf("%d processes and the segments %v before the kill: want those of two servers", before, ids)
	}
	soon(t, "all processes are gone", func() bool { return running(t, filepath.Base(home)) == 0 })
	soon(t, "the directory is gone", func() bool { _, err := os.Stat(home); return os.IsNotExist(err) })
	shm, err := os.ReadFile("/proc/sysvipc/shm")
	must(t, err)
	for line := range strings.Lines(string(shm)) {
		for _, id := range ids {
			if f := strings.Fields(line); len(f) > 1 && f[1] == id {
				t.Errorf("segment %s is left", id)
			}
		}
	}
}

// running counts processes that name the home.
func running(t *testing.T, home string) (n int) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	must(t, err)
	for _, f := range files {
		if line, err := os.ReadFile(f); err == nil && strings.Contains(string(line), home) {
			n++
		}
	}
	return n
}

// segments are the ids of System V segments that the servers' lock files name.
func segments(t *testing.T, home string) (ids []string) {
	t.Helper()
	files, err := filepath.Glob(home + "/*/data/postmaster.pid")
	must(t, err)
	for _, f := range files {
		text, err := os.ReadFile(f)
		must(t, err)
		if lines := strings.Split(string(text), "\n"); len(lines) > 6 {
			if f := strings.Fields(lines[6]); len(f) == 2 {
				ids = append(ids, f[1])
			}
		}
	}
	return ids
}
