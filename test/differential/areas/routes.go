package areas

import "fmt"

// Routes: what is there, what is not, methods, and headers for browsers.

func routes() []req {
	var all []req
	for _, as := range everyone {
		for _, path := range []string{"/api/health", "/api/nope", "/api", "/api/", "/api/collections/posts/nope", "/api/realtime/nope", "/api/files", "/api/files/posts", "/nope/really", "/api/collections/posts/records/" + id("post", 1) + "/more"} {
			all = append(all, req{Name: fmt.Sprintf("GET %s as %s", path, called(as)), As: as, Path: path})
		}
	}
	for _, r := range []struct{ method, path string }{
		{"POST", "/api/health"}, {"HEAD", "/api/health"}, {"DELETE", "/api/health"}, {"PUT", "/api/collections/posts/records"}, {"PUT", "/api/collections/posts/records/" + id("post", 1)}, {"POST", "/api/collections/posts/records/" + id("post", 1)}, {"PATCH", "/api/collections/posts/records"}, {"DELETE", "/api/collections/posts/records"}, {"GET", "/api/batch"}, {"PUT", "/api/realtime"}, {"GET", "/api/files/token"}, {"PUT", "/api/settings"}, {"DELETE", "/api/settings"}, {"POST", "/api/collections/import"}, {"HEAD", "/api/nope"}, {"HEAD", "/api/collections/rule_null/records"}, {"HEAD", "/api/settings"}, {"TRACE", "/api/health"}, {"PROPFIND", "/api/health"}, {"get", "/api/health"},
		{"GET", "/api/health/"}, {"GET", "/api/HEALTH"}, {"GET", "/API/health"}, {"GET", "/api/collections/posts/records/"}, {"GET", "/api/collections/po%73ts/records/" + id("post", 1) + "?fields=id"}, {"GET", "/api/collections/posts%2Frecords"}, {"GET", "/api/collections/posts/records/%00"}, {"GET", "/api/collections/posts/records/a%2Fb"}, {"GET", "/api/collections/posts/records/%E4"}, {"GET", "/api//health"}, {"GET", "/api/collections/posts/records/" + id("post", 1) + "?"}, {"GET", "/api/collections/posts/records/POST00000000001"},
	} {
		all = append(all, req{Name: r.method + " " + r.path, Method: r.method, Path: r.path})
	}
	for _, path := range []string{"/api/health", "/api/collections/posts/records", "/api/nope", "/", "/api/settings", "/api/files/token"} {
		for i, h := range []map[string]string{
			{}, {"Origin": "https://example.com"}, {"Origin": "https://example.com", "Access-Control-Request-Method": "PATCH"}, {"Origin": "https://example.com", "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,authorization,x-custom"}, {"Origin": "null", "Access-Control-Request-Method": "GET"}, {"Access-Control-Request-Method": "GET"}, {"Origin": "nonsense"},
		} {
			all = append(all, req{Name: fmt.Sprintf("OPTIONS %s %d", path, i), Method: "OPTIONS", Path: path, Headers: h})
		}
		all = append(all, req{Name: "GET with Origin " + path, Path: path, Headers: map[string]string{"Origin": "https://example.com"}})
	}
	return append(all,
		req{Name: "error with Origin", Path: at("rule_null"), Headers: map[string]string{"Origin": "https://example.com"}},
		req{Name: "accept-encoding", Path: at("posts"), Query: q("perPage", "2"), Headers: map[string]string{"Accept-Encoding": "gzip, br"}},
		req{Name: "accept", Path: "/api/health", Headers: map[string]string{"Accept": "text/html"}},
		req{Name: "language", Path: at("nope"), Headers: map[string]string{"Accept-Language": "de-DE"}},
	)
}
