package demo

import "syscall"

// dieWithUs has a child end when this process does, however that ends. Ctrl-C reaches
// this process alone, which stops the others in order.
func dieWithUs() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
