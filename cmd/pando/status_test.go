package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/pandobase/pando/server"
)

// TestStatus: the running server is shown, as text and as JSON; nobody there is an
// error that says what to do.
func TestStatus(t *testing.T) {
	dir := t.TempDir()
	p := serveIn(t, dir, "--admin", "127.0.0.1:0")
	admin := p.ready["admin"].(string)
	res, err := http.Get(p.url + "/api/collections/none/records")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	code, out, errs := runIn(t, dir, nil, "status", "--server", admin)
	if code != 0 || !strings.Contains(out, "healthy: 1 web server, 1 primary") || !strings.Contains(out, "SQLite") || strings.Contains(out, "\x1b") {
		t.Errorf("%d\n%s%s", code, out, errs)
	}
	for line := range strings.Lines(out) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > statusWidth {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	code, out, errs = runIn(t, dir, []string{"PANDO_SERVER=" + admin}, "status", "--json")
	var s server.System
	if err := json.Unmarshal([]byte(out), &s); code != 0 || err != nil || len(s.Nodes) != 2 || s.Health != "ok" || s.Nodes[0].Role != "web" {
		t.Errorf("%d %v\n%s%s", code, err, out, errs)
	}
	if code := p.end(t, syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d", code)
	}
	for _, args := range [][]string{{"status", "--server", admin}, {"status", "--server", "nonsense"}} {
		code, out, errs := runIn(t, dir, nil, args...)
		if code != 1 || out != "" || !strings.Contains(errs, "--server") {
			t.Errorf("%q: %d %s%s", args, code, out, errs)
		}
	}
}

// TestStatusWatch: it looks again and again, and an interrupt is a good end.
func TestStatusWatch(t *testing.T) {
	dir := t.TempDir()
	p := serveIn(t, dir, "--admin", "127.0.0.1:0")
	cmd := command(dir, nil, "status", "--watch", "--json", "--server", p.ready["admin"].(string))
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	defer kill.Stop()
	dec := json.NewDecoder(stdout)
	for range 2 {
		var s server.System
		if err := dec.Decode(&s); err != nil || len(s.Nodes) != 2 {
			t.Fatalf("%+v, %v", s, err)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after an interrupt: %v", err)
	}
}

// TestStatusTable: what is not known is a dash, what is wrong is said in words on
// lines of their own, and everything fits.
func TestStatusTable(t *testing.T) {
	v := func(f float64) *float64 { return &f }
	s := server.System{Health: "bad", Words: "something does not work: 1 web server (0 well)", Nodes: []server.SystemNode{
		{Role: "web", Name: "a-machine-with-a-long-name", Address: "10.123.123.123:65000", Health: "bad", Words: strings.Repeat("it does not hear of changes ", 6),
			Rate: v(123456789), P99: v(123456), Errors: v(1), Hits: v(1), Lag: v(1e9), Position: "FFFFFFFF/FFFFFFFF"},
		{Role: "replica", Name: "db2:5432", Health: "ok", Words: "ok", Lag: v(0)},
	}}
	for _, colour := range []bool{false, true} {
		text := statusTable{colour}.text(s, time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC))
		if strings.Contains(text, "\x1b") != colour {
			t.Errorf("colour %v: %q", colour, text)
		}
		plain := strings.NewReplacer("\x1b[31m", "", "\x1b[32m", "", "\x1b[0m", "").Replace(text)
		for line := range strings.Lines(plain) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > statusWidth {
				t.Errorf("%d columns: %s", n, line)
			}
		}
		for _, want := range []string{"12:00:00   something does not work", "123457k", "0 ms  –\n", "          it does not hear", "a-machin…", ":65000 bad "} {
			if !strings.Contains(plain, want) {
				t.Errorf("it does not say %q:\n%s", want, plain)
			}
		}
	}
}
