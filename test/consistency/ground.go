package consistency

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/pandobase/pando/test/target"
)

// ground is what a run is held on.
type ground struct {
	server *target.Server   // the first of
	others []*target.Server // whom every request may be sent to, another one each time
	// beside runs SQL in the server's database with another program, and is what that prints.
	beside func(sql string) (string, error)
	// promised is how long after its end everybody must see what that one wrote; 0: no
	// promise is made.
	promised time.Duration
	// log is the database's own, where it has one that everybody may read.
	log *slot
	// balanced tells that the servers are load balancers, which send on to any.
	balanced bool
	// faulty tells that servers are killed, frozen and cut off, if only by a machine that is
	// slow: requests fail, and are sent again; what listens to realtime begins anew.
	faulty bool
	// deaf tells that servers hear nothing of each other: each tells its clients of its own
	// writes alone, and all read what the primary shows, in the order in which that does.
	deaf bool
	// readers are connections that read; 0: as many as is usual.
	readers int
	// rereads is how often in a row some of them ask for one record, as who polls does: nearly
	// all of that is answered from caches.
	rereads int
	// rest is how long rules, and very many records at once, stay as they are between
	// bursts of changes; 0: as usual.
	rest time.Duration
	// ruled tells that rules and settings stay as they are. Each change of them voids all that
	// is cached, and is a reason not to ask a replica that is late.
	ruled bool
	// settled waits, where servers are killed and cut off, until the database does
	// nothing more that it was asked for before the call; nil where none are.
	settled func(ctx context.Context) error
	// failovers is how often the primary was replaced; nil: it never is. A client's position
	// may lie beyond the log that is left then, though nothing is lost that it was answered.
	failovers func() int64
	// weather disturbs what lies below the server, until ctx ends; nil: nothing does.
	weather func(ctx context.Context) error
	// begun is told of the report of a run when that begins; may be nil.
	begun func(*report)
}

// bases are the addresses of all servers.
func (g ground) bases() []string {
	list := []string{g.server.URL}
	for _, s := range g.others {
		list = append(list, s.URL)
	}
	return list
}

// stormy tells that servers are away for long.
func (g ground) stormy() bool { return g.faulty && g.weather != nil }

// life is how often server i was started again.
func (g ground) life(i int) int64 {
	if i == 0 {
		return g.server.Life()
	}
	return g.others[i-1].Life()
}

// onOneMachine is a server on SQLite.
func onOneMachine(s *target.Server) ground {
	file := filepath.Join(s.Dir, "data.db")
	return ground{server: s, promised: noticed, beside: func(sql string) (string, error) {
		cmd := exec.Command("sqlite3", "-bail", file) // not ended with ctx: half a write says nothing
		cmd.Stdin = strings.NewReader(".timeout 5000\n" + sql + "\n")
		out, err := cmd.CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("sqlite3: %w: %s", err, out)
		}
		return string(out), nil
	}}
}
