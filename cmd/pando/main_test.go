package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// binary is the built binary.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "pando-cli-")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "pando")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		panic(string(out))
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// command runs the binary in dir with only the given PANDO_ variables.
func command(dir string, env []string, args ...string) *exec.Cmd {
	cmd := exec.Command(binary, args...)
	cmd.Dir = dir
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, envPrefix) {
			cmd.Env = append(cmd.Env, e)
		}
	}
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

func runIn(t *testing.T, dir string, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := command(dir, env, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestUsageErrors(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "typo.yaml", "public-dri: x\n")
	write(t, dir, "section.toml", "[http]\naddr = 'x'\n")
	write(t, dir, "twice.json", `{"public-dir":"a","publicDir":"b"}`)
	write(t, dir, "broken.yaml", "a: [\n")
	write(t, dir, "x.ini", "a=b")
	for _, test := range []struct {
		args, env []string
		want      string
	}{
		{[]string{"serv"}, nil, "serve"},
		{[]string{"serve", "extra"}, nil, "no domain"},
		{[]string{"serve", "https://app.example.com"}, nil, "no domain name"},
		{[]string{"serve", "a.example.com", "--domains", "b.example.com"}, nil, "one of both"},
		{[]string{"serve", "--acme-email", "me@example.com"}, nil, "where domains are named"},
		{[]string{"serve", "--htpp", "x"}, nil, "did you mean --http?"},
		{[]string{"serve", "--http", "nonsense"}, nil, "HOST:PORT"},
		{[]string{"serve", "--cache-size", "lots"}, nil, "64MB"},
		{[]string{"serve"}, []string{"PANDO_READERS=many"}, "environment PANDO_READERS"},
		{[]string{"serve", "--log-level", "loud"}, nil, "debug, info, warn or error"},
		{[]string{"serve", "--log-format", "xml"}, nil, "text, json or auto"},
		{[]string{"serve", "--stop-timeout", "-1s"}, nil, "above 0"},
		{[]string{"serve", "--direct=perhaps"}, nil, "neither true nor false"},
		{[]string{"node", "list"}, nil, "--database"},
		{[]string{"node", "drain"}, nil, "drain SERVER"},
		{[]string{"lb", "--join", "10.0.0.1"}, []string{"PANDO_CLUSTER_SECRET=0123456789abcdef"}, "HOST:PORT"},
		{[]string{"lb", "--join", "10.0.0.1:1"}, nil, "PANDO_CLUSTER_SECRET"},
		{[]string{"serve", "--config", "typo.yaml"}, nil, `did you mean "public-dir"?`},
		{[]string{"serve", "--config", "section.toml"}, nil, "one value"},
		{[]string{"serve", "--config", "twice.json"}, nil, "given twice"},
		{[]string{"serve", "--config", "broken.yaml"}, nil, "broken.yaml"},
		{[]string{"serve", "--config", "x.ini"}, nil, ".yaml, .toml or .json"},
		{[]string{"serve", "--config", "missing.yaml"}, nil, "does not exist"},
		{[]string{"serve"}, []string{"PANDO_CONFIG=missing.yaml"}, "does not exist"},
		{[]string{"serve"}, []string{"PANDO_HTTP_FILE=missing"}, "PANDO_HTTP_FILE"},
		{[]string{"superuser", "create", "only@one.argument"}, nil, "EMAIL PASS"},
		{[]string{"backup", "restore"}, nil, "FILE"},
	} {
		code, stdout, stderr := runIn(t, dir, test.env, test.args...)
		if code != 2 || !strings.Contains(stderr, test.want) || stdout != "" {
			t.Errorf("%q %q: exit code %d, stdout %q, stderr %q; want code 2 and %q", test.args, test.env, code, stdout, stderr, test.want)
		}
	}
	if entries, _ := os.ReadDir(filepath.Join(dir, "pando_data")); len(entries) > 0 {
		t.Error("a usage error made a data directory")
	}
}

func TestConfigPrecedence(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "c.yaml", "http: 1.1.1.1:1\npublicDir: from-file\norigins: [https://a.example, https://b.example]\nreload: true\nreaders: 7\n")
	secret := write(t, dir, "pages", "from-env-file\n")
	code, stdout, stderr := runIn(t, dir,
		[]string{"PANDO_HTTP=2.2.2.2:2", "PANDO_PAGES_DIR_FILE=" + secret, "PANDO_CONFIG=c.yaml", "PANDO_ADMIN="},
		"config", "show", "--json", "--http", "3.3.3.3:3")
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	var got map[string]struct{ Value, Origin string }
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][2]string{
		"http":       {"3.3.3.3:3", "flag --http"},
		"public-dir": {"from-file", "file c.yaml"},
		"pages-dir":  {"from-env-file", "environment PANDO_PAGES_DIR"},
		"admin":      {"127.0.0.1:8091", "default"},
		"origins":    {"https://a.example,https://b.example", "file c.yaml"},
		"readers":    {"7", "file c.yaml"},
		"reload":     {"true", "file c.yaml"},
	} {
		if g := got[name]; g.Value != want[0] || g.Origin != want[1] {
			t.Errorf("%s = %q from %q, want %q", name, g.Value, g.Origin, want)
		}
	}
	code, stdout, _ = runIn(t, dir, nil, "config", "show", "--publicDir", "camel", "--cacheSize=1GiB")
	if code != 0 || !regexp.MustCompile(`public-dir +camel`).MatchString(stdout) || !regexp.MustCompile(`cache-size +1GiB`).MatchString(stdout) {
		t.Errorf("camel case: %d %s", code, stdout)
	}
}

func TestVersionAndHelp(t *testing.T) {
	for _, args := range [][]string{{"version"}, {"--version"}, {"version", "--json"}, {"--help"}, {"serve", "--help"}, {"backup"}} {
		if code, stdout, stderr := runIn(t, t.TempDir(), nil, args...); code != 0 || stdout == "" || stderr != "" {
			t.Errorf("%q: %d %q %q", args, code, stdout, stderr)
		}
	}
}

func TestSuperuser(t *testing.T) {
	dir := t.TempDir()
	in := func(args ...string) (int, string) {
		code, stdout, stderr := runIn(t, dir, nil, append(append([]string{"superuser"}, args...), "--dir", "data")...)
		return code, stdout + stderr
	}
	for _, step := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"create", "a@b.co", "12345678"}, 0, "Superuser a@b.co created."},
		{[]string{"create", "a@b.co", "12345678"}, 1, "Error:"},
		{[]string{"create", "nonsense", "12345678"}, 1, "email"},
		{[]string{"create", "c@d.co", "short"}, 1, "password"},
		{[]string{"update", "nobody@b.co", "12345678"}, 1, "doesn't exist"},
		{[]string{"update", "a@b.co", "87654321"}, 0, "saved"},
		{[]string{"upsert", "c@d.co", "12345678"}, 0, "saved"},
		{[]string{"delete", "a@b.co"}, 0, "deleted"},
		{[]string{"delete", "c@d.co"}, 1, "only existing"},
	} {
		if code, out := in(step.args...); code != step.code || !strings.Contains(out, step.want) {
			t.Errorf("%q: %d %s", step.args, code, out)
		}
	}
}

// process is a `pando serve` under way.
type process struct {
	cmd    *exec.Cmd
	url    string
	lines  *bufio.Scanner
	ready  map[string]any
	output *bytes.Buffer
}

func serveIn(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	return serveWith(t, dir, nil, args...)
}

func serveWith(t *testing.T, dir string, env []string, args ...string) *process {
	t.Helper()
	return started(t, command(dir, env, append([]string{"serve", "--http", "127.0.0.1:0", "--dir", "data"}, args...)...))
}

// started starts a server or a load balancer, and waits until it answers.
func started(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{cmd: cmd, output: new(bytes.Buffer)}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.cmd.Process.Kill(); p.cmd.Wait() })
	p.lines = bufio.NewScanner(stderr)
	for p.lines.Scan() {
		p.output.Write(append(p.lines.Bytes(), '\n'))
		var line map[string]any
		if json.Unmarshal(p.lines.Bytes(), &line) == nil && line["msg"] == "ready" {
			p.ready, p.url = line, line["url"].(string)
			return p
		}
	}
	t.Fatalf("not ready: %s", p.output)
	return nil
}

// end sends a signal and returns the exit code.
func (p *process) end(t *testing.T, signal os.Signal) int {
	t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	for p.lines.Scan() {
		p.output.Write(append(p.lines.Bytes(), '\n'))
	}
	p.cmd.Wait()
	return p.cmd.ProcessState.ExitCode()
}

func TestServe(t *testing.T) {
	dir := t.TempDir()
	p := serveIn(t, dir, "--log-level", "debug")
	if p.ready["first_superuser_needed"] != true {
		t.Errorf("ready: %v", p.ready)
	}
	link := filepath.Join(dir, "data", installLinkFile)
	info, err := os.Stat(link)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("install link: %v %v", info, err)
	}
	content, _ := os.ReadFile(link)
	token := strings.TrimSpace(string(content[bytes.LastIndexByte(content, '/')+1:]))
	if res, err := http.Get(strings.TrimSpace(string(content))); err != nil || res.StatusCode != 200 {
		t.Errorf("the link %s: %v %v", content, res, err)
	}
	// A second server is told who has the directory.
	code, _, stderr := runIn(t, dir, nil, "serve", "--http", "127.0.0.1:0", "--dir", "data")
	if code != 1 || !strings.Contains(stderr, "in use by") || !strings.Contains(stderr, p.url) {
		t.Errorf("second server: %d %s", code, stderr)
	}
	// The address is taken.
	code, _, stderr = runIn(t, dir, nil, "serve", "--http", strings.TrimPrefix(p.url, "http://"), "--dir", "other")
	if code != 1 || !strings.Contains(stderr, "--http") {
		t.Errorf("address in use: %d %s", code, stderr)
	}
	// One-shot commands work beside it.
	if code, _, stderr := runIn(t, dir, nil, "superuser", "create", "a@b.co", "sesame-open", "--dir", "data"); code != 0 {
		t.Errorf("superuser beside the server: %d %s", code, stderr)
	}
	body := strings.NewReader(`{"identity":"a@b.co","password":"sesame-open"}`)
	res, err := http.Post(p.url+"/api/collections/_superusers/auth-with-password", "application/json", body)
	if err != nil {
		t.Fatal(err)
	}
	var login struct{ Token string }
	if err := json.NewDecoder(res.Body).Decode(&login); err != nil || res.StatusCode != 200 {
		t.Fatalf("login: %d %v", res.StatusCode, err)
	}
	if code := p.end(t, syscall.SIGTERM); code != 0 {
		t.Errorf("exit code after SIGTERM: %d\n%s", code, p.output)
	}
	for _, secret := range []string{"sesame-open", login.Token, token} {
		if strings.Contains(p.output.String(), secret) {
			t.Errorf("the log has a secret: %s", p.output)
		}
	}

	p = serveIn(t, dir)
	if _, err := os.Stat(link); err == nil {
		t.Error("the install link is still there, though there is a superuser")
	}
	if code := p.end(t, os.Interrupt); code != 0 {
		t.Errorf("exit code after SIGINT: %d\n%s", code, p.output)
	}
}

func TestFirstSuperuserFromEnvironment(t *testing.T) {
	dir := t.TempDir()
	password := write(t, dir, "password", "sesame-open\n")
	env := []string{"PANDO_SUPERUSER_EMAIL=a@b.co", "PANDO_SUPERUSER_PASSWORD_FILE=" + password}
	for range 2 { // the second time there is one already
		p := serveWith(t, dir, env)
		if p.ready["first_superuser_needed"] != false {
			t.Errorf("ready: %v", p.ready)
		}
		res, err := http.Post(p.url+"/api/collections/_superusers/auth-with-password", "application/json",
			strings.NewReader(`{"identity":"a@b.co","password":"sesame-open"}`))
		if err != nil || res.StatusCode != 200 {
			t.Errorf("login: %v %v", res, err)
		}
		if p.end(t, syscall.SIGTERM); strings.Contains(p.output.String(), "sesame-open") {
			t.Error("the password is in the log")
		}
	}
	if code, _, stderr := runIn(t, dir, env[:1], "serve"); code != 2 || !strings.Contains(stderr, "go together") {
		t.Errorf("an address alone: %d %s", code, stderr)
	}
}

func TestAdminPortTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:8091")
	if err == nil { // else somebody else has it, which is as good
		defer l.Close()
	}
	p := serveIn(t, t.TempDir())
	admin, _ := p.ready["admin"].(string)
	if admin == "" || strings.HasSuffix(admin, ":8091") {
		t.Fatalf("admin at %q", admin)
	}
	if res, err := http.Get(admin + "/readyz?verbose"); err != nil || res.StatusCode != 200 {
		t.Errorf("%v %v", res, err)
	}
}

func TestSizesFollowTheMemoryLimit(t *testing.T) {
	for _, test := range []struct {
		env  string
		args []string
		want []string
	}{
		{"GOMEMLIMIT=256MiB", nil, []string{"memoryLimited: true", "gcLimitBytes: 268435456", "cacheLimitBytes: 33554432"}},
		{"GOMEMLIMIT=64MiB", nil, []string{"cacheLimitBytes: 8388608", "readers: 4"}},
		{"GOMEMLIMIT=32MiB", nil, []string{"cacheLimitBytes: 8388608", "readers: 2"}},
		{"GOMEMLIMIT=256MiB", []string{"--cache-size", "10MiB", "--readers", "3"}, []string{"cacheLimitBytes: 10485760", "readers: 3"}},
		{"GOMEMLIMIT=256MiB", []string{"--cache-size", "off"}, []string{"cacheLimitBytes: 0"}},
	} {
		p := serveWith(t, t.TempDir(), []string{test.env}, test.args...)
		res, err := http.Get(p.ready["admin"].(string) + "/readyz?verbose")
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		b.ReadFrom(res.Body)
		res.Body.Close()
		for _, want := range test.want {
			if !strings.Contains(b.String(), "\n"+want+"\n") {
				t.Errorf("%s %q: no %q in\n%s", test.env, test.args, want, b.String())
			}
		}
		p.end(t, syscall.SIGTERM)
	}
}

func TestSecondSignalForces(t *testing.T) {
	p := serveIn(t, t.TempDir(), "--stop-timeout", "1m")
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// A request whose body does not come holds the stop up.
	conn.Write([]byte("POST /api/collections/_superusers/auth-with-password HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n"))
	waitInflight(t, p)
	p.cmd.Process.Signal(syscall.SIGTERM)
	for p.lines.Scan() && !strings.Contains(p.lines.Text(), `"stopping"`) {
	}
	deadline := time.Now().Add(20 * time.Second)
	done := make(chan struct{})
	go func() { p.cmd.Wait(); close(done) }()
	tick := time.NewTicker(sameSignal + 50*time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			if code := p.cmd.ProcessState.ExitCode(); code != 1 {
				t.Errorf("exit code %d", code)
			}
			return
		case <-tick.C:
			p.cmd.Process.Signal(syscall.SIGTERM)
			if time.Now().After(deadline) {
				t.Fatal("a second signal does not end it")
			}
		}
	}
}

// waitInflight returns once the server has a request under way.
func waitInflight(t *testing.T, p *process) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		res, err := http.Get(p.ready["admin"].(string) + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		b.ReadFrom(res.Body)
		res.Body.Close()
		if strings.Contains(b.String(), "\npando_http_inflight_requests 1\n") {
			return
		}
	}
	t.Fatal("the request did not arrive")
}

func TestBackup(t *testing.T) {
	dir := t.TempDir()
	p := serveIn(t, dir)
	if code, _, stderr := runIn(t, dir, nil, "superuser", "create", "a@b.co", "12345678", "--dir", "data"); code != 0 {
		t.Fatal(stderr)
	}
	code, stdout, stderr := runIn(t, dir, nil, "backup", "create", "b.zip", "--dir", "data") // while it serves
	if code != 0 || !strings.Contains(stdout, "written and checked") {
		t.Fatalf("create: %d %s %s", code, stdout, stderr)
	}
	if code, _, _ := runIn(t, dir, nil, "backup", "create", "b.zip", "--dir", "data"); code != 1 {
		t.Errorf("a backup in the place of another: %d", code)
	}
	if code, _, stderr := runIn(t, dir, nil, "backup", "restore", "b.zip", "--dir", "data"); code != 1 || !strings.Contains(stderr, "not empty") {
		t.Errorf("restore over data: %d %s", code, stderr)
	}
	if code, _, stderr := runIn(t, dir, nil, "backup", "create", "c.zip", "--dir", "nowhere"); code != 1 || !strings.Contains(stderr, "no Pando data") {
		t.Errorf("backup of nothing: %d %s", code, stderr)
	}
	p.end(t, syscall.SIGTERM)
	if code, _, stderr := runIn(t, dir, nil, "backup", "restore", "b.zip", "--dir", "restored"); code != 0 {
		t.Fatalf("restore: %s", stderr)
	}
	// The restored directory has the superuser: a second of the name is refused.
	if code, _, _ := runIn(t, dir, nil, "superuser", "create", "a@b.co", "12345678", "--dir", "restored"); code != 1 {
		t.Errorf("the superuser is not in the restored directory")
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if strings.Contains(d.Name(), ".pando-") || strings.HasSuffix(d.Name(), ".part") {
			t.Errorf("left behind: %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
