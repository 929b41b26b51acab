package demo

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Bounds of a process of ours.
const (
	startBound = 30 * time.Second
	stopBound  = 15 * time.Second
)

// child is one process of Pando. Its methods may be called at once.
type child struct {
	name string
	args func() []string // of each start: addresses may be others by then
	d    *demo

	mu    sync.Mutex
	cmd   *exec.Cmd
	ready ready
	ended chan struct{} // closed when the process of now is over
	last  []string      // what it logged
	over  bool          // it is to run no more
}

// ready is the line of the log by which a process says that it answers.
type ready struct {
	Msg     string `json:"msg"`
	URL     string `json:"url"`
	Private string `json:"private"`
	Admin   string `json:"admin"`
}

func newChild(name string, args func() []string, d *demo) *child {
	return &child{name: name, args: args, d: d}
}

// start starts it, and waits until it answers.
func (c *child) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startBound)
	defer cancel()
	c.mu.Lock()
	if c.over {
		c.mu.Unlock()
		return nil
	}
	cmd := c.d.command(c.args()...)
	cmd.SysProcAttr = dieWithUs()
	answers, ended, started := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		// The kernel ends the child with the thread that started it, which has to stay.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		text, err := cmd.StderrPipe()
		if err == nil {
			err = cmd.Start()
		}
		started <- err
		if err == nil {
			defer close(ended)
			c.listen(text, answers)
			_ = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		c.mu.Unlock()
		return fmt.Errorf("demo: start %s: %w", c.name, err)
	}
	c.cmd, c.ended, c.last = cmd, ended, nil
	c.mu.Unlock()
	select {
	case <-answers:
		return nil
	case <-ended:
		return fmt.Errorf("demo: %s has ended before it answered (%v):\n%s", c.name, cmd.ProcessState, c.words())
	case <-ctx.Done():
		_ = cmd.Process.Kill()
		return fmt.Errorf("demo: %s does not answer: %w\n%s", c.name, ctx.Err(), c.words())
	}
}

// listen reads what it logs until its end.
func (c *child) listen(text io.Reader, answers chan<- struct{}) {
	lines := bufio.NewScanner(text)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r ready
		isReady := json.Unmarshal(lines.Bytes(), &r) == nil && r.Msg == "ready"
		c.mu.Lock()
		c.last = append(c.last[max(0, len(c.last)-19):], lines.Text())
		if isReady {
			c.ready = r
		}
		c.mu.Unlock()
		if isReady && answers != nil {
			close(answers)
			answers = nil
		}
	}
	_, _ = io.Copy(io.Discard, text) // a line that was too long ends the scan, not the process
}

func (c *child) said() ready {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ready
}

func (c *child) words() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.last, "\n")
}

// pid is 0 if it does not run.
func (c *child) pid() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cmd == nil {
		return 0
	}
	select {
	case <-c.ended:
		return 0
	default:
		return c.cmd.Process.Pid
	}
}

// end is closed when the process of now is over, and how it ended is known then.
func (c *child) end() (ended <-chan struct{}, cmd *exec.Cmd) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended, c.cmd
}

// stop ends it in good order, or else by force. It does not start again.
func (c *child) stop() error {
	c.mu.Lock()
	c.over = true
	cmd, ended := c.cmd, c.ended
	c.mu.Unlock()
	if cmd == nil {
		return nil
	}
	_ = cmd.Process.Signal(syscall.SIGCONT) // somebody may have frozen it
	_ = cmd.Process.Signal(syscall.SIGTERM)
	timer := time.NewTimer(stopBound)
	defer timer.Stop()
	select {
	case <-ended:
		return nil
	case <-timer.C:
	}
	_ = cmd.Process.Kill()
	<-ended
	return fmt.Errorf("demo: %s did not stop within %v and was killed", c.name, stopBound)
}
