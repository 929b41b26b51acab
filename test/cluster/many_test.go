package cluster

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/test/target"
)

const (
	many  = "/api/collections/many/records"
	first = "many00000000001"
)

// TestSchedule15: records whose tags collide in the index are changed, and then a
// transaction changes very many rows. Nothing is shown as it was before, and soon all is as
// usual.
func TestSchedule15(t *testing.T) {
	rows := 50_000
	if long {
		rows = 1_000_000
	}
	// No relays: they would carry the log of all rows twice, on the processors it needs.
	s := newStage(t, target.ClusterOptions{Straight: true})
	var made struct{ ID string }
	s.must(t, s.Members[0], "POST", "/api/collections", object{
		"name": "many", "type": "base", "listRule": "", "viewRule": "", "fields": []any{object{"name": "n", "type": "number"}},
	}, &made)
	_, err := s.SQL(t.Context(), fmt.Sprintf("INSERT INTO many (id, n) SELECT 'many' || lpad(i::text, 11, '0'), 0 FROM generate_series(1, %d) i", rows))
	must(t, err)
	s.ready(t)
	for _, m := range s.Members {
		soon(t, m.Name+" shows it", func() bool { return s.ask(t.Context(), m, "GET", many+"/"+first, "", nil).status == http.StatusOK })
	}
	s.collide(t, made.ID)
	w := s.watching(t, 1, s.Members...)
	began := time.Now()
	_, err = s.SQL(t.Context(), "UPDATE many SET n = -1")
	must(t, err)
	committed := time.Now()
	var back time.Duration
	var answering sync.WaitGroup
	answering.Go(func() {
		for _, m := range s.Members {
			for _, _, ok := s.try(t.Context(), m, keys-1, ""); !ok && t.Context().Err() == nil; _, _, ok = s.try(t.Context(), m, keys-1, "") {
				rest(t.Context(), 5*time.Millisecond)
			}
		}
		back = time.Since(committed)
	})
	var slowest time.Duration
	seen := ""
	for n := int64(1); n < 20; n++ {
		a, at := answer{}, time.Now()
		for a.status != http.StatusOK {
			if a = s.ask(t.Context(), s.Members[n%3], "PATCH", records+"/"+keyID(0), "", value(n)); a.status != http.StatusOK && a.status != http.StatusServiceUnavailable {
				t.Fatal(a)
			}
		}
		slowest = max(slowest, time.Since(at))
		w.answered(0, n)
		over := time.Since(committed) > bound
		for _, m := range s.Members {
			switch got, a, ok := s.tryAt(t.Context(), m, many+"/"+first, ""); {
			case ok && got == -1:
				seen = m.Name
			case ok && (over || seen != ""):
				t.Errorf("%s shows %s, %v after the commit (shown first by %q)", m.Name, a.body, time.Since(committed), seen)
			}
		}
	}
	answering.Wait()
	t.Logf("%d rows: updated in %v; the slowest write beside took %v; all answer again %v after the commit",
		rows, committed.Sub(began).Round(time.Millisecond), slowest.Round(time.Millisecond), back.Round(time.Millisecond))
	if goal := 5 * time.Second; long && back > goal {
		t.Errorf("all answer again %v after the commit, goal %v", back, goal)
	}
	w.end()
	if n := w.unheard.Load(); n > 0 { // a 503 says when to come again (newStage looks)
		t.Errorf("%d reads had no answer at all", n)
	}
	// What other programs write is shown within the lease.
	for _, m := range s.Members {
		soon(t, m.Name+" shows the new value", func() bool {
			got, _, ok := s.tryAt(t.Context(), m, many+"/"+first, "")
			return ok && got == -1
		})
	}
}

// collide has records be written that share a slot of the index. A change of one has all
// others be read again, which is what shows that they share it; and each is shown as it is.
func (s *stage) collide(t *testing.T, collection string) {
	t.Helper()
	all := twins(collection, 3)
	for _, id := range all {
		s.must(t, s.Members[0], "POST", many, object{"id": id}, nil)
	}
	all = append(all, first)
	now := make([]int64, len(all))
	show := func() {
		t.Helper()
		for i, id := range all {
			for _, m := range s.Members {
				if n, a, ok := s.tryAt(t.Context(), m, many+"/"+id, ""); !ok || n != now[i] {
					t.Errorf("%s shows %v of %s, which is %d", m.Name, a, id, now[i])
				}
			}
		}
	}
	for n := int64(1); n < 13; n++ {
		show()
		before := s.counted(t, "pando_cache_stale_total", s.Members...)
		for k := range 2 { // of the first one the slot knows no more than of the second one
			i := (int(n) + k) % len(all)
			s.must(t, s.Members[n%3], "PATCH", many+"/"+all[i], object{"n": n}, nil)
			now[i] = n
		}
		show()
		if found := s.counted(t, "pando_cache_stale_total", s.Members...) - before; found <= float64(2*len(s.Members)) {
			t.Errorf("two changes have %v facts of %d members be read again, and %d records share a slot", found, len(s.Members), len(all))
		}
	}
}

// slots are those of the index of a server (cluster.Config).
const slots = 1 << 21

// twins are ids of records that share a slot with the first one of a collection.
func twins(collection string, count int) (ids []string) {
	slot := position.RecordTag(collection, first) % slots
	for i := int64(1e10); len(ids) < count; i++ {
		if id := "twin" + strconv.FormatInt(i, 10); position.RecordTag(collection, id)%slots == slot {
			ids = append(ids, id)
		}
	}
	return ids
}
