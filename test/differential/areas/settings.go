package areas

import "fmt"

// Settings: who may see them and what they take.

func settings() []req {
	var all []req
	for _, as := range everyone {
		all = append(all,
			req{Name: "get as " + called(as), As: as, Path: "/api/settings"},
			req{Name: "patch as " + called(as), As: as, Method: "PATCH", Path: "/api/settings", Body: `{}`})
	}
	for _, body := range []string{
		``, `{`, `[]`, `{"nope":1}`, `{"meta":{"appName":"Other"}}`, `{"meta":{"appName":""}}`, `{"meta":{"appURL":"nope"}}`, `{"meta":{"appURL":"https://example.com/"}}`, `{"meta":{"senderAddress":"nope"}}`, `{"meta":{"senderName":""}}`, `{"meta":{"hideControls":true}}`, `{"META":{"APPNAME":"Case"}}`, `{"meta":null}`, `{"meta":5}`,
		`{"batch":{"enabled":true,"maxRequests":0}}`, `{"batch":{"enabled":true,"timeout":0}}`, `{"batch":{"enabled":true,"timeout":-1}}`, `{"batch":{"maxBodySize":-1}}`, `{"batch":{"enabled":true,"maxRequests":50,"timeout":3}}`,
		`{"logs":{"maxDays":-1}}`, `{"logs":{"maxDays":0}}`, `{"logs":{"minLevel":8,"logIP":false,"logAuthId":true}}`, `{"logs":{"maxDays":"x"}}`,
		`{"smtp":{"enabled":true,"host":"","port":0}}`, `{"smtp":{"enabled":true,"host":"mail.example.com","port":25,"username":"u","password":"p","authMethod":"NOPE"}}`, `{"smtp":{"host":"mail.example.com","port":25,"username":"u","password":"hush","authMethod":"LOGIN","localName":"localhost"}}`, `{"smtp":{"username":"v"}}`,
		`{"s3":{"enabled":true}}`, `{"s3":{"enabled":false,"bucket":"b","secret":"hush"}}`, `{"s3":{"bucket":""}}`, `{"backups":{"cron":"nope"}}`, `{"backups":{"cron":"0 0 * * *","cronMaxKeep":0}}`, `{"backups":{"cron":"","cronMaxKeep":3}}`, `{"backups":{"s3":{"enabled":true}}}`,
		`{"rateLimits":{"rules":[]}}`, `{"rateLimits":{"enabled":true,"rules":[]}}`, `{"rateLimits":{"rules":[{"label":"","maxRequests":0,"duration":0,"audience":""}]}}`, `{"rateLimits":{"rules":[{"label":"a b","maxRequests":1,"duration":1,"audience":""}]}}`, `{"rateLimits":{"rules":[{"label":"posts:list","maxRequests":1000,"duration":1,"audience":"@nope"}]}}`, `{"rateLimits":{"rules":[{"label":"posts:list","maxRequests":1000,"duration":1,"audience":""},{"label":"posts:list","maxRequests":2000,"duration":1,"audience":""}]}}`, `{"rateLimits":{"rules":[{"label":"posts:list","maxRequests":1000,"duration":1,"audience":"@guest"},{"label":"posts:list","maxRequests":2000,"duration":1,"audience":"@auth"},{"label":"GET /api/x","maxRequests":5,"duration":5,"audience":""}]}}`,
		`{"trustedProxy":{"headers":["X-Real-IP"],"useLeftmostIP":true}}`, `{"trustedProxy":{"headers":[],"useLeftmostIP":false}}`, `{"trustedProxy":{"headers":"x"}}`,
	} {
		all = append(all, req{Name: fmt.Sprintf("patch %s", body), As: superuser, Method: "PATCH", Path: "/api/settings", Body: body})
	}
	return flat(all, limits(), proxies(), []req{
		{Name: "put", As: superuser, Method: "PUT", Path: "/api/settings", Body: `{}`},
		{Name: "post", As: superuser, Method: "POST", Path: "/api/settings", Body: `{}`},
		{Name: "several errors", As: superuser, Method: "PATCH", Path: "/api/settings", Body: `{"meta":{"appName":"","appURL":"","senderName":"","senderAddress":""},"logs":{"maxDays":-1}}`},
		{Name: "as they are now", As: superuser, Path: "/api/settings"},
	})
}

// limits: the third of two requests is refused, whatever they were.
func limits() []req {
	all := []req{{Name: "limit lists", As: superuser, Method: "PATCH", Path: "/api/settings", Query: q("fields", "rateLimits"), Body: `{"rateLimits":{"enabled":true,"rules":[{"label":"tags:list","maxRequests":2,"duration":3600,"audience":""},{"label":"*:view","maxRequests":2,"duration":3600,"audience":"@guest"},{"label":"/api/health","maxRequests":1,"duration":3600,"audience":""},{"label":"POST /api/collections/tags/records","maxRequests":1,"duration":3600,"audience":""}]}}`}}
	for i := range 3 {
		all = append(all,
			req{Name: fmt.Sprintf("list %d", i), Path: at("tags"), Query: q("perPage", "1")},
			req{Name: fmt.Sprintf("view %d", i), Path: at("tags", id("tag", 1))},
			req{Name: fmt.Sprintf("view as owner %d", i), As: owner, Path: at("tags", id("tag", 1))},
			req{Name: fmt.Sprintf("health %d", i), Path: "/api/health"},
			req{Name: fmt.Sprintf("create %d", i), Path: at("tags"), Body: `{}`},
			req{Name: fmt.Sprintf("list as superuser %d", i), As: superuser, Path: at("tags"), Query: q("perPage", "1")})
	}
	return append(all, req{Name: "no limits", As: superuser, Method: "PATCH", Path: "/api/settings", Query: q("fields", "rateLimits"), Body: `{"rateLimits":{"enabled":false,"rules":[]}}`},
		req{Name: "list without limits", Path: at("tags"), Query: q("perPage", "1")})
}

// proxies: whose address the server takes for the client's.
func proxies() []req {
	all := []req{{Name: "trust a header", As: superuser, Method: "PATCH", Path: "/api/settings", Query: q("fields", "trustedProxy"), Body: `{"trustedProxy":{"headers":["X-Forwarded-For","CF-Connecting-IP"],"useLeftmostIP":false}}`}}
	for _, h := range []map[string]string{{}, {"X-Forwarded-For": "1.1.1.1, 2.2.2.2"}, {"CF-Connecting-IP": "3.3.3.3"}, {"X-Forwarded-For": "nope"}, {"X-Forwarded-For": "nope, 4.4.4.4, x"}, {"X-Forwarded-For": "::1"}, {"X-Real-IP": "5.5.5.5"}} {
		all = append(all, req{Name: fmt.Sprintf("health behind %v", h), As: superuser, Path: "/api/health", Headers: h})
	}
	return append(all, req{Name: "trust nothing", As: superuser, Method: "PATCH", Path: "/api/settings", Query: q("fields", "trustedProxy"), Body: `{"trustedProxy":{"headers":[],"useLeftmostIP":false}}`})
}
