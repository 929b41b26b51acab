package web

import (
	"testing"
)

// TestCounts: requests of clients are counted once, failures apart; health checks and
// streams are not.
func TestCounts(t *testing.T) {
	f := newFake()
	h := f.handler(t)
	if c := h.Counts(); c.Requests != 0 || c.Errors != 0 {
		t.Errorf("before the first: %+v", c)
	}
	for range 3 {
		request(h, "GET", openView, "")
	}
	request(h, "GET", "/livez", "")
	request(h, "GET", "/api/health", "")
	h.metrics.route("GET /api/x").done(500, 3e9)
	h.metrics.route("GET /api/realtime").done(500, 3e9)
	h.metrics.route("GET /api/x").done(404, 1e6)
	c := h.Counts()
	if c.Requests != 5 || c.Errors != 1 {
		t.Errorf("%d requests, %d errors; want 5 and 1", c.Requests, c.Errors)
	}
	if len(c.Buckets) != len(c.Bounds)+1 || c.Buckets[len(c.Bounds)] != 5 || c.Buckets[len(c.Bounds)-1] != 5 || c.Buckets[len(c.Bounds)-4] != 4 {
		t.Errorf("buckets %v of %v", c.Buckets, c.Bounds)
	}
	if n := h.InFlight(); n != 0 {
		t.Errorf("%d under way", n)
	}
}
