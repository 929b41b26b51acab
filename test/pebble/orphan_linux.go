package pebble

import (
	"os/exec"
	"syscall"
)

// dieWithParent has the kernel end the child when this process goes away.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
