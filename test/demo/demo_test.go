package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/test/target"
)

// text is what a process prints.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (x *text) Write(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.b.Write(p)
}

func (x *text) String() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.b.String()
}

// TestDemo: everything is there, one of it is killed and nobody notices, it comes back,
// and when the demo is stopped nothing is left.
func TestDemo(t *testing.T) {
	bin, err := target.BuildPando(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	before := traces(t)
	first := localclustertest.Ports(t, 2)[0].Number()
	out := new(text)
	cmd := exec.Command(bin, "demo", "--load", "--listen", fmt.Sprint("127.0.0.1:", first))
	cmd.Stdout, cmd.Stderr = out, out
	began := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		if t.Failed() {
			t.Log(out)
		}
	})
	says(t, out, "Ctrl-C stops everything")
	t.Logf("from nothing in %v", time.Since(began).Round(time.Millisecond))
	pids := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^  (\w+\d) +[\w ]+? +(\d+)  `).FindAllStringSubmatch(out.String(), -1) {
		pids[m[1]], _ = strconv.Atoi(m[2])
	}
	want := []string{"cache1", "cache2", "cache3", "lb1", "lb2", "pg1", "pg2", "pg3", "web1", "web2", "web3"}
	for _, name := range want {
		if !alive(pids[name]) {
			t.Errorf("%s: pid %d is not there", name, pids[name])
		}
	}
	for i := range 2 {
		get(t, first+i)
	}
	if err := syscall.Kill(pids["web2"], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	asked := 0
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); asked++ {
		get(t, first+asked%2)
	}
	t.Logf("%d reads beside a server that was killed", asked)
	says(t, out, "web2 has ended (signal: killed)")
	says(t, out, "web2 is back")
	says(t, out, "requests/s")
	if strings.Contains(out.String(), "× GET") {
		t.Error("a read of the load failed")
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("it ends with %v", err)
		}
	case <-time.After(60 * time.Second):
		t.Fatal("it does not stop within a minute")
	}
	for _, name := range want {
		if alive(pids[name]) {
			t.Errorf("%s is left, pid %d", name, pids[name])
		}
	}
	until(t, "nothing is left", func() bool { // what watches over the directories goes last
		return !slices.ContainsFunc(traces(t), func(dir string) bool { return !slices.Contains(before, dir) })
	})
}

// TestDemoWithoutParts: what is missing is named, with the command that installs it.
func TestDemoWithoutParts(t *testing.T) {
	bin, err := target.BuildPando(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), bin, "demo", "--listen", localclustertest.Ports(t, 2)[0].Addr())
	cmd.Env = []string{"PATH=/nowhere", "TMPDIR=" + t.TempDir()}
	out, err := cmd.CombinedOutput()
	var failed *exec.ExitError
	if !errors.As(err, &failed) || !bytes.Contains(out, []byte("apt-get install redis-server")) {
		t.Errorf("without Redis: %v\n%s", err, out)
	}
}

func get(t *testing.T, port int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, "GET", fmt.Sprintf("http://127.0.0.1:%d/api/collections/notes/records/note00000000001?x=%d", port, time.Now().UnixNano()), nil)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("a read by port %d: %s", port, res.Status)
	}
}

func alive(pid int) bool {
	if pid <= 0 {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

// traces are the directories that demos make.
func traces(t *testing.T) (list []string) {
	t.Helper()
	for _, pattern := range []string{filepath.Join(os.TempDir(), "pando-demo-*"), filepath.Join(os.TempDir(), "pando-cluster-*"), "/dev/shm/pando-cluster-*"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, found...)
	}
	return list
}

func says(t *testing.T, out *text, words string) {
	t.Helper()
	until(t, "it says "+words, func() bool { return strings.Contains(out.String(), words) })
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	end := time.After(60 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatal("not within a minute: ", what)
		}
	}
}
