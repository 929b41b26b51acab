// Package sdk runs the PocketBase JavaScript SDK, as it is published, against
// a server: what an app does from signing up to subscribing. One script
// (suite.mjs) runs in Node and, from another origin, in a real browser, against
// the peer and against Pando.
package sdk

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"testing"
	"time"

	"github.com/pandobase/pando/test/node"
	"github.com/pandobase/pando/test/target"
)

// least is how many steps the suite must have taken: a script that ends early
// without a word must not pass.
const least = 28

func TestSDKNode(t *testing.T) { run(t, "node.mjs", target.Kinds()) }

func TestSDKBrowser(t *testing.T) {
	node.NeedBrowser(t)
	run(t, "browser.mjs", target.Kinds())
}

func run(t *testing.T, script string, kinds []target.Kind) {
	node.Install(t, ".")
	for _, kind := range kinds {
		t.Run(kind.Name, func(t *testing.T) { suite(t, script, kind.Start(t)) })
	}
}

// step is what the suite says of one of its steps.
type step struct {
	Name  string `json:"name"`
	OK    bool   `json:"ok"`
	Error string `json:"error"`
}

func suite(t *testing.T, script string, s *target.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", script, s.URL, s.Email, s.Password)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = 5 * time.Second
	runErr := cmd.Run()

	taken := 0
	lines := bufio.NewScanner(&stdout)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var s step
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Errorf("%s printed what is not a step: %s", script, lines.Text())
			continue
		}
		taken++
		t.Run(s.Name, func(t *testing.T) {
			if !s.OK {
				t.Error(s.Error)
			}
		})
	}
	if err := errors.Join(runErr, lines.Err()); err != nil {
		t.Errorf("%s: %v\n%s", script, err, stderr.String())
	}
	if taken < least {
		t.Errorf("%s took only %d steps, want at least %d\n%s", script, taken, least, stderr.String())
	}
}
