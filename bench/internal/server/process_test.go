package server

import (
	"context"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestMain lets the test's own program be the bare server, as pandobench does.
func TestMain(m *testing.M) {
	if len(os.Args) == 6 && os.Args[1] == "bare" {
		log.Fatal(ServeBare(os.Args[3], os.Args[5]))
	}
	os.Exit(m.Run())
}

var answer = Answer{Status: 200, Header: http.Header{"Content-Type": {"application/json"}, "X-Test": {"yes"}}, Body: []byte(`{"id":"1"}`)}

// config starts the bare server with the answer above.
func config(t *testing.T) Config {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin, err := Inspect(Bare, self)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "answer.json")
	if err := answer.Write(file); err != nil {
		t.Fatal(err)
	}
	return Config{Binary: bin, Data: file, Work: dir}
}

func start(t *testing.T, c Config) *Process {
	t.Helper()
	p, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Stop() })
	return p
}

func TestBareGivesTheCapturedAnswer(t *testing.T) {
	p := start(t, config(t))
	got, err := Capture(p.Addr, []byte("GET /anything HTTP/1.1\r\nHost: test\r\n\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(answer, got); diff != "" {
		t.Error(diff)
	}
}

func TestProcess(t *testing.T) {
	c := config(t)
	c.CPUs = "0"
	p := start(t, c)
	if p.StartTime <= 0 || !p.Alive() {
		t.Errorf("started in %v, alive %v", p.StartTime, p.Alive())
	}
	m, err := p.Memory()
	if err != nil || m.Resident <= 0 || m.Peak < m.Resident || m.Anonymous > m.Resident {
		t.Errorf("memory %+v, %v", m, err)
	}
	before, err := p.CPU()
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for after := before; after == before; {
		if time.Now().After(deadline) {
			t.Fatal("the processor time of a busy server stays the same")
		}
		for range 100 {
			res, err := http.Get("http://" + p.Addr + "/")
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
		if after, err = p.CPU(); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		p.Stop()
		if p.Alive() {
			t.Error("alive after Stop")
		}
	}
	if _, err := p.Memory(); err == nil {
		t.Error("an ended server has memory")
	}
}

func TestServerThatDoesNotStart(t *testing.T) {
	c := config(t)
	c.Data = filepath.Join(c.Work, "no-such-file")
	_, err := Start(t.Context(), c)
	if err == nil || !strings.Contains(err.Error(), "no-such-file") {
		t.Errorf("Start = %v, want the server's own words", err)
	}
}

func TestImitatedLimitEndsTheServer(t *testing.T) {
	c := config(t)
	c.Limit = &Limit{Bytes: 1 << 20}
	if c.Limit.Real() {
		t.Error("a limit without a control group is real")
	}
	p := start(t, c)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	p.Watch(ctx)
	<-p.ended
	if ctx.Err() != nil {
		t.Error("a server of more than 1 MB lives within 1 MB")
	}
	if err := p.Stop(); err == nil || !strings.Contains(err.Error(), "ended by itself") {
		t.Errorf("Stop = %v", err)
	}
}

func TestLimitNeedsAControlGroup(t *testing.T) {
	c := config(t)
	parent := t.TempDir()
	c.Limit = &Limit{Bytes: 1 << 20, Parent: parent}
	if _, err := Start(t.Context(), c); err == nil || !strings.Contains(err.Error(), "no memory controller") {
		t.Errorf("Start = %v", err)
	}
	if left, err := os.ReadDir(parent); err != nil || len(left) > 0 {
		t.Errorf("%d groups are left behind, %v", len(left), err)
	}
}

func TestNoProgram(t *testing.T) {
	_, err := Inspect(Pando, filepath.Join(t.TempDir(), "pando"))
	if err == nil || !strings.Contains(err.Error(), "make build") {
		t.Errorf("Inspect = %v, want what to do", err)
	}
}
