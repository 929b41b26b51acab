package main

import (
	"fmt"
	"io"
	"time"
)

// progress shows how far something is: one line that is written over on a
// terminal, a line now and then elsewhere.
type progress struct {
	out   io.Writer
	tty   bool
	every time.Duration
	began time.Time
	shown time.Time
	wrote bool
}

func newProgress(out io.Writer) *progress {
	p := &progress{out: out, every: 10 * time.Second, began: time.Now(), shown: time.Now()}
	if _, p.tty = terminal(out); p.tty {
		p.every = 100 * time.Millisecond
	}
	return p
}

// elapsed is the time since the start.
type elapsed time.Duration

// rate is done a second.
func (e elapsed) rate(done float64) float64 {
	return done / max(time.Duration(e).Seconds(), 0.001)
}

// left is the time that the rest takes at the rate so far, as text.
func (e elapsed) left(done, total int64) string {
	if done <= 0 || total <= done {
		return "0s"
	}
	return time.Duration(float64(e) / float64(done) * float64(total-done)).Round(time.Second).String()
}

// show writes what line says, if it is time for it.
func (p *progress) show(line func(elapsed) string) {
	if time.Since(p.shown) < p.every {
		return
	}
	p.shown = time.Now()
	text := line(elapsed(time.Since(p.began)))
	if p.tty {
		fmt.Fprintf(p.out, "\r%-79s", text)
		p.wrote = true
		return
	}
	fmt.Fprintln(p.out, text)
}

// clear takes the line away before something else is written.
func (p *progress) clear() {
	if p.wrote {
		fmt.Fprintf(p.out, "\r%79s\r", "")
	}
}

func (p *progress) end() {
	if p.wrote {
		fmt.Fprintln(p.out)
	}
}
