package main

import (
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

// idleConns is how many clients ask once and then say nothing.
const idleConns = 10_000

const idleWork = "10,000 idle connections"

// idle measures what each idle connection takes of a balancer's memory.
func (m *measurement) idle(c contender) (result, error) {
	before, err := resident(c.pid)
	if err != nil {
		return result{}, err
	}
	conns := make([]net.Conn, idleConns)
	defer func() {
		for _, nc := range conns {
			if nc != nil {
				nc.Close()
			}
		}
	}()
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for part := range errs {
		wg.Go(func() {
			buf := make([]byte, 4096)
			for i := part; i < idleConns && errs[part] == nil; i += len(errs) {
				nc, err := net.Dial("tcp", c.addr)
				if err == nil {
					conns[i] = nc
					_, err = nc.Write([]byte("GET /items HTTP/1.1\r\nHost: app.example\r\n\r\n"))
				}
				if err == nil {
					_, err = nc.Read(buf)
				}
				errs[part] = err
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return result{}, err
		}
	}
	<-time.After(time.Second)
	after, err := resident(c.pid)
	return result{Work: idleWork, Contender: c.name, Round: 1, Idle: float64(after-before) / idleConns / 1024}, err
}

// resident is the memory of a process, in bytes.
func resident(pid int) (n int64, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			_, err = fmt.Sscanf(rest, "%d", &n)
		}
	}
	return n << 10, err
}
