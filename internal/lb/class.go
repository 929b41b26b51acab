package lb

import (
	"net/http"
	"strings"
)

// alwaysPaths are answered whatever else waits: by them operators see what is wrong and
// change it. Those that end in a slash stand for all below them.
var alwaysPaths = []string{"/livez", "/readyz", "/api/health", "/api/system", "/api/settings", "/api/logs/", "/_/"}

// classOf is how much a request matters. A client may say that one of its requests
// matters less (RFC 9218: Priority: u=5 to u=7; a browser's prefetch), not that it
// matters more.
func classOf(r *http.Request) class {
	for _, p := range alwaysPaths {
		if r.URL.Path == p || strings.HasSuffix(p, "/") && strings.HasPrefix(r.URL.Path, p) {
			return always
		}
	}
	if strings.Contains(r.Header.Get("Sec-Purpose"), "prefetch") || r.Header.Get("Purpose") == "prefetch" {
		return low
	}
	for item := range strings.SplitSeq(r.Header.Get("Priority"), ",") {
		switch strings.TrimSpace(item) {
		case "u=5", "u=6", "u=7":
			return low
		}
	}
	return normal
}
