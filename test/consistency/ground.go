package consistency

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/pandobase/pando/test/target"
)

// ground is what a run is held on.
type ground struct {
	server *target.Server
	// beside runs SQL in the server's database with another program.
	beside func(sql string) error
	// promised tells whether everybody must see within noticed what that one wrote.
	promised bool
	// weather disturbs what lies below the server, until ctx ends; nil: nothing does.
	weather func(ctx context.Context) error
}

// onOneMachine is a server on SQLite.
func onOneMachine(s *target.Server) ground {
	file := filepath.Join(s.Dir, "data.db")
	return ground{server: s, promised: true, beside: func(sql string) error {
		cmd := exec.Command("sqlite3", "-bail", file) // not ended with ctx: half a write says nothing
		cmd.Stdin = strings.NewReader(".timeout 5000\n" + sql + "\n")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("sqlite3: %w: %s", err, out)
		}
		return nil
	}}
}
