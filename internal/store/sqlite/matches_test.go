package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/rule"
	"github.com/pandobase/pando/internal/store"
)

// TestRememberedIsSearched lets writers change a table at random while readers
// ask for filtered pages, and holds every answer to the one that the same
// snapshot gives without what is remembered. PANDO_PROVE=1 goes on for a minute.
func TestRememberedIsSearched(t *testing.T) {
	d := 2 * time.Second
	if os.Getenv("PANDO_PROVE") != "" {
		d = time.Minute
	}
	s := open(t, Options{Dir: t.TempDir(), RememberFrom: 1})
	savePosts(t, s, "posts")
	savePosts(t, s, "others")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var asked [3]int
	for round := range uint64(10) { // a busy machine takes longer to ask often enough
		if t.Failed() || s.matches.recalled >= 100 {
			break
		}
		ctx, cancel := context.WithTimeout(t.Context(), d)
		var all sync.WaitGroup
		for i := range uint64(2) {
			w := &randomWriter{T: t, s: s, Rand: rand.New(rand.NewPCG(seed, 100*round+i)), n: int(10*round+i) * 1e6}
			all.Go(func() { w.run(ctx) })
		}
		for i := range asked {
			rng := rand.New(rand.NewPCG(seed, 100*round+10+uint64(i)))
			all.Go(func() {
				known := map[string]known{}
				for ctx.Err() == nil && !t.Failed() {
					askTwice(t, s, rng, known)
					asked[i]++
				}
			})
		}
		all.Wait()
		cancel()
	}
	t.Logf("%v answers, %d searches remembered, %d commits", asked, len(s.matches.sets), s.stats.commits.Load())
	if s.matches.recalled < 100 {
		t.Errorf("only %d of %v answers came of an earlier search", s.matches.recalled, asked)
	}
}

// randomWriter changes posts, and now and then the table itself.
type randomWriter struct {
	*testing.T
	*rand.Rand
	s *Store
	n int
}

var errChangedMind = errors.New("changed its mind")

func (w *randomWriter) run(ctx context.Context) {
	for ctx.Err() == nil && !w.Failed() {
		_, err := w.s.Write(w.Context(), func(tx store.Tx) error {
			for range 1 + w.IntN(3) {
				if err := w.change(tx); err != nil {
					return err
				}
			}
			if w.IntN(10) == 0 {
				return errChangedMind
			}
			return nil
		})
		if err != nil && !errors.Is(err, errChangedMind) {
			w.Error(err)
		}
	}
}

func (w *randomWriter) change(tx store.Tx) error {
	ctx := w.Context()
	c := tx.Catalog().Collection([]string{"posts", "posts", "posts", "others"}[w.IntN(4)])
	switch k := w.IntN(400); {
	case k == 0:
		return tx.Truncate(ctx, c)
	case k == 1: // two fields trade their names: the same filters mean something else
		next := c.Clone()
		title, body := next.Field("title"), next.Field("body")
		title.Name, body.Name = "body", "title"
		return tx.SaveCollection(ctx, c, next)
	case k < 150:
		w.n++
		return tx.Insert(ctx, w.draw(c, number15(w.n)))
	}
	page, err := tx.Find(ctx, store.Query{Collection: c, Sort: []rule.SortKey{{Random: true}}, Limit: 1})
	if err != nil || len(page.Records) == 0 {
		return err
	}
	if w.IntN(3) == 0 {
		return tx.Delete(ctx, page.Records[0])
	}
	return tx.Update(ctx, page.Records[0], w.draw(c, page.Records[0].ID()))
}

func (w *randomWriter) draw(c *pando.Collection, id string) *pando.Record {
	r := pando.NewRecord(c)
	r.Set("id", id)
	r.Set("title", fmt.Sprint(w.IntN(4)))
	r.Set("body", fmt.Sprint(w.IntN(8)))
	r.Set("views", float64(w.IntN(5)))
	r.Set("public", w.IntN(2) == 0)
	r.Set("tags", [][]string{nil, {"a"}, {"a", "b"}}[w.IntN(3)])
	return r
}

// known is an earlier answer to a question.
type known struct {
	stamp position.N
	page  store.Page
}

// askTwice asks a random question of one snapshot, as readers do and as
// transactions do, which remember nothing. An earlier answer that is said to be
// unchanged must be this one.
func askTwice(t *testing.T, s *Store, rng *rand.Rand, earlier map[string]known) {
	pick := func(list ...string) string { return list[rng.IntN(len(list))] }
	filter := pick(`title = "1"`, `title = "2" && public = true`, `views > 3 || body = "5"`, `tags ~ "b"`,
		`tags:length > 1`, `@request.auth.id = "" && views <= 1`, `@request.query.x = title`, `created < @now && body = 1`,
		`@collection.others.title ?= body`)
	order := pick("", "-views", "created,-id", "-@rowid", "title,views")
	req := &pando.Request{Query: func(string) (string, bool) { return pick("0", "3"), true }}
	value, _ := req.Query("")
	req.Query = func(string) (string, bool) { return value, true }
	err := s.Read(t.Context(), func(r store.Reader) error {
		c := r.Catalog().Collection(pick("posts", "posts", "others"))
		scope := rule.Scope{Schema: r.Catalog(), Collection: c}
		compiled, err := rule.Compile(filter, scope)
		if err != nil {
			return err
		}
		sort, err := rule.CompileSort(order, scope)
		if err != nil {
			return err
		}
		q := store.Query{
			Collection: c, Where: []store.Condition{{Rule: compiled, Request: req, Now: time.Unix(2e9, 0)}}, Sort: sort,
			Offset: rng.IntN(2) * rng.IntN(8), Limit: 1 + rng.IntN(6), Total: true, IDsOnly: rng.IntN(4) == 0,
		}
		question := fmt.Sprint(c.Name, filter, value, order, q.Offset, q.Limit, q.IDsOnly)
		before, asked := earlier[question]
		same := false
		if asked {
			if same, err = r.(store.Rememberer).Unchanged(t.Context(), q, before.stamp); err != nil {
				return err
			}
		}
		got, err := r.Find(t.Context(), q)
		if err != nil {
			return err
		}
		earlier[question] = known{r.Stamp(), got}
		if same && (got.Total != before.page.Total || !slices.EqualFunc(got.Records, before.page.Records, sameRecord)) {
			t.Errorf("%s: said to be unchanged since %d, at %d it is not", question, before.stamp, r.Stamp())
		}
		plain := *r.(*reader)
		plain.inTx = true
		want, err := plain.Find(t.Context(), q)
		if err == nil && (got.Total != want.Total || !slices.EqualFunc(got.Records, want.Records, sameRecord)) {
			t.Errorf("%s: %s, sort %q, page %d, %d at %d: %d records of %d, searched %d of %d",
				c.Name, filter, order, q.Offset, q.Limit, r.Stamp(), len(got.Records), got.Total, len(want.Records), want.Total)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func sameRecord(a, b *pando.Record) bool { return reflect.DeepEqual(a.Values, b.Values) }

// TestForeignWritesAndSearches: rows that another program changes are in no log.
func TestForeignWritesAndSearches(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir(), RememberFrom: 1})
	c := savePosts(t, s, "posts")
	for i := range 9 {
		insert(t, s, post(c, number15(i)))
	}
	filter, err := rule.Compile("views = 17", rule.Scope{Schema: s.Catalog(), Collection: c})
	if err != nil {
		t.Fatal(err)
	}
	q := store.Query{Collection: c, Where: []store.Condition{{Rule: filter, Request: new(pando.Request)}}, Limit: 5, Total: true}
	for want := 9; want > 6; want-- {
		for range 2 {
			if page := find(t, s, q); page.Total != want || len(page.Records) != 5 {
				t.Fatalf("%d of %d, want 5 of %d", len(page.Records), page.Total, want)
			}
		}
		s.matches.mu.Lock()
		floor := s.matches.floor
		s.matches.mu.Unlock()
		shell(t, s.Path(), fmt.Sprintf("UPDATE posts SET views = 1 WHERE id = '%s'", number15(want-1)))
		eventually(t, "it is noticed", func() bool {
			s.matches.mu.Lock()
			defer s.matches.mu.Unlock()
			return s.matches.floor > floor
		})
	}
}

// TestRowLog covers its bounds.
func TestRowLog(t *testing.T) {
	l := rowLog{from: 10}
	for csn := uint64(11); csn <= 20; csn++ {
		l.add(csn, int64(csn%3))
	}
	for _, tt := range []struct {
		after, upTo uint64
		most        int
		want        []int64
		ok          bool
	}{
		{9, 20, 99, nil, false}, // from before the log
		{10, 10, 99, nil, true},
		{10, 11, 99, []int64{2}, true},
		{17, 20, 99, []int64{0, 1, 2}, true},
		{20, 20, 99, nil, true},
		{20, 30, 99, nil, true},
		{10, 20, 5, nil, false}, // too many
	} {
		if got, ok := l.between(tt.after, tt.upTo, tt.most); ok != tt.ok || !slices.Equal(got, tt.want) {
			t.Errorf("after %d up to %d: %v, %v, want %v, %v", tt.after, tt.upTo, got, ok, tt.want, tt.ok)
		}
	}
	for csn := uint64(21); csn <= 20+rowsLogged; csn++ {
		l.add(csn, 7)
	}
	if len(l.list) > rowsLogged || l.from <= 10 || l.list[0].csn != l.from+1 {
		t.Errorf("%d changes from %d on, the first at %d", len(l.list), l.from, l.list[0].csn)
	}
}

// TestMatchesBounds: what is remembered has a bound, and snapshots that a search
// cannot speak for are told nothing.
func TestMatchesBounds(t *testing.T) {
	var m matches
	m.forget(5)
	set := func(key string, csn uint64, rows int) *matchSet {
		return &matchSet{key: key, table: "t", csn: csn, rows: make([]int64, rows)}
	}
	m.keep(set("old", 4, 1))
	if m.sets["old"] != nil {
		t.Error("kept from before everything was forgotten")
	}
	m.change(7, &rowNotes{list: []rowNote{{"t", 1}}})
	m.keep(set("a", 6, 1)) // the log of this table begins now, after a commit that it may lack
	if m.sets["a"] != nil {
		t.Error("kept although the log does not reach back")
	}
	m.keep(set("a", 7, 1))
	m.change(8, &rowNotes{list: []rowNote{{"t", 3}, {"u", 9}}})
	if s, changed := m.get("a", 8); s == nil || !slices.Equal(changed, []int64{3}) {
		t.Errorf("%v with %v", s, changed)
	}
	if s, _ := m.get("a", 6); s != nil {
		t.Error("an older snapshot is told of later rows")
	}
	m.keep(set("a", 8, 1))
	m.keep(set("a", 7, 1))
	if s, _ := m.get("a", 8); s == nil || s.csn != 8 {
		t.Error("an older result replaced a newer one")
	}
	for i := range 2 * matchesBytes / (8 * matchesMost) {
		m.keep(set(fmt.Sprint(i), 8, matchesMost))
	}
	if m.bytes > matchesBytes || m.bytes < matchesBytes/2 || m.sets["a"] != nil {
		t.Errorf("%d bytes in %d searches", m.bytes, len(m.sets))
	}
	m.change(9, &rowNotes{more: true})
	if len(m.sets) > 0 || m.bytes != 0 {
		t.Error("more changes than were noted, and something is remembered")
	}
}
