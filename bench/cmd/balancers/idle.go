package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"os"
	"strings"
	"time"
)

// idleConns are so many that what is kept for all of them is nothing beside.
const idleConns = 8000

// idle is the memory of a connection that has asked once and says nothing, in KB.
type idle struct {
	Contender string  `json:"contender"`
	TLS       bool    `json:"tls"`
	KB        float64 `json:"kilobytes"`
}

// measureIdle opens connections and looks how much larger the process is.
func measureIdle(c contender, config *tls.Config, request []byte) (idle, error) {
	got := idle{Contender: c.name, TLS: config != nil}
	one := func(n int) (func(), error) {
		list, err := dialAll(c.addr, n, config)
		if err != nil {
			return nil, err
		}
		for _, conn := range list {
			if _, err := conn.Write(request); err == nil {
				err = answer(bufio.NewReader(conn))
			}
			if err != nil {
				closeAll(list)
				return nil, err
			}
		}
		return func() { closeAll(list) }, nil
	}
	end, err := one(100) // what it keeps for all of them is there already
	if err != nil {
		return got, err
	}
	defer end()
	before, err := resident(c.pid)
	if err != nil {
		return got, err
	}
	end, err = one(idleConns)
	if err != nil {
		return got, err
	}
	defer end()
	<-time.After(3 * time.Second) // buffers that are lent are given back
	after, err := resident(c.pid)
	got.KB = float64(after-before) / 1024 / idleConns
	return got, err
}

// resident is the memory of a process, in bytes.
func resident(pid int) (n int64, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			if _, err := fmt.Sscanf(rest, "%d", &n); err != nil {
				return 0, err
			}
		}
	}
	return n << 10, nil
}
