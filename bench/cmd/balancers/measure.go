package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/pandobase/pando/bench/internal/load"
)

// measurement is one run of the program.
type measurement struct {
	rounds         int
	length         time.Duration
	pando, haproxy string
	only           string
	idleOnly       bool

	dir       string
	cert      certificate
	processes []*exec.Cmd
	results   []result
	idles     []idle
}

// result is one round of one contender.
type result struct {
	Work      string  `json:"work"`
	Contender string  `json:"contender"`
	Round     int     `json:"round"`
	PerSecond float64 `json:"perSecond"`
	P50       float64 `json:"p50ms"`
	P99       float64 `json:"p99ms"`
	CPU       float64 `json:"cpuMicroseconds"` // per request; 0: there is no balancer
	Dials     float64 `json:"dialsPer1000"`    // connections opened to the web servers
	Errors    int     `json:"errors"`
	First     string  `json:"firstError,omitempty"`
}

// contender is a balancer, or nothing in between.
type contender struct {
	name, addr string
	pid        int
}

type work struct {
	name        string
	conns, size int
	tls         bool
}

var works = []work{
	{"600 bytes, 32 connections", 32, 600, false},
	{"600 bytes, 256 connections", 256, 600, false},
	{"600 bytes over TLS, 32 connections", 32, 600, true},
	{"64 KB, 32 connections", 32, 64 << 10, false},
	{"64 KB, 256 connections", 256, 64 << 10, false},
	{"64 KB over TLS, 32 connections", 32, 64 << 10, true},
}

var request = []byte("GET /items HTTP/1.1\r\nHost: app.example\r\nUser-Agent: bench\r\nAccept: application/json\r\nAuthorization: Bearer 0123456789012345678901234567890123456789\r\n\r\n")

func (m *measurement) run(ctx context.Context) (err error) {
	if m.dir, err = os.MkdirTemp("", "balancers-"); err != nil {
		return err
	}
	defer os.RemoveAll(m.dir)
	if m.cert, err = newCertificate(m.dir); err != nil {
		return err
	}
	defer m.end()
	for _, size := range []int{600, 64 << 10} {
		var upstreams []string
		for range 3 {
			addr, err := m.start("", os.Args[0], "-serve", "ADDR", "-size", strconv.Itoa(size))
			if err != nil {
				return err
			}
			upstreams = append(upstreams, addr.addr)
		}
		for _, secure := range []bool{false, true} {
			if err := m.compare(ctx, size, secure, upstreams); err != nil {
				return err
			}
		}
		m.end()
	}
	return nil
}

// compare starts both contenders in front of these web servers and measures all works of
// that kind.
func (m *measurement) compare(ctx context.Context, size int, secure bool, upstreams []string) error {
	list := slices.DeleteFunc(slices.Clone(works), func(w work) bool {
		return w.size != size || w.tls != secure || m.only != "" && !strings.Contains(w.name, m.only)
	})
	if len(list) == 0 {
		return nil
	}
	flags := []string{"lb", "--admin", "off", "--upstream", strings.Join(upstreams, ","), "--log-level", "error", "--client-conns", "off"}
	if secure {
		plain, err := freeAddr() // sends everybody to the other
		if err != nil {
			return err
		}
		flags = append(flags, tlsName, "--https", "ADDR", "--http", plain, "--tls-cert", m.cert.cert, "--tls-key", m.cert.key)
	} else {
		flags = append(flags, "--listen", "ADDR")
	}
	pando, err := m.start("pando lb", m.pando, flags...)
	if err != nil {
		return err
	}
	haproxy, err := m.startHAProxy(filepath.Join(m.dir, fmt.Sprint(size, secure, ".cfg")), upstreams, secure)
	if err != nil {
		return err
	}
	direct := contender{name: "no balancer", addr: upstreams[0]}
	if m.idleOnly {
		list = nil
	}
	for _, w := range list {
		for round := range m.rounds + 1 { // the first does not count
			turn := []contender{pando, haproxy, direct}
			if round%2 == 1 {
				turn = []contender{haproxy, pando, direct}
			}
			if secure {
				turn = turn[:2] // the web servers speak plainly
			}
			for _, c := range turn {
				r, err := m.measure(ctx, w, c, upstreams)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", w.name, c.name, err)
				}
				if r.Round = round; round > 0 {
					m.results = append(m.results, r)
				}
				log.Printf("%-34s %-12s %8.0f/s  p99 %6.2f ms  %6.1f µs  %d errors %s", w.name, c.name, r.PerSecond, r.P99, r.CPU, r.Errors, r.First)
			}
		}
	}
	if size > 1000 {
		return nil
	}
	var config *tls.Config
	if secure {
		config = m.cert.client()
	}
	for _, c := range []contender{pando, haproxy} {
		got, err := measureIdle(c, config, request)
		if err != nil {
			return fmt.Errorf("idle connections of %s: %w", c.name, err)
		}
		m.idles = append(m.idles, got)
		log.Printf("%d idle connections, TLS %v: %s, %.1f KB each", idleConns, secure, c.name, got.KB)
	}
	return nil
}

func (m *measurement) measure(ctx context.Context, w work, c contender, upstreams []string) (result, error) {
	dials, err := counted(upstreams)
	if err != nil {
		return result{}, err
	}
	before, err := used(c.pid)
	if err != nil {
		return result{}, err
	}
	length := m.length
	if m.rounds > 1 && w.size > 1000 {
		length += length / 2
	}
	var got load.Result
	if w.tls {
		got, err = overTLS(ctx, c.addr, m.cert.client(), w.conns, request, length)
	} else {
		got, err = load.Run(ctx, load.Options{
			Addr: c.addr, Conns: w.conns, Duration: length, Kinds: []load.Kind{{Name: "get", Status: http.StatusOK}},
			Script: load.ScriptFunc(func(_ int, dst []byte) ([]byte, load.Shot) { return append(dst, request...), load.Shot{} }),
		})
	}
	if err != nil {
		return result{}, err
	}
	after, err := used(c.pid)
	if err != nil {
		return result{}, err
	}
	opened, err := counted(upstreams)
	if err != nil {
		return result{}, err
	}
	h := got.Latencies()
	n := float64(max(got.Completed, 1))
	return result{
		Work: w.name, Contender: c.name, PerSecond: got.PerSecond(), Errors: got.Errors, First: got.FirstError,
		P50: float64(h.ValueAtQuantile(50)) / 1000, P99: float64(h.ValueAtQuantile(99)) / 1000,
		CPU: float64((after - before).Microseconds()) / n, Dials: 1000 * float64(opened-dials-len(upstreams)) / n,
	}, nil
}

// used is the processor time of a process.
func used(pid int) (time.Duration, error) {
	if pid == 0 {
		return 0, nil
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	var ticks int64
	for _, field := range f[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

// serveBody is a web server that answers size bytes, and says at /dials how many
// connections were opened to it.
func serveBody(addr string, size int) error {
	body := bytes.Repeat([]byte(`{"id":"0123456789abcde","title":"x"},`), size/36+1)[:size]
	var dials int
	opened := make(chan chan int)
	seen := make(chan struct{}, 1024)
	go func() {
		for {
			select {
			case <-seen:
				dials++
			case c := <-opened:
				c <- dials
			}
		}
	}()
	length := []string{strconv.Itoa(size)}
	kind := []string{"application/json"}
	s := &http.Server{Addr: addr, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/dials" {
			c := make(chan int)
			opened <- c
			fmt.Fprint(w, <-c)
			return
		}
		h := w.Header()
		h["Content-Length"], h["Content-Type"] = length, kind
		w.Write(body)
	}), ConnState: func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			seen <- struct{}{}
		}
	}}
	return s.ListenAndServe()
}

// counted is how many connections were opened to the web servers, this question's too.
func counted(upstreams []string) (n int, err error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, addr := range upstreams {
		resp, err := client.Get("http://" + addr + "/dials")
		if err != nil {
			return 0, err
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			return 0, err
		}
		one, err := strconv.Atoi(string(b))
		if err != nil {
			return 0, err
		}
		n += one
	}
	return n, nil
}

func (m *measurement) startHAProxy(config string, upstreams []string, secure bool) (contender, error) {
	addr, err := freeAddr()
	if err != nil {
		return contender{}, err
	}
	bind := addr
	if secure {
		bind += " ssl crt " + m.cert.both + " alpn http/1.1 ciphersuites TLS_AES_128_GCM_SHA256" // Go's choice; HAProxy's is AES 256, which costs more
	}
	var b strings.Builder
	fmt.Fprintf(&b, `global
  nbthread 2
  maxconn 9000
defaults
  mode http
  timeout connect 1s
  timeout client 60s
  timeout server 60s
  option forwardfor
  http-reuse always
frontend in
  bind %s
  default_backend web
backend web
  balance random(2)
  option httpchk GET /
`, bind)
	for i, u := range upstreams {
		fmt.Fprintf(&b, "  server s%d %s check\n", i, u)
	}
	if err := os.WriteFile(config, []byte(b.String()), 0o600); err != nil {
		return contender{}, err
	}
	return m.launch("haproxy", addr, exec.Command(m.haproxy, "-db", "-f", config))
}

// start starts a program; ADDR among its arguments becomes a free address.
func (m *measurement) start(name, program string, args ...string) (contender, error) {
	addr, err := freeAddr()
	if err != nil {
		return contender{}, err
	}
	for i := range args {
		if args[i] == "ADDR" {
			args[i] = addr
		}
	}
	return m.launch(name, addr, exec.Command(program, args...))
}

func (m *measurement) launch(name, addr string, cmd *exec.Cmd) (contender, error) {
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread() // the death signal is tied to the thread
	if err := cmd.Start(); err != nil {
		return contender{}, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	m.processes = append(m.processes, cmd)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	var err error
	for end := time.Now().Add(10 * time.Second); ; <-tick.C {
		if err = m.asked(addr); err == nil {
			return contender{name, addr, cmd.Process.Pid}, nil
		}
		if time.Now().After(end) {
			return contender{}, fmt.Errorf("%s does not answer on %s: %v", cmd.Path, addr, err)
		}
	}
}

// asked tells whether somebody answers there, plainly or over TLS.
func (m *measurement) asked(addr string) (err error) {
	for _, config := range []*tls.Config{nil, m.cert.client()} {
		var list []net.Conn
		if list, err = dialAll(addr, 1, config); err != nil {
			continue
		}
		_ = list[0].SetDeadline(time.Now().Add(time.Second))
		if _, err = list[0].Write(request); err == nil {
			err = answer(bufio.NewReader(list[0]))
		}
		closeAll(list)
		if err == nil {
			return nil
		}
	}
	return err
}

func (m *measurement) end() {
	for _, cmd := range m.processes {
		cmd.Process.Kill()
		cmd.Wait()
	}
	m.processes = nil
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
