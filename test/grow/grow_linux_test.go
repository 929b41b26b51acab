package grow

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/test/pebble"
	"github.com/pandobase/pando/test/target"
)

// machine is one of the document's.
type machine struct {
	name        string
	dir         string
	http, https int
	running     *process
}

// process is a server or a load balancer under way.
type process struct {
	cmd   *exec.Cmd
	url   string
	admin string
	said  *bytes.Buffer
	done  chan struct{}
}

// world is all of them, and the client.
type world struct {
	t        *testing.T
	bin      string // directory of the binary
	replace  *strings.Replacer
	machines map[string]*machine
	acme     []string // environment of whoever names a domain
	client   *http.Client
	token    string
	records  int
}

func TestGrow(t *testing.T) {
	root, err := target.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "docs/grow.md"))
	if err != nil {
		t.Fatal(err)
	}
	w := build(t)
	blocks := regexp.MustCompile("(?s)```sh\n# on (\\w+)(, stopped|, instead)?\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if all := strings.Count(string(text), "```sh\n"); len(blocks) != all || all < 15 {
		t.Fatalf("%d blocks of %d say on which machine they run", len(blocks), all)
	}
	for i, b := range blocks {
		t.Logf("block %d, on %s", i+1, b[1])
		if b[2] == ", stopped" {
			w.machine(b[1]).stop(t)
		}
		w.run(w.machine(b[1]), b[3])
		if b[2] != ", stopped" {
			w.check()
		}
	}
	if w.records < len(blocks)-5 {
		t.Errorf("only %d records were made on the way", w.records)
	}
}

func build(t *testing.T) *world {
	bin, err := target.BuildPando(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	db := localclustertest.Replicated(t, 2, localcluster.ReplicatedOptions{})
	if err := db.Primary().CreateDatabase(t.Context(), "app"); err != nil {
		t.Fatal(err)
	}
	caches := localclustertest.Redis(t, 3, localcluster.RedisOptions{})
	private := localclustertest.Ports(t, 2)
	shared := t.TempDir()
	files := filepath.Join(shared, "files")
	if err := os.Mkdir(files, 0o700); err != nil {
		t.Fatal(err)
	}
	quoted := func(s string) string { return "'" + s + "'" }
	w := &world{
		t: t, bin: t.TempDir(), machines: map[string]*machine{},
		replace: strings.NewReplacer(
			"postgres://pando@db1,db2,db3/app", quoted(db.URL("app", "postgres")),
			"postgres://pando@db1/app", quoted(db.Primary().URL("app", "postgres")),
			"redis://c1,c2,c3", quoted(caches[0].RedisURL(caches[0].Addr(), caches[1].Addr(), caches[2].Addr())),
			"file:///shared/files", "file://"+files, "/etc/pando/secret", filepath.Join(shared, "secret"),
			"10.0.0.11:8100", private[0].Addr(), "10.0.0.12:8100", private[1].Addr(),
		),
	}
	if err := os.Symlink(bin, filepath.Join(w.bin, "pando")); err != nil {
		t.Fatal(err)
	}
	web1 := w.machine("web1")
	authority := pebble.Start(t, web1.http, web1.https)
	w.acme = []string{"PANDO_ACME_DIRECTORY=" + authority.Directory, "PANDO_ACME_ROOT=" + authority.RootFile}
	transport := &http.Transport{ // every name is this machine
		TLSClientConfig: &tls.Config{RootCAs: authority.Roots(t)}, DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(addr)
			if err != nil {
				return nil, err
			}
			return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:"+port)
		},
	}
	w.client = &http.Client{Transport: transport, Timeout: 10 * time.Second}
	t.Cleanup(func() {
		for _, m := range w.machines {
			m.stop(t)
		}
	})
	return w
}

func (w *world) machine(name string) *machine {
	m := w.machines[name]
	if m == nil {
		ports := localclustertest.Ports(w.t, 2)
		m = &machine{name: name, dir: w.t.TempDir(), http: ports[0].Number(), https: ports[1].Number()}
		w.machines[name] = m
	}
	return m
}

// run runs the lines of a block.
func (w *world) run(m *machine, script string) {
	w.t.Helper()
	var exports []string
	for line := range strings.Lines(script) {
		line = w.replace.Replace(strings.TrimSpace(line))
		if set, ok := strings.CutPrefix(line, "export "); ok {
			exports = append(exports, set)
			continue
		}
		env := append(w.environment(m, line), exports...)
		if strings.HasPrefix(line, "pando serve") || strings.HasPrefix(line, "pando lb") {
			m.stop(w.t)
			m.running = w.start(m, line, env)
			continue
		}
		ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
		cmd := exec.CommandContext(ctx, "sh", "-e", "-c", line)
		cmd.Dir, cmd.Env = m.dir, env
		out, err := cmd.CombinedOutput()
		cancel()
		if err != nil {
			w.t.Fatalf("on %s: %s: %v\n%s", m.name, line, err, out)
		}
	}
}

// environment has this machine's ports, and what stands for the internet.
func (w *world) environment(m *machine, line string) []string {
	env := []string{"PATH=" + w.bin + ":" + os.Getenv("PATH"), "HOME=" + m.dir, "PANDO_ADMIN=127.0.0.1:0"}
	switch {
	case strings.Contains(line, "app.example.com"):
		env = append(env, fmt.Sprintf("PANDO_HTTP=127.0.0.1:%d", m.http), fmt.Sprintf("PANDO_HTTPS=127.0.0.1:%d", m.https))
		env = append(env, w.acme...)
	case strings.HasPrefix(line, "pando serve"):
		env = append(env, fmt.Sprintf("PANDO_HTTP=127.0.0.1:%d", m.http))
	case m.running != nil:
		env = append(env, "PANDO_SERVER="+m.running.admin)
	}
	return env
}

// start starts a server or a load balancer, and waits until it is ready.
func (w *world) start(m *machine, line string, env []string) *process {
	w.t.Helper()
	p := &process{cmd: exec.Command("sh", "-c", "exec "+line), said: new(bytes.Buffer), done: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env = m.dir, env
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	ready := make(chan bool, 1)
	started := make(chan error, 1)
	go func() {
		defer close(p.done)
		runtime.LockOSThread() // the process ends with this thread
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			p.said.Write(append(lines.Bytes(), '\n'))
			var said struct{ Msg, URL, Admin string }
			if json.Unmarshal(lines.Bytes(), &said) == nil && said.Msg == "ready" {
				p.url, p.admin = said.URL, said.Admin
				ready <- true
			}
		}
		_ = p.cmd.Wait() // it was told to end, or said why
		close(ready)
	}()
	if err := <-started; err != nil {
		w.t.Fatal(err)
	}
	select {
	case ok := <-ready:
		if !ok {
			w.t.Fatalf("on %s: %s ended\n%s", m.name, line, p.said)
		}
	case <-time.After(time.Minute):
		_ = p.cmd.Process.Kill()
		<-p.done
		w.t.Fatalf("on %s: %s is not ready\n%s", m.name, line, p.said)
	}
	return p
}

// stop ends what runs on the machine, in good order.
func (m *machine) stop(t *testing.T) {
	t.Helper()
	p := m.running
	if p == nil {
		return
	}
	m.running = nil
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
	force := time.AfterFunc(30*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer force.Stop()
	<-p.done
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("%s ended with %d\n%s", m.name, code, p.said)
	}
	if t.Failed() {
		t.Logf("%s said\n%s", m.name, p.said)
	}
}

// check asks for the records of before, and makes another: where the world comes in.
func (w *world) check() {
	w.t.Helper()
	at := w.machines["web1"].running
	if lb := w.machines["lb1"]; lb != nil && lb.running != nil {
		at = lb.running
	}
	if w.token == "" && !w.begin(at.url) {
		return
	}
	list := w.call("GET", at.url+"/api/collections/posts/records", nil)
	if got, _ := list["totalItems"].(float64); int(got) != w.records {
		w.t.Fatalf("%d records were made, %v are there", w.records, list["totalItems"])
	}
	w.call("POST", at.url+"/api/collections/posts/records", map[string]any{"title": fmt.Sprint(w.records)})
	w.records++
}

// begin logs in and makes a collection, once there is a superuser.
func (w *world) begin(url string) bool {
	w.t.Helper()
	body, status, err := w.send("POST", url+"/api/collections/_superusers/auth-with-password", map[string]any{"identity": "me@example.com", "password": "a long password"})
	if err != nil || status != http.StatusOK {
		return false
	}
	w.token, _ = body["token"].(string)
	w.call("POST", url+"/api/collections", map[string]any{
		"name": "posts", "type": "base", "listRule": "", "createRule": "", "fields": []map[string]any{{"name": "title", "type": "text"}},
	})
	return true
}

// call waits for a certificate, and for a load balancer to have found its servers.
func (w *world) call(method, url string, body any) map[string]any {
	w.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); ; <-tick.C {
		out, status, err := w.send(method, url, body)
		if err == nil && status == http.StatusOK {
			return out
		}
		if retry := err != nil || status == http.StatusServiceUnavailable; !retry || time.Now().After(deadline) {
			w.t.Fatalf("%s %s: %d %v, %v", method, url, status, out, err)
		}
	}
}

func (w *world) send(method, url string, body any) (out map[string]any, status int, err error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, 0, err
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, url, bytes.NewReader(text))
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", w.token)
	res, err := w.client.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, 0, err
	}
	_ = json.Unmarshal(answer, &out) // an error may be no JSON
	return out, res.StatusCode, nil
}
