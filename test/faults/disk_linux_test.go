package faults

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pandobase/pando/test/target"
)

// mounted is the environment variable of a test that runs in a mount name space
// of its own.
const mounted = "PANDO_FAULTS_MOUNTED"

// inNamespace runs the test that calls it once more, in a process that may mount
// file systems which nobody else sees. It returns true in that process.
func inNamespace(t *testing.T) bool {
	if os.Getenv(mounted) != "" {
		if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
			t.Fatalf("make mounts private: %v", err)
		}
		return true
	}
	child := func(flags uintptr) ([]byte, error) {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=5m")
		cmd.Env = append(os.Environ(), mounted+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, Pdeathsig: syscall.SIGKILL}
		if flags&syscall.CLONE_NEWUSER != 0 {
			cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
			cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
		}
		return cmd.CombinedOutput()
	}
	out, err := child(syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS)
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) { // no user name spaces here
		out, err = child(syscall.CLONE_NEWNS)
	}
	if err != nil {
		t.Errorf("%v (it needs the right to mount: user name spaces, or root)", err)
	}
	t.Logf("%s", out)
	return false
}

// smallDisk mounts a file system of some megabytes.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatalf("mount tmpfs: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// fillUp writes ballast until a disk takes no more.
func fillUp(t *testing.T, disk string) (ballast string) {
	t.Helper()
	ballast = filepath.Join(disk, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 4096); ; {
		if _, err := f.Write(block); err != nil {
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatal(err)
			}
			return ballast
		}
	}
}

func TestFullDisk(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	disk := smallDisk(t, "44m")
	// The uploads may leave next to nothing for the ballast: this is the room
	// that is there again later.
	reserve := filepath.Join(disk, "reserve")
	if err := os.WriteFile(reserve, make([]byte, 4<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newShelf(t, startIn(t, filepath.Join(disk, "data"), nil))
	for i := range 10 {
		if got, err := s.upload(i, 100_000); err != nil || got.status != 200 {
			t.Fatalf("%v %d %s", err, got.status, got.body)
		}
	}
	s.sound(t, "before")

	// Uploads fill it up.
	var wg sync.WaitGroup
	refused := make([]int, 6)
	for w := range refused {
		wg.Go(func() {
			for i := 0; refused[w] < 3 && i < 1000; i++ {
				got, err := s.upload(1000*w+i, 200_000+1000*i)
				if err != nil {
					t.Errorf("upload: %v", err)
					return
				}
				if got.status != 200 {
					isError(t, got, 503)
					refused[w]++
				}
			}
			if refused[w] == 0 {
				t.Error("the disk did not get full")
			}
		})
	}
	wg.Wait()
	s.sound(t, "after uploads")

	// To the last byte, so that nothing at all can be written.
	ballast := fillUp(t, disk)
	notes := 0
	for i := 0; notes < 5 && i < 20_000; i++ {
		got, err := s.note(strings.Repeat("n", 3_000))
		if err != nil {
			t.Fatal(err)
		}
		if got.status != 200 {
			isError(t, got, 503)
			if !strings.Contains(string(got.body), "full") {
				t.Errorf("it does not say that the disk is full: %s", got.body)
			}
			notes++
		}
	}
	if notes == 0 {
		t.Error("notes went on and on")
	}
	for range 3 {
		if got, err := s.upload(0, 100_000); err != nil {
			t.Error(err)
		} else {
			isError(t, got, 503)
		}
		// What is small may find room within the log, which is not cut off.
		for _, got := range []answer{
			s.post(t, "/api/collections/users/records", "", map[string]any{"email": "a@b.co", "password": "12345678", "passwordConfirm": "12345678"}),
			s.json(t, "PATCH", "/api/settings", s.token, map[string]any{"meta": map[string]any{"appName": "x"}}),
			s.post(t, "/api/collections", s.token, map[string]any{"name": "more", "type": "base"}),
		} {
			if got.status != 200 {
				isError(t, got, 503, 400) // 400: made by the time before
			}
		}
	}
	s.sound(t, "full to the last byte")
	if code, out := command(t, "superuser", "upsert", "b@b.co", "12345678", "--dir", s.Dir); code != 0 && (code != 1 || !strings.Contains(out, "full")) {
		t.Errorf("superuser on a full disk: %d %s", code, out)
	}

	// Deleting frees space, with no byte to spare to begin with.
	deleted := 0
	for id := range s.files {
		got := s.send(t, "DELETE", records("shelf")+"/"+id, "", "", nil)
		if got.status == 204 {
			delete(s.files, id)
			deleted++
		} else {
			isError(t, got, 503)
		}
		if deleted == 3 {
			break
		}
	}
	t.Logf("%d of the records could be deleted", deleted)
	s.sound(t, "after deletes")

	// A server that starts on a full disk says so, or serves.
	s.Stop()
	s.checkFile(t)
	code, out := serveBriefly(t, s.Dir)
	t.Logf("started on the full disk: exit code %d\n%s", code, tail(out))
	if code != 0 && !strings.Contains(out, "full") && !strings.Contains(out, "no space") {
		t.Errorf("exit code %d and not a word of the full disk: %s", code, out)
	}

	// With room, all goes on.
	for _, file := range []string{ballast, reserve} {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	s.api = startIn(t, s.Dir, nil)
	s.sound(t, "after a new start")
	for i := range 3 {
		if got, err := s.upload(5000+i, 50_000); err != nil || got.status != 200 {
			t.Errorf("upload after space was freed: %v %d %s", err, got.status, got.body)
		}
	}
	ballast = fillUp(t, disk)
	if got, err := s.upload(0, 100_000); err != nil || got.status != 503 {
		t.Errorf("upload on a disk that is full again: %v %d", err, got.status)
	}
	os.Remove(ballast) // while it runs
	for i := range 3 {
		if got, err := s.upload(6000+i, 50_000); err != nil || got.status != 200 {
			t.Errorf("upload after space was freed under way: %v %d %s", err, got.status, got.body)
		}
	}
	s.sound(t, "at the end")
	s.Stop()
	s.checkFile(t)
}

// serveBriefly starts a server and stops it when it is ready, if it ever is.
func serveBriefly(t *testing.T, dir string) (code int, output string) {
	t.Helper()
	bin, err := target.BuildPando(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin, serveArgs(dir)...)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		fmt.Fprintln(&all, lines.Text())
		if strings.Contains(lines.Text(), `"ready"`) {
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Error(err)
			}
		}
	}
	_ = cmd.Wait() // the code says it
	return cmd.ProcessState.ExitCode(), all.String()
}

// TestFullTemporaryDisk fills the disk that large uploads pass through.
func TestFullTemporaryDisk(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	temp := smallDisk(t, "2m")
	s := newShelf(t, startIn(t, filepath.Join(t.TempDir(), "data"), []string{"TMPDIR=" + temp}))
	got, err := s.upload(1, 4_000_000)
	if err != nil {
		t.Fatal(err)
	}
	isError(t, got, 503)
	if got, err := s.upload(2, 1_000); err != nil || got.status != 200 { // needs no temporary file
		t.Errorf("a small upload: %v %d %s", err, got.status, got.body)
	}
	if got, err := s.upload(3, 1_000_000); err != nil || got.status != 200 {
		t.Errorf("what fits again: %v %d %s", err, got.status, got.body)
	}
	s.sound(t, "at the end")
}

// TestReadOnlyDisk serves a directory that cannot be written to.
func TestReadOnlyDisk(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	disk := smallDisk(t, "20m")
	a := startIn(t, filepath.Join(disk, "data"), nil)
	a.Stop()
	if err := syscall.Mount("", disk, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		serveArgs(a.Dir), serveArgs(filepath.Join(disk, "new")),
		{"superuser", "upsert", "a@b.co", "12345678", "--dir", a.Dir},
		{"superuser", "upsert", "a@b.co", "12345678", "--dir", filepath.Join(disk, "new")},
	} {
		code, out := command(t, args...)
		if code != 1 || !strings.Contains(out, "cannot be written to") || !strings.Contains(out, disk) {
			t.Errorf("pando %s: exit code %d: %s", args[0], code, out)
		}
	}
}
