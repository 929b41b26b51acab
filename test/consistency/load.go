package consistency

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/pandobase/pando/test/judge"
)

// run lets everybody loose until ctx ends.
func (w *world) run(ctx context.Context) {
	var all sync.WaitGroup
	for g := range counters / 2 {
		all.Go(func() { w.count(ctx, g) })
	}
	all.Go(func() { w.grow(ctx) })
	all.Go(func() { w.stir(ctx) })
	all.Go(func() { w.writeBeside(ctx) })
	if len(w.others) > 0 {
		all.Go(func() { w.writeMany(ctx) })
		if !w.deaf {
			all.Go(func() { w.writeTwins(ctx) })
		}
	}
	if w.weather != nil {
		all.Go(func() {
			if err := w.weather(ctx); err != nil {
				w.report.failure(ctx, err)
			}
		})
	}
	for _, g := range w.gates {
		if !w.ruled {
			all.Go(func() { g.keep(ctx, w) })
		}
	}
	for _, t := range w.tokens {
		all.Go(func() { t.keep(ctx, w) })
	}
	for range clients {
		all.Go(func() { w.listen(ctx) })
	}
	for i := range cmp.Or(w.readers, readers) {
		all.Go(func() { w.read(ctx, w.stormy() && i%2 == 1) })
	}
	for _, g := range w.gates {
		if g.burst && !w.ruled {
			all.Go(func() { w.knock(ctx, g) })
		}
	}
	all.Wait()
}

// count is a writer, who counts two records up.
func (w *world) count(ctx context.Context, g int) {
	c := w.client(w.root.token)
	defer c.close()
	for ctx.Err() == nil {
		i := 2*g + rand.IntN(2)
		r := &w.records[i]
		v := r.Send()
		begun := w.sample.Now()
		w.quiet.RLock()
		times, err := c.send(ctx, "PATCH", "/api/collections/counters/records/"+counterID(i), object{"n": v, "odd": v%2 == 1}, nil)
		if times > 1 {
			r.Repeat(v, times)
		}
		w.quiet.RUnlock()
		if err != nil {
			w.report.failure(ctx, err)
			return
		}
		w.sample.Wrote(i, begun, v)
		r.Noted(c.by, v)
		w.report.writes.Add(1)
		c.saw("write", i, v)
		if rand.IntN(4) == 0 { // its own write, if not by who says that he may lack it
			if err := w.checked(c, w.viewRecord(ctx, c, "counters", "", i)); err != nil {
				w.report.failure(ctx, err)
				return
			}
		}
		pause(ctx, time.Duration(rand.IntN(8))*time.Millisecond)
	}
}

// grow makes records.
func (w *world) grow(ctx context.Context) {
	for ctx.Err() == nil {
		v := w.created.Send()
		w.quiet.RLock()
		err := w.insert(ctx, "growing", object{"id": fmt.Sprintf("grown%010d", v), "n": v})
		w.quiet.RUnlock()
		if err != nil {
			w.report.failure(ctx, err)
			return
		}
		w.created.Answered(v)
		w.report.writes.Add(1)
		pause(ctx, time.Duration(rand.IntN(20))*time.Millisecond)
	}
}

// impatience is how long those wait for an answer who do not wait for a frozen server
// to thaw. What it has to say then is heard by the others.
const impatience = 250 * time.Millisecond

// read is one connection that asks for this and that.
func (w *world) read(ctx context.Context, impatient bool) {
	c := w.client("")
	defer c.close()
	if impatient {
		c.http.Timeout = impatience
	}
	kinds := []func(context.Context, *client) error{
		w.view, w.view, w.freshView, w.expand, w.list, w.page, w.filtered, w.crowded, w.crowded, w.total, w.own, w.viewBeside, w.mirrored,
		func(ctx context.Context, c *client) error { return w.gates[rand.IntN(len(w.gates))].try(ctx, c, w) },
		func(ctx context.Context, c *client) error { return w.gates[rand.IntN(len(w.gates))].try(ctx, c, w) },
		func(ctx context.Context, c *client) error { return w.tokens[rand.IntN(len(w.tokens))].try(ctx, c, w) },
	}
	if len(w.others) > 0 {
		kinds = append(kinds, w.viewMany, w.listTwins)
	}
	if w.rereads > 0 {
		kinds = append(kinds, w.poll)
	}
	for ctx.Err() == nil {
		err := kinds[rand.IntN(len(kinds))](ctx, c)
		c.backOff(ctx, err)
		if err := w.checked(c, err); err != nil {
			w.report.failure(ctx, err)
			if ctx.Err() == nil {
				return
			}
		}
	}
}

// checked counts an answer that was checked, if nothing else said that it may be old; one that
// did not come is no failure.
func (w *world) checked(c *client, err error) error {
	switch {
	case errors.Is(err, errRefused):
		return nil
	case err == nil && !c.by.Marked:
		w.report.reads.Add(1)
	}
	return err
}

// knock tries one gate again and again.
func (w *world) knock(ctx context.Context, g *gate) {
	c := w.client("")
	defer c.close()
	for ctx.Err() == nil {
		err := g.try(ctx, c, w)
		c.backOff(ctx, err)
		if err := w.checked(c, err); err != nil {
			w.report.failure(ctx, err)
			return
		}
		pause(ctx, time.Duration(rand.IntN(1000))*time.Microsecond)
	}
}

// item is a record as it comes.
type item struct {
	ID     string
	N      int64
	Owner  string
	Expand struct{ To *item }
}

type page struct {
	Items      []item
	TotalItems int64
}

func get(ctx context.Context, c *client, path string, out any) error {
	return getAs(ctx, c, c.token, path, out)
}

// getAs reads what is there. What an answer with an Age shows is checked too.
func getAs(ctx context.Context, c *client, token, path string, out any) error {
	status, err := c.ask(ctx, token, "GET", path, nil, out)
	if err == nil && status != 200 {
		err = fmt.Errorf("GET %s: status %d", path, status)
	}
	return err
}

func (w *world) view(ctx context.Context, c *client) error { return w.viewOne(ctx, c, "") }

// poll asks for one record again and again, of any server each time.
func (w *world) poll(ctx context.Context, c *client) error {
	i := rand.IntN(counters)
	for range w.rereads - 1 {
		if err := w.viewRecord(ctx, c, "counters", "", i); err != nil || c.by.Marked {
			return err
		}
		w.report.reads.Add(1)
		w.report.again.Add(1)
	}
	return w.viewRecord(ctx, c, "counters", "", i)
}

// freshView asks in words that nobody used before, so that it cannot be
// answered from the cache.
func (w *world) freshView(ctx context.Context, c *client) error {
	return w.viewOne(ctx, c, fmt.Sprintf("?fields=id,n,x%d", rand.Uint64()))
}

func (w *world) viewOne(ctx context.Context, c *client, query string) error {
	return w.viewOf(ctx, c, "counters", query)
}

func (w *world) viewOf(ctx context.Context, c *client, collection, query string) error {
	return w.viewRecord(ctx, c, collection, query, rand.IntN(counters))
}

func (w *world) viewRecord(ctx context.Context, c *client, collection, query string, i int) error {
	var got item
	least, begun := w.records[i].Bound(), w.sample.Now()
	if err := get(ctx, c, "/api/collections/"+collection+"/records/"+counterID(i)+query, &got); err != nil {
		return err
	}
	if got.ID == counterID(i) {
		c.saw(collection+query, i, got.N)
	}
	if !c.by.Marked {
		w.sample.Read(i, begun, got.N)
	}
	w.check(c, collection+query, i, least, got)
	return nil
}

// mirrored asks a view for a record, or for all.
func (w *world) mirrored(ctx context.Context, c *client) error {
	if rand.IntN(2) == 0 {
		return w.viewOf(ctx, c, "mirror", "")
	}
	var got page
	least := w.bounds()
	if err := get(ctx, c, "/api/collections/mirror/records?perPage=500", &got); err != nil {
		return err
	}
	if len(got.Items) != counters {
		w.report.violation("mirror: %d records", len(got.Items))
	}
	for _, it := range got.Items {
		for i := range counters {
			if it.ID == counterID(i) {
				w.check(c, "mirror", i, least[i], it)
			}
		}
	}
	return nil
}

func (w *world) check(c *client, how string, i int, least judge.Bound, got item) {
	if got.ID != counterID(i) {
		w.report.violation("%s of %s answered with %s", how, counterID(i), got.ID)
	} else if !w.records[i].Saw(c.by, least, got.N) {
		w.report.violation("%s of %s: %d, after %s (sent: %d)", how, got.ID, got.N, w.records[i].Text(c.by, least), w.records[i].Sent())
	}
}

func (w *world) expand(ctx context.Context, c *client) error {
	i := rand.IntN(counters)
	var got item
	least := w.records[i].Bound()
	if err := get(ctx, c, "/api/collections/links/records/"+linkID(i)+"?expand=to", &got); err != nil {
		return err
	}
	if got.Expand.To == nil {
		w.report.violation("expand of %s: nothing", linkID(i))
		return nil
	}
	w.check(c, "expand", i, least, *got.Expand.To)
	return nil
}

// bounds is what was answered by now, of every record.
func (w *world) bounds() (b [counters]judge.Bound) {
	for i := range b {
		b[i] = w.records[i].Bound()
	}
	return b
}

// list reads all records at once: besides being new enough, two such answers
// must be snapshots of one history.
func (w *world) list(ctx context.Context, c *client) error {
	path := "/api/collections/counters/records?sort=pos"
	if rand.IntN(4) == 0 {
		path += fmt.Sprintf("&fields=id,n,x%d", rand.Uint64())
	}
	var got page
	least := w.bounds()
	if err := get(ctx, c, path, &got); err != nil {
		return err
	}
	if len(got.Items) != counters {
		w.report.violation("list: %d records", len(got.Items))
		return nil
	}
	var state [counters]int64
	for i, it := range got.Items {
		c.saw("list", i, it.N)
		w.check(c, "list", i, least[i], it)
		state[i] = it.N
	}
	w.lists.Add(state[:])
	return nil
}

func (w *world) page(ctx context.Context, c *client) error {
	number := rand.IntN(counters / perPage)
	var got page
	least := w.bounds()
	err := get(ctx, c, fmt.Sprintf("/api/collections/counters/records?sort=pos&perPage=%d&page=%d", perPage, number+1), &got)
	if err != nil {
		return err
	}
	if len(got.Items) != perPage {
		w.report.violation("page %d: %d records", number, len(got.Items))
		return nil
	}
	for k, it := range got.Items {
		i := number*perPage + k
		w.check(c, fmt.Sprintf("page %d", number), i, least[i], it)
	}
	return nil
}

// filtered lists the records with an odd value: one that is missing was even.
func (w *world) filtered(ctx context.Context, c *client) error {
	var got page
	least := w.bounds()
	if err := get(ctx, c, "/api/collections/counters/records?filter=odd=true&skipTotal=1", &got); err != nil {
		return err
	}
	there := map[string]item{}
	for _, it := range got.Items {
		there[it.ID] = it
		if it.N%2 == 0 {
			w.report.violation("the list of odd records has %s with %d", it.ID, it.N)
		}
	}
	for i := range counters {
		if it, found := there[counterID(i)]; found {
			w.check(c, "filtered list", i, least[i], it)
		} else if !w.records[i].SawParity(c.by, least[i], false) {
			w.report.violation("the list of odd records lacks %s, after %s", counterID(i), w.records[i].Text(c.by, least[i]))
		}
	}
	return nil
}

func (w *world) total(ctx context.Context, c *client) error {
	var got page
	least := w.created.Bound()
	if err := get(ctx, c, "/api/collections/growing/records?perPage=1", &got); err != nil {
		return err
	}
	if !w.created.Saw(c.by, least, got.TotalItems) {
		w.report.violation("total: %d, after %s", got.TotalItems, w.created.Text(c.by, least))
	}
	return nil
}

// own lists what belongs to one of the mates.
func (w *world) own(ctx context.Context, c *client) error {
	p := w.people[rand.IntN(len(w.people))]
	var got page
	if err := getAs(ctx, c, p.token, "/api/collections/owned/records", &got); err != nil {
		return err
	}
	for _, it := range got.Items {
		if it.Owner != p.id {
			w.report.violation("%s is shown a record of %s", strings.TrimRight(p.id, "0"), it.Owner)
		}
	}
	if len(got.Items) != owned {
		w.report.violation("%s is shown %d of %d records", p.id, len(got.Items), owned)
	}
	return nil
}
