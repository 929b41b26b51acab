package server

import (
	"os/exec"
	"syscall"
)

// dieWithParent has the kernel end the server when this program goes away,
// however it does.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
