package localcluster

import (
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
)

func detach(cmd *exec.Cmd, as *identity) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if as != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(as.uid), Gid: uint32(as.gid)}
	}
}

func kill(pid int) error      { return syscall.Kill(pid, syscall.SIGKILL) }
func interrupt(pid int) error { return syscall.Kill(pid, syscall.SIGINT) }
func terminate(pid int) error { return syscall.Kill(pid, syscall.SIGTERM) }
func hangup(pid int) error    { return syscall.Kill(pid, syscall.SIGHUP) }
func stop(pid int) error      { return syscall.Kill(pid, syscall.SIGSTOP) }
func resume(pid int) error    { return syscall.Kill(pid, syscall.SIGCONT) }

// owned are the processes that an exec.Cmd of ours waits for: nobody else reaps them.
var owned struct {
	sync.Mutex
	pids map[int]bool
}

// startOwn starts cmd under the lock: were the process to end at once, the
// reaper of adopted ones must know it already.
func startOwn(cmd *exec.Cmd) error {
	owned.Lock()
	defer owned.Unlock()
	if err := cmd.Start(); err != nil {
		return err
	}
	if owned.pids == nil {
		owned.pids = map[int]bool{}
	}
	owned.pids[cmd.Process.Pid] = true
	return nil
}

func disown(pid int) {
	owned.Lock()
	defer owned.Unlock()
	delete(owned.pids, pid)
}

// freeSegment deletes the System V segment by which PostgreSQL knows whether
// processes of a killed server live on; nobody else would.
func freeSegment(id string) {
	if n, err := strconv.Atoi(id); err == nil {
		_, _, _ = syscall.Syscall(syscall.SYS_SHMCTL, uintptr(n), 0 /* IPC_RMID */, 0)
	}
}

// roomy says whether a directory is there and has a gigabyte left; that of a
// container often has 64 MB.
func roomy(dir string) bool {
	var fs syscall.Statfs_t
	return syscall.Statfs(dir, &fs) == nil && fs.Bavail*uint64(fs.Bsize) > 1<<30
}

// reserve binds a port, any if it is 0, and never listens on it. The kernel gives it to
// nobody who asks for any port, neither to listen nor to connect from; and as
// the socket allows reuse, a server that asks for this one, as all of them do
// again and again, gets it. Until then, and while the server is dead,
// connections are refused, as they should be.
func reserve(number int) (*Port, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	held := os.NewFile(uintptr(fd), "port")
	if err = syscall.Bind(fd, &syscall.SockaddrInet4{Port: number, Addr: [4]byte{127, 0, 0, 1}}); err == nil {
		// After the bind: before it, the kernel might share a port that is in use.
		err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	}
	var name syscall.Sockaddr
	if err == nil {
		name, err = syscall.Getsockname(fd)
	}
	in, ok := name.(*syscall.SockaddrInet4)
	if err != nil || !ok {
		_ = held.Close()
		return nil, os.NewSyscallError("bind", err)
	}
	return &Port{in.Port, held}, nil
}
