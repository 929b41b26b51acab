package consistency

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/pandobase/pando/test/judge"
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
		v := r.Send()
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
			r.Answered(v) // from now on nobody may see less
		}
		pause(ctx, time.Duration(rand.IntN(100))*time.Millisecond)
	}
}

// many is how many records are changed at once, more than a stream names one by one.
const many = 10_001

func manyID(i int) string { return fmt.Sprintf("many%011d", i) }

// fillMany makes records for that, where there is a stream.
func (w *world) fillMany() error {
	if len(w.others) == 0 {
		return nil
	}
	return w.another(fmt.Sprintf("INSERT INTO many (id, n) SELECT 'many' || lpad(i::text, 11, '0'), 0 FROM generate_series(0, %d) i;", many-1))
}

// writeMany changes them all, again and again, and looks at some while replicas are late.
func (w *world) writeMany(ctx context.Context) {
	c := w.client("")
	defer c.close()
	if w.stormy() {
		c.http.Timeout = impatience
	}
	for ctx.Err() == nil {
		v := w.many.Send()
		if err := w.another(fmt.Sprintf("UPDATE many SET n = %d;", v)); err != nil {
			w.report.failure(ctx, err)
			return
		}
		w.report.outside.Add(1)
		for until := time.Now().Add(w.promised); time.Now().Before(until) && ctx.Err() == nil; pause(ctx, 5*time.Millisecond) {
			if err := w.checked(c, w.viewMany(ctx, c)); err != nil {
				w.report.failure(ctx, err)
				return
			}
		}
		if ctx.Err() != nil {
			return
		}
		w.many.Answered(v)
		pause(ctx, max(w.rest, time.Duration(rand.IntN(3000))*time.Millisecond))
	}
}

// viewMany reads one of them, mostly one that no cache has.
func (w *world) viewMany(ctx context.Context, c *client) error {
	var got item
	i, least := rand.IntN(many), w.many.Bound()
	if rand.IntN(4) == 0 {
		i = rand.IntN(4)
	}
	if err := get(ctx, c, "/api/collections/many/records/"+manyID(i), &got); err != nil {
		return err
	}
	if !w.many.Saw(c.by, least, got.N) {
		w.report.violation("what another program wrote to many records: %s has %d, after %s; %s", got.ID, got.N, w.many.Text(c.by, least), c.last)
	}
	return nil
}

// writeTwins writes two records one after the other: the first with a commit that waits
// until a replica shows it, the second with one that waits for nothing. The primary shows
// the later one before the earlier one then, which nobody else ever may.
func (w *world) writeTwins(ctx context.Context) {
	c := w.client("")
	defer c.close()
	if w.stormy() {
		c.http.Timeout = impatience
	}
	update := func(i int, commit string, v int64) error {
		return w.another(fmt.Sprintf("SET synchronous_commit = %s; UPDATE twins SET n = %d WHERE id = '%s';", commit, v, counterID(i)))
	}
	for ctx.Err() == nil {
		v := w.twins[0].Send()
		w.twins[1].Send()
		first := make(chan error, 1)
		go func() { first <- update(0, "remote_apply", v) }()
		err := w.waiting(first)
		if err == nil {
			err = update(1, "local", v)
		}
		if err == nil {
			err = w.checked(c, w.listTwins(ctx, c))
		}
		if err = errors.Join(err, <-first); err != nil {
			w.report.failure(ctx, err)
			return
		}
		w.report.outside.Add(2)
		pause(ctx, w.promised)
		if ctx.Err() != nil {
			return
		}
		w.twins[0].Answered(v)
		w.twins[1].Answered(v)
		pause(ctx, max(w.rest, time.Duration(rand.IntN(1000))*time.Millisecond))
	}
}

// waiting returns when the commit of another program waits for a replica, or is over; the
// channel keeps what became of it.
func (w *world) waiting(first chan error) error {
	for {
		select {
		case err := <-first:
			first <- err
			return nil
		default:
		}
		n, err := w.beside("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query LIKE '%UPDATE twins%'")
		if err != nil || n != "0" {
			return err
		}
	}
}

// listTwins lists both, in words that nobody has used before.
func (w *world) listTwins(ctx context.Context, c *client) error {
	least := [2]judge.Bound{w.twins[0].Bound(), w.twins[1].Bound()}
	var got page
	if err := get(ctx, c, fmt.Sprintf("/api/collections/twins/records?sort=id&skipTotal=1&fields=id,n,x%d", rand.Uint64()), &got); err != nil {
		return err
	}
	if len(got.Items) != 2 {
		w.report.violation("twins: %d records", len(got.Items))
		return nil
	}
	for i, it := range got.Items {
		if !w.twins[i].Saw(c.by, least[i], it.N) {
			w.report.violation("twin %d has %d, after %s; %s", i, it.N, w.twins[i].Text(c.by, least[i]), c.last)
		}
	}
	if one, two := got.Items[0].N, got.Items[1].N; one < two {
		w.report.violation("twins: %d beside the later %d; %s", one, two, c.last)
	}
	return nil
}

// another is what another program does. Several servers share a database that takes many
// writers at once; and one of theirs may wait for long, while servers are away.
func (w *world) another(sql string) error {
	if len(w.others) == 0 {
		w.quiet.Lock()
		defer w.quiet.Unlock()
	}
	_, err := w.beside(sql)
	return err
}

// viewBeside reads what the other program writes. On one machine what is seen before
// everybody must see it binds nobody; where there is a log, nobody goes back.
func (w *world) viewBeside(ctx context.Context, c *client) error {
	i := rand.IntN(strays)
	r := &w.outside[i]
	path := "/api/collections/beside/records/" + counterID(i)
	if rand.IntN(4) == 0 {
		path += fmt.Sprintf("?fields=id,n,x%d", rand.Uint64())
	}
	var got item
	least := r.Bound()
	if err := get(ctx, c, path, &got); err != nil {
		return err
	}
	switch ok := got.N >= r.Of(c.by, least) && got.N <= r.Sent(); {
	case !ok:
		w.report.violation("what another program wrote: %d, after %s, or it was written %v before", got.N, r.Text(c.by, least), max(w.promised, noticed))
	case len(w.others) > 0:
		r.Noted(c.by, got.N)
	}
	return nil
}
