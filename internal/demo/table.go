package demo

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// output is where lines go, whole ones.
type output struct {
	mu sync.Mutex
	w  io.Writer
}

func (o *output) say(format string, args ...any) {
	o.print(time.Now().Format("15:04:05  ") + fmt.Sprintf(format, args...) + "\n")
}

func (o *output) print(text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, _ = io.WriteString(o.w, text)
}

func sorted(m map[string]int) []string { return slices.Sorted(maps.Keys(m)) }

// introduce tells what there is, and how it is used and broken.
func (d *demo) introduce() {
	var t strings.Builder
	fmt.Fprintf(&t, "\nPando's whole system, ready in %.1f s\n\n", time.Since(d.began).Seconds())
	row := func(name, role string, pid int, address, try string) {
		fmt.Fprintf(&t, "  %-7s %-14s %7d  %-22s %s\n", name, role, pid, address, try)
	}
	fmt.Fprintf(&t, "  %-7s %-14s %7s  %-22s %s\n", "part", "role", "pid", "address", "to break it")
	for i, c := range d.lb {
		row(c.name, "load balancer", c.pid(), d.cfg.Listen[i], fmt.Sprint("kill -9 ", c.pid()))
	}
	for _, c := range d.web {
		row(c.name, "web server", c.pid(), c.said().Private, fmt.Sprintf("kill -9 %d   or kill -STOP %[1]d; sleep 3; kill -CONT %[1]d", c.pid()))
	}
	for i, r := range d.caches {
		row(fmt.Sprint("cache", i+1), "Redis", r.Pid(), r.Addr(), fmt.Sprint("kill -9 ", r.Pid()))
	}
	for i, n := range d.db.Nodes() {
		role := "replica"
		if n == d.db.Primary() {
			role = "primary"
		}
		row(fmt.Sprint("pg", i+1), role, n.Pid(), n.Addr(), fmt.Sprint("kill -9 ", n.Pid()))
	}
	var watched []string
	for _, c := range d.lb {
		watched = append(watched, c.said().Admin)
	}
	fmt.Fprintf(&t, `
  Use it     curl %[1]s/api/collections/notes/records?perPage=1
             or any PocketBase SDK, with %[1]s or %[2]s
  Superuser  %[3]s  %[4]s
  psql       psql %[5]s
  Watch it   pando status --watch --server %[6]s

  What is killed comes back after a while; the demo does what systemd and Patroni do
  elsewhere. Ctrl-C stops everything and leaves nothing.

`, d.url(0), d.url(1), Email, Password, d.db.Primary().URL("app", "postgres"), strings.Join(watched, ","))
	d.out.print(t.String())
}
