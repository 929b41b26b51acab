// Package doctor judges what it is told of an installation: each check says
// what it found, and what to do where it found something wrong. It looks at
// nothing itself; adapters find the facts.
package doctor

import "fmt"

// Level is how a check ended.
type Level string

// The levels. Bad means that Pando does not work, or that data can be lost
// without anybody being told; Warn is something to know and to decide about.
const (
	OK   Level = "ok"
	Warn Level = "warn"
	Bad  Level = "bad"
)

// Check is one thing that was looked at.
type Check struct {
	Level Level  `json:"level"`
	About string `json:"about"` // the host or the part
	Found string `json:"found"` // what is so, a sentence
	Fix   string `json:"fix,omitempty"`
}

// list collects checks about one thing.
type list struct {
	about  string
	checks []Check
}

func (l *list) ok(format string, args ...any) {
	l.checks = append(l.checks, Check{OK, l.about, fmt.Sprintf(format, args...), ""})
}

func (l *list) warn(fix, format string, args ...any) {
	l.checks = append(l.checks, Check{Warn, l.about, fmt.Sprintf(format, args...), fix})
}

func (l *list) bad(fix, format string, args ...any) {
	l.checks = append(l.checks, Check{Bad, l.about, fmt.Sprintf(format, args...), fix})
}

// Worst is the worst level among checks.
func Worst(checks []Check) Level {
	worst := OK
	for _, c := range checks {
		if c.Level == Bad || c.Level == Warn && worst == OK {
			worst = c.Level
		}
	}
	return worst
}
