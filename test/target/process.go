package target

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

var errExited = errors.New("ended before it answered")

// process is a running child. It is watched by one goroutine, which closes
// done when the child has ended.
type process struct {
	cmd    *exec.Cmd
	output *output
	done   chan struct{}
}

// run starts a command line. The child is tied to this process: were a test to crash,
// the kernel ends the child too (on Linux), so no server is left behind.
func run(command, env []string) (*process, error) {
	p := &process{cmd: exec.Command(command[0], command[1:]...), output: new(output), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	p.cmd.Env = append(os.Environ(), env...)
	dieWithParent(p.cmd)

	started := make(chan error, 1)
	go func() {
		// The death signal is sent when the thread that started the child
		// ends, so that thread must live as long as the child does.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.cmd.Wait()
			close(p.done)
		}
	}()
	return p, <-started
}

// ready waits until url answers 200, for at most 20 seconds.
func (p *process) ready(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if answers(ctx, url) {
			return nil
		}
		select {
		case <-p.done:
			return errExited
		case <-ctx.Done():
			return errors.New("did not answer " + url + " in time")
		case <-tick.C:
		}
	}
}

func answers(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// stop asks the child to end and ends it by force after grace.
func (p *process) stop(grace time.Duration) {
	select {
	case <-p.done:
		return
	default:
	}
	if grace > 0 {
		p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.done:
			return
		case <-time.After(grace):
		}
	}
	p.cmd.Process.Signal(os.Kill)
	<-p.done
}

// output collects what a child prints, from any goroutine.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
