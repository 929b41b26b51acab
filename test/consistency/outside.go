package consistency

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// noticed is how long after the end of the sqlite3 program everybody must see
// what it wrote: the server looks every 100 ms; the rest is for a machine that
// is busy with the load itself, and is what the test allows, not what is usual.
const noticed = 100*time.Millisecond + 250*time.Millisecond

// writeBeside writes to the server's file with another program.
func (w *world) writeBeside(ctx context.Context) {
	file := filepath.Join(w.server.Dir, "data.db")
	for ctx.Err() == nil {
		v := w.outside.sent.Add(1)
		sql := fmt.Sprintf(".timeout 5000\nUPDATE beside SET n = %d WHERE id = '%s';\n", v, counterID(0))
		cmd := exec.Command("sqlite3", "-bail", file) // not ended with ctx: half a write says nothing
		cmd.Stdin = strings.NewReader(sql)
		w.quiet.Lock()
		out, err := cmd.CombinedOutput()
		w.quiet.Unlock()
		if err != nil {
			w.report.failure(ctx, fmt.Errorf("sqlite3: %w: %s", err, out))
			return
		}
		w.report.outside.Add(1)
		pause(ctx, noticed)
		if ctx.Err() != nil {
			return
		}
		w.outside.answered(v) // from now on nobody may see less
		pause(ctx, time.Duration(rand.IntN(100))*time.Millisecond)
	}
}

// viewBeside reads what the other program writes. What is seen before everybody
// must see it binds nobody.
func (w *world) viewBeside(ctx context.Context, c *client) error {
	path := "/api/collections/beside/records/" + counterID(0)
	if rand.IntN(4) == 0 {
		path += fmt.Sprintf("?fields=id,n,x%d", rand.Uint64())
	}
	var got item
	least := w.outside.floor.Load()
	if err := get(ctx, c, path, &got); err != nil {
		return err
	}
	if got.N < least || got.N > w.outside.sent.Load() {
		w.report.violation("what sqlite3 wrote: %d, %v after it had written %d", got.N, noticed, least)
	}
	return nil
}
