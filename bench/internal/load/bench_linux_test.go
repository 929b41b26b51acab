package load

import (
	"bufio"
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"
)

// BenchmarkGenerator reports what the generator itself costs per request, at
// saturation and at a rate at which it mostly waits. The server is a process
// of its own only in the real benchmarks; here its cost is left out by
// counting the time of the generator's thread alone.
func BenchmarkGenerator(b *testing.B) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go answer(c)
		}
	}()
	for _, rate := range []float64{0, 2000} {
		b.Run(fmt.Sprintf("rate=%v", rate), func(b *testing.B) {
			var cpu time.Duration
			n := 0
			for b.Loop() {
				before := threadCPU(b)
				res, err := Run(b.Context(), Options{
					Addr: l.Addr().String(), Conns: 32, Rate: rate, Duration: 500 * time.Millisecond,
					Kinds: []Kind{{Name: "get", Status: 200}}, Script: get("/", ""),
				})
				if err != nil || res.Errors > 0 {
					b.Fatal(err, res.FirstError)
				}
				cpu += threadCPU(b) - before
				n += res.Completed
			}
			b.ReportMetric(float64(cpu.Nanoseconds())/float64(n), "cpu-ns/request")
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "requests/s")
		})
	}
}

// answer is the least that a server can do.
func answer(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		for {
			line, err := r.ReadSlice('\n')
			if err != nil {
				return
			}
			if len(line) == 2 {
				break
			}
		}
		if _, err := c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")); err != nil {
			return
		}
	}
}

func threadCPU(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(1 /* RUSAGE_THREAD */, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
