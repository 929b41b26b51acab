package differential

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/pandobase/pando/test/target"
)

// Reads are the requests that change nothing: what can be asked twice.
func Reads(requests []Request) []Request {
	return slices.DeleteFunc(slices.Clone(requests), func(q Request) bool {
		changes := q.Method != "" && q.Method != http.MethodGet && q.Method != http.MethodHead
		return changes || q.Body != "" || q.Form != nil || q.Stream != (Stream{})
	})
}

// Replay sends requests with what an earlier run had captured: its ids, and the
// tokens of its people. Nothing is captured anew.
func Replay(ctx context.Context, s *target.Server, requests []Request, vars map[string]string) Run {
	requests = slices.Clone(requests)
	for i := range requests {
		requests[i].Capture = nil
	}
	return send(ctx, s, requests, maps.Clone(vars))
}
