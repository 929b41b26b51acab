package localcluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// program is a process that we started, and reap.
type program struct {
	name string
	pid  int
	log  string
	done chan struct{} // closed when it has ended and is reaped
	err  error         // of its end; read after done
}

// launch starts argv in a session of its own: a Ctrl-C at the terminal is ours
// to answer, and servers are stopped in order. What it says goes to the log.
func launch(as *identity, dir, log string, env []string, argv ...string) (*program, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("localcluster: %w", err)
	}
	defer out.Close()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, out
	cmd.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "HOME=" + dir}, env...)
	detach(cmd, as)
	p := &program{name: filepath.Base(argv[0]), log: log, done: make(chan struct{})}
	if err := startOwn(cmd); err != nil {
		return nil, fmt.Errorf("localcluster: start %s: %w", p.name, err)
	}
	p.pid = cmd.Process.Pid
	go func() {
		p.err = cmd.Wait()
		disown(p.pid)
		close(p.done)
	}()
	return p, nil
}

// run is a launch that is waited for.
func run(ctx context.Context, as *identity, dir, log string, env []string, argv ...string) error {
	p, err := launch(as, dir, log, env, argv...)
	if err != nil {
		return err
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		_ = kill(p.pid)
		<-p.done
		return fmt.Errorf("localcluster: %s did not end: %w\n%s", p.name, ctx.Err(), tail(log))
	}
	if p.err != nil {
		return fmt.Errorf("localcluster: %s: %w\n%s", p.name, p.err, tail(log))
	}
	return nil
}

// ended says whether it is gone.
func (p *program) ended() bool {
	if p == nil {
		return true
	}
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// longest is how long anything here may take if the context sets no end: these
// are servers on this machine, not on the moon.
const longest = 60 * time.Second

func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, longest)
}

// until looks every few milliseconds whether something has come about, for
// servers tell nobody. An error of the look ends it.
func until(ctx context.Context, every time.Duration, what string, look func() (bool, error)) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if done, err := look(); done || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("localcluster: waiting for %s: %w", what, ctx.Err())
		}
	}
}

// tail is the end of a log, for errors.
func tail(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}
