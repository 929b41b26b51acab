package consistency

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/pandobase/pando/test/judge"
)

// bystanders is how many records of the crowd never change and never match. They
// make a search of the table worth remembering, where that is done.
func (g ground) bystanders() int {
	if g.promised > 0 && len(g.others) == 0 {
		return 1000
	}
	return 50
}

func (w *world) fillCrowd(ctx context.Context) error {
	for i := range counters + w.bystanders() {
		r := object{"n": -1}
		if i < counters {
			r = object{"id": counterID(i), "n": 0}
		}
		if err := w.insert(ctx, "crowd", r); err != nil {
			return err
		}
	}
	return nil
}

// stir counts up records of the crowd, which match the filter every other time.
func (w *world) stir(ctx context.Context) {
	c := w.client(w.root.token)
	defer c.close()
	for ctx.Err() == nil {
		i := rand.IntN(counters)
		v := w.crowd[i].Send()
		w.quiet.RLock()
		err := c.must(ctx, "PATCH", "/api/collections/crowd/records/"+counterID(i), object{"n": v, "odd": v%2 == 1}, nil)
		w.quiet.RUnlock()
		if err != nil {
			w.report.failure(ctx, err)
			return
		}
		w.crowd[i].Noted(c.by, v)
		w.report.writes.Add(1)
		pause(ctx, time.Duration(rand.IntN(8))*time.Millisecond)
	}
}

// crowded lists the odd ones of the crowd with their number.
func (w *world) crowded(ctx context.Context, c *client) error {
	var least [counters]judge.Bound
	for i := range least {
		least[i] = w.crowd[i].Bound()
	}
	path := "/api/collections/crowd/records?filter=odd=true"
	if rand.IntN(4) == 0 {
		path += fmt.Sprintf("&fields=id,n,x%d", rand.Uint64()) // no answer to this is kept yet
	}
	var got page
	if err := get(ctx, c, path, &got); err != nil {
		return err
	}
	if got.TotalItems != int64(len(got.Items)) {
		w.report.violation("the odd ones of the crowd are %d, and %d are listed", got.TotalItems, len(got.Items))
	}
	there := map[string]item{}
	for _, it := range got.Items {
		there[it.ID] = it
	}
	for i := range counters {
		switch it, found := there[counterID(i)]; {
		case found && (it.N%2 == 0 || !w.crowd[i].Saw(c.by, least[i], it.N)):
			w.report.violation("the odd ones of the crowd have %s with %d, after %s", it.ID, it.N, w.crowd[i].Text(c.by, least[i]))
		case !found && !w.crowd[i].SawParity(c.by, least[i], false):
			w.report.violation("the odd ones of the crowd lack %s, after %s", counterID(i), w.crowd[i].Text(c.by, least[i]))
		}
	}
	return nil
}
