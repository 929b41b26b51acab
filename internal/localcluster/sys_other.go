//go:build !linux

package localcluster

import (
	"errors"
	"net"
	"os/exec"
	"strconv"
)

// errLinux: a node is found by /proc, and its port held as Linux allows.
var errLinux = errors.New("localcluster: servers of a local cluster run on Linux only")

func detach(*exec.Cmd, *identity) {}

func kill(int) error           { return errLinux }
func interrupt(int) error      { return errLinux }
func terminate(int) error      { return errLinux }
func hangup(int) error         { return errLinux }
func stop(int) error           { return errLinux }
func resume(int) error         { return errLinux }
func freeze(...string) error   { return errLinux }
func thaw(...string) error     { return errLinux }
func killAll(...string) error  { return errLinux }
func startOwn(*exec.Cmd) error { return errLinux }
func disown(int)               {}
func freeSegment(string)       {}
func adopt()                   {}
func roomy(string) bool        { return false }

type process struct {
	pid  int
	line string
}

func members(...string) []process { return nil }

// reserve finds a port that is free at the moment.
func reserve(number int) (*Port, error) {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(number)))
	if err != nil {
		return nil, err
	}
	return &Port{number: l.Addr().(*net.TCPAddr).Port}, l.Close()
}
