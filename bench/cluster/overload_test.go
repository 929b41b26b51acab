package cluster

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando/bench/internal/load"
)

// BenchmarkOverload is three servers behind a load balancer, asked for lists that no
// cache has: first as fast as they can, then eight tenths of that, of which nobody should
// refuse any as long as another has room, then three times as much. All of it shares two
// processors, the database most of all. Goals: goodput 90 % of the peak, p99 of what is
// accepted 3 × unloaded, and retries within their budget, a fifth.
func BenchmarkOverload(b *testing.B) {
	s := newStage(b, 20_000)
	lb := s.StartBalancer(b, append(s.Join(), "--client-conns", "off")...)
	addr := strings.TrimPrefix(lb.URL, "http://")
	rng := rand.New(rand.NewPCG(3, 4))
	run := func(o load.Options) load.Result {
		o.Addr, o.Kinds = addr, []load.Kind{{Name: "list", Status: http.StatusOK, Refused: http.StatusServiceUnavailable}}
		o.Script = load.ScriptFunc(func(_ int, dst []byte) ([]byte, load.Shot) {
			filter := url.QueryEscape(fmt.Sprintf("body ~ '%d' && n < %d", rng.IntN(20_000), 1+rng.IntN(1e9)))
			return fmt.Appendf(dst, "GET %s?perPage=5&sort=-title&skipTotal=1&filter=%s HTTP/1.1\r\nHost: %s\r\n\r\n", records, filter, addr), load.Shot{}
		})
		r, err := load.Run(b.Context(), o)
		if err != nil {
			b.Fatal(err)
		}
		if r.Errors > 0 { // part of what is measured here
			b.Logf("%d wrong answers beside %d:", r.Errors, r.Completed)
			for why, n := range r.Wrong {
				b.Logf("  %d times: %s", n, why)
			}
		}
		return r
	}
	again := func() float64 { // requests sent once more, of any reason
		sum := 0.0
		for _, name := range []string{"pando_lb_retries_total", "pando_lb_hedges_total"} {
			all, err := lb.Metrics(b.Context(), name)
			if err != nil {
				b.Fatal(err)
			}
			for _, v := range all {
				sum += v
			}
		}
		return sum
	}
	ms := func(r load.Result, q float64) float64 { return float64(r.Latencies().ValueAtQuantile(q)) / 1000 }
	share := func(r load.Result, of float64) float64 {
		return 100 * of / (float64(r.Refused[0].TotalCount()) + float64(r.Completed+r.Errors))
	}
	for b.Loop() {
		peak := 0.0
		for _, conns := range []int{4, 8, 16, 32} { // the first also warms up
			full := run(load.Options{Conns: conns, Duration: 3 * time.Second})
			peak = max(peak, full.PerSecond())
		}
		quiet := run(load.Options{Conns: 200, Duration: 8 * time.Second, Rate: peak / 10})
		below := run(load.Options{Conns: 300, Duration: 10 * time.Second, Rate: peak * 0.8})
		before, refused := again(), s.sum(b, s.Members, "pando_http_refused_total", "")
		over := run(load.Options{Conns: 2000, Duration: 20 * time.Second, Rate: peak * 3})
		b.ReportMetric(peak, "peak/s")
		b.ReportMetric(ms(quiet, 50), "unloaded-p50-ms")
		b.ReportMetric(ms(quiet, 99), "unloaded-p99-ms")
		b.ReportMetric(share(below, float64(below.Refused[0].TotalCount())), "refused-%-at-0.8")
		b.ReportMetric(share(below, float64(below.Errors)), "wrong-%-at-0.8")
		b.ReportMetric(ms(below, 99), "p99-ms-at-0.8")
		b.ReportMetric(over.PerSecond()/peak, "goodput-of-peak-at-3")
		b.ReportMetric(ms(over, 50), "p50-ms-at-3")
		b.ReportMetric(ms(over, 99), "p99-ms-at-3")
		b.ReportMetric(share(over, float64(over.Refused[0].TotalCount())), "refused-%-at-3")
		b.ReportMetric(share(over, float64(over.Errors)), "wrong-%-at-3")
		b.ReportMetric(share(over, s.sum(b, s.Members, "pando_http_refused_total", "")-refused), "refused-by-servers-%-at-3")
		b.ReportMetric(share(over, again()-before), "sent-again-%-at-3")
	}
}
