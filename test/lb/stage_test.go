package lb

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/test/target"
)

var binary string

func TestMain(m *testing.M) {
	if os.Getenv("UPSTREAM") != "" {
		serveUpstream()
		return
	}
	var err error
	if binary, err = target.BuildPando(context.Background()); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// process is a child, which ends with the test.
type process struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	done chan struct{}
	mu   sync.Mutex
	log  bytes.Buffer
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *process) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

func start(t *testing.T, name string, cmd *exec.Cmd, stdout *os.File) *process {
	t.Helper()
	p := &process{t: t, name: name, cmd: cmd, done: make(chan struct{})}
	cmd.Stderr = p
	if stdout != nil {
		cmd.Stdout = stdout
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // the death signal is tied to the thread
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.signal(syscall.SIGCONT)
		p.signal(syscall.SIGKILL)
		<-p.done
		if t.Failed() {
			t.Logf("%s said:\n%s", name, p.text())
		}
	})
	return p
}

func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// upstream starts a small web server and tells its address.
func upstream(t *testing.T, name, listen string, env ...string) (*process, string) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if listen == "" {
		listen = "127.0.0.1:0"
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), "UPSTREAM="+name, "LISTEN="+listen, "GOMAXPROCS=1"), env...)
	p := start(t, name, cmd, w)
	w.Close()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatalf("%s: %v %s", name, err, p.text())
	}
	return p, strings.TrimSpace(line)
}

// three starts three web servers.
func three(t *testing.T, env ...string) (list []*process, addrs []string) {
	t.Helper()
	for _, name := range []string{"a", "b", "c"} {
		p, addr := upstream(t, name, "", env...)
		list, addrs = append(list, p), append(addrs, addr)
	}
	return list, addrs
}

// free is an address that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	return localclustertest.Ports(t, 1)[0].Addr()
}

// balancer is a process of pando lb.
type balancer struct {
	*process
	addr, admin string
}

func balance(t *testing.T, addr string, upstreams []string, flags ...string) *balancer {
	t.Helper()
	b := &balancer{addr: addr, admin: free(t)}
	args := append([]string{"lb", "--listen", addr, "--admin", b.admin, "--upstream", join(upstreams)}, flags...)
	b.process = start(t, "pando lb", exec.Command(binary, args...), nil)
	wait(t, "the load balancer is ready", func() bool { return strings.Contains(b.text(), `"msg":"ready"`) })
	return b
}

func (b *balancer) status() status {
	b.t.Helper()
	s, err := readStatus(b.admin)
	if err != nil {
		b.t.Fatalf("status: %v", err)
	}
	return s
}

func wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in 15 seconds: %s", what)
		}
	}
}

// during lets d pass.
func during(d time.Duration) { <-time.After(d) }

func milliseconds(d time.Duration) string { return fmt.Sprintf("%.1f ms", d.Seconds()*1000) }
