package localcluster

import (
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
)

var adopting sync.Once

// adopt makes this process the one that orphans of its servers come to. Patroni
// starts PostgreSQL detached: killed, it would stay a zombie for as long as
// process 1 takes to reap it (in a container for ever, perhaps), and a zombie
// keeps its lock file from being taken: "lock file postmaster.pid already exists".
func adopt() {
	adopting.Do(func() {
		const setChildSubreaper = 36 // PR_SET_CHILD_SUBREAPER
		if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, setChildSubreaper, 1, 0); errno != 0 {
			return // then process 1 has to do
		}
		ended := make(chan os.Signal, 1)
		signal.Notify(ended, syscall.SIGCHLD)
		go func() {
			for range ended {
				reapAdopted()
			}
		}()
	})
}

// reapAdopted reaps ended children that came to us. An exec.Cmd waits for its
// own process and must find it: ours are known, and those of others run in our
// session, while servers and what they detach have sessions of their own.
func reapAdopted() {
	self := os.Getpid()
	session, _, _ := syscall.RawSyscall(syscall.SYS_GETSID, 0, 0, 0)
	for _, p := range table() {
		if p.parent != self || !p.dead() || p.session == int(session) || !slices.Contains(programs, p.comm) {
			continue
		}
		owned.Lock()
		if !owned.pids[p.pid] {
			_, _ = syscall.Wait4(p.pid, nil, syscall.WNOHANG, nil)
		}
		owned.Unlock()
	}
}
