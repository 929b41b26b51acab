package lb

import (
	"net/http"

	"github.com/pandobase/pando/internal/overload"
)

// alwaysPaths are answered whatever else waits: by them operators see what is wrong and
// change it. Those that end in a slash stand for all below them.
var alwaysPaths = []string{"/livez", "/readyz", "/api/health", "/api/system", "/api/settings", "/api/logs/", "/_/"}

// classOf is how much a request matters. A client may say that one of its requests
// matters less (RFC 9218: Priority: u=5 to u=7; a browser's prefetch), not that it
// matters more.
func classOf(r *http.Request) class {
	switch {
	case mustAnswer(r.URL.Path):
		return always
	case overload.IsPrefetch(r.Header.Get("Sec-Purpose")) || r.Header.Get("Purpose") == "prefetch" || overload.IsLow(r.Header.Get("Priority")):
		return low
	}
	return normal
}

func mustAnswer[T string | []byte](path T) bool {
	for _, p := range alwaysPaths {
		if len(path) >= len(p) && string(path[:len(p)]) == p && (len(path) == len(p) || p[len(p)-1] == '/') {
			return true
		}
	}
	return false
}
