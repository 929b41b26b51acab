// Package deploy checks what operators install: deploy/.
package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var units = []string{"pando.service", "pando-lb.service"}

// TestUnits: systemd understands every line, and finds what they run. The binary and
// the user are this machine's, as nothing is installed.
func TestUnits(t *testing.T) {
	dir := t.TempDir()
	var paths []string
	for _, name := range units {
		text, err := os.ReadFile(filepath.Join("../../deploy/systemd", name))
		if err != nil {
			t.Fatal(err)
		}
		here := strings.ReplaceAll(string(text), "/usr/local/bin/pando", "/bin/true")
		here = strings.ReplaceAll(here, "=pando\n", "=daemon\n")
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(here), 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	out, err := exec.Command("systemd-analyze", append([]string{"verify", "--man=no", "--recursive-errors=no"}, paths...)...).CombinedOutput()
	if err != nil || strings.Contains(string(out), dir) {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}

	// A line that it does not know is noticed: the check checks.
	wrong := filepath.Join(dir, "wrong.service")
	if err := os.WriteFile(wrong, []byte("[Service]\nExecStart=/bin/true\nProtectEverything=true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ = exec.Command("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", wrong).CombinedOutput()
	if !strings.Contains(string(out), "ProtectEverything") {
		t.Errorf("a wrong line is not noticed:\n%s", out)
	}
}

// exposed is systemd's own measure, from 0 to 10; below 2 it says OK.
const exposed = 2.0

// TestUnitsAreHardened: a Pando that is broken into can do little.
func TestUnitsAreHardened(t *testing.T) {
	for _, name := range units {
		out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--no-pager", filepath.Join("../../deploy/systemd", name)).CombinedOutput()
		m := regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`).FindSubmatch(out)
		if err != nil || m == nil {
			t.Fatalf("systemd-analyze security %s: %v\n%s", name, err, out)
		}
		level, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil || level > exposed {
			t.Errorf("%s is exposed by %s, more than %v:\n%s", name, m[1], exposed, out)
		}
		t.Logf("%s: %s", name, m[1])
	}
}
