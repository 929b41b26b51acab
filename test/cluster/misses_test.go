package cluster

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/pandobase/pando/test/target"
)

// TestAThousandMisses: a thousand clients ask for the same at once, and it lies in no cache.
// A server asks the database once, whatever happens; three of them ask once between them,
// unless the one who does is so slow that the others have no patience (cached.tier), or the
// cache server is late.
func TestAThousandMisses(t *testing.T) {
	const clients, rounds = 1000, 20
	// No relays: they would take part in what is to be at once.
	s := newStage(t, target.ClusterOptions{Replicas: 1, Caches: 1, Straight: true, Flags: []string{"--shadow-reads", "off"}})
	s.http = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	t.Cleanup(s.http.CloseIdleConnections)
	s.calm(t)
	s.cached(t, 0) // nothing counts as changed any more
	// atOnce has all of them ask these servers for a record, in words that tell it from others.
	atOnce := func(words string, of ...*target.Member) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		var all sync.WaitGroup
		start := make(chan struct{})
		for i := range clients {
			all.Go(func() {
				<-start
				if a := s.ask(ctx, of[i%len(of)], "GET", records+"/"+keyID(0)+"?fields=id,n,"+words, "", nil); a.status != http.StatusOK || a.old {
					t.Errorf("%s: %v", words, a)
				}
			})
		}
		close(start)
		all.Wait()
	}
	late := func() (n float64) {
		for _, why := range []string{"late", "failed", "left out"} {
			n += sum(t, "pando_cache_server_requests_total", "result", why, s.Members...)
		}
		return n
	}
	// block is some rounds of it: how often the database was asked, and a cache server late.
	block := func(try int, of ...*target.Member) (total, lates float64) {
		t.Helper()
		atOnce("open", of...) // the connections
		all := []float64{}
		for round := range rounds {
			lateBefore, before, perServer := late(), queries(t, of...), make([]float64, len(of))
			for i, m := range of {
				perServer[i] = sum(t, "pando_cache_requests_total", "result", "miss", m)
			}
			atOnce(fmt.Sprintf("x%d_%d_%d", len(of), try, round), of...)
			made := 0.0
			for i, m := range of {
				n := sum(t, "pando_cache_requests_total", "result", "miss", m) - perServer[i]
				if n > 1 {
					t.Errorf("%s has asked the database %.0f times for the same", m.Name, n)
				}
				made += n
			}
			asked, wasLate := queries(t, of...)-before, late()-lateBefore
			if made < 1 || asked < made {
				t.Errorf("%.0f answers made of %.0f queries", made, asked)
			}
			total += made
			lates += wasLate
			all = append(all, asked)
		}
		t.Logf("%d servers, %d clients at once: %v queries; a cache server was late %.0f times", len(of), clients, all, lates)
		return total, lates
	}
	for _, of := range [][]*target.Member{s.Members[:1], s.Members} {
		// One a round, or now and then one more; if nobody waited for another one, it would be
		// 2.4. Who is slow to ask has others lose their patience: of three blocks one counts.
		for try := 1; ; try++ {
			total, lates := block(try, of...)
			if total <= rounds || len(of) > 1 && total <= rounds*1.6+lates {
				break
			}
			if try == 3 {
				t.Errorf("%d servers asked the database %.0f times in %d rounds, and too often %d times", len(of), total, rounds, try)
				break
			}
		}
	}
}
