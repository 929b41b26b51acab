package consistency

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// noticed is how long after the end of another program everybody must see what it
// wrote, where that is promised: the server looks every 100 ms; the rest is for a
// machine that is busy with the load itself, and is what the test allows, not what
// is usual.
const noticed = 100*time.Millisecond + 250*time.Millisecond

// writeBeside writes to the server's database with another program, one record after
// the other: what is missed of one of them can be seen until it has its turn again.
func (w *world) writeBeside(ctx context.Context) {
	for i := 0; ctx.Err() == nil; i = (i + 1) % strays {
		r := &w.outside[i]
		v := r.sent.Add(1)
		err := w.another(fmt.Sprintf("UPDATE beside SET n = %d WHERE id = '%s';", v, counterID(i)))
		if err != nil {
			w.report.failure(ctx, err)
			return
		}
		w.report.outside.Add(1)
		pause(ctx, max(w.promised, noticed))
		if ctx.Err() != nil {
			return
		}
		if w.promised > 0 {
			r.answered(v) // from now on nobody may see less
		}
		pause(ctx, time.Duration(rand.IntN(100))*time.Millisecond)
	}
}

// another is what another program does. Several servers share a database that takes many
// writers at once; and one of theirs may wait for long, while servers are away.
func (w *world) another(sql string) error {
	if len(w.others) == 0 {
		w.quiet.Lock()
		defer w.quiet.Unlock()
	}
	return w.beside(sql)
}

// viewBeside reads what the other program writes. What is seen before everybody
// must see it binds nobody.
func (w *world) viewBeside(ctx context.Context, c *client) error {
	i := rand.IntN(strays)
	r := &w.outside[i]
	path := "/api/collections/beside/records/" + counterID(i)
	if rand.IntN(4) == 0 {
		path += fmt.Sprintf("?fields=id,n,x%d", rand.Uint64())
	}
	var got item
	least := r.floor.Load()
	if err := get(ctx, c, path, &got); err != nil {
		return err
	}
	if got.N < least || got.N > r.sent.Load() {
		w.report.violation("what another program wrote: %d, %v after it had written %d", got.N, max(w.promised, noticed), least)
	}
	return nil
}
