package areas

import (
	"fmt"
	"strings"

	"github.com/pandobase/pando/test/differential"
)

// Realtime: what subscriptions are taken, and who is told of which write.

func realtime() []req {
	return flat(
		[]req{
			collection(with(rules(""), row{"name": "live_open", "fields": []row{field("text", "t"), field("number", "n"), field("relation", "tag", row{"collectionId": "{{tags}}"})}})),
			collection(with(rules(""), row{"name": "live_own", "listRule": "owner = @request.auth.id", "viewRule": "owner = @request.auth.id || t = 'shared'", "fields": []row{field("text", "t"), field("relation", "owner", row{"collectionId": usersCollection})}})),
			collection(with(rules(""), row{"name": "live_null", "listRule": nil, "viewRule": nil, "fields": []row{field("text", "t")}})),
			{Name: "connect", Stream: differential.Stream{Connect: "sse.errors"}},
		},
		subscriptions(), events(),
	)
}

func subscribe(name, as, conn string, topics ...string) req {
	return req{Name: name, As: as, Path: "/api/realtime", Body: `{"clientId":"{{` + conn + `}}","subscriptions":` + text(topics) + `}`}
}

func subscriptions() []req {
	var all []req
	for i, body := range []string{
		``, `{}`, `{"clientId":""}`, `{"clientId":"nope"}`, `{"clientId":"nope","subscriptions":[]}`, `{"clientId":"` + strings.Repeat("x", 256) + `"}`, `{"clientId":5}`, `{"clientId":"{{sse.errors}}"}`, `{"clientId":"{{sse.errors}}","subscriptions":null}`, `{"clientId":"{{sse.errors}}","subscriptions":"x"}`, `{"clientId":"{{sse.errors}}","subscriptions":[]}`, `{"clientId":"{{sse.errors}}","subscriptions":[""]}`, `{"clientId":"{{sse.errors}}","subscriptions":["anything"]}`, `{"clientId":"{{sse.errors}}","subscriptions":["nope/*","posts","posts/*","posts/x"]}`, `{"clientId":"{{sse.errors}}","subscriptions":["` + strings.Repeat("x", 2500) + `"]}`, `{"clientId":"{{sse.errors}}","subscriptions":["` + strings.Repeat("x", 2501) + `"]}`, `{"clientId":"{{sse.errors}}","subscriptions":[` + strings.TrimSuffix(strings.Repeat(`"x",`, 1001), ",") + `]}`, `{"clientId":"{{sse.errors}}","subscriptions":["posts/*?options=nonsense"]}`, `{"clientId":"{{sse.errors}}","subscriptions":["posts/*?options={bad"]}`, `{"ClientID":"{{sse.errors}}","Subscriptions":["x"]}`, `{"clientId":"{{sse.errors}}","subscriptions":[5]}`,
	} {
		all = append(all, req{Name: fmt.Sprintf("subscribe %d %.90s", i, body), Method: "POST", Path: "/api/realtime", Body: body})
	}
	return append(all,
		subscribe("upgrade to owner", owner, "sse.errors", "a"),
		subscribe("same owner", owner, "sse.errors", "b"),
		subscribe("change to user", user, "sse.errors", "c"),
		subscribe("back to guest", guest, "sse.errors", "d"),
		req{Name: "by form", As: owner, Path: "/api/realtime", Type: "application/x-www-form-urlencoded", Body: "clientId={{sse.errors}}&subscriptions=a&subscriptions=b"},
	)
}

// events: four connections hear the same writes. Each round ends with a
// write that all of them hear.
func events() []req {
	all := []req{}
	who := []struct{ conn, as string }{{"sse.guest", guest}, {"sse.user", user}, {"sse.owner", owner}, {"sse.root", superuser}}
	for _, w := range who {
		all = append(all, req{Name: "connect " + w.conn, Stream: differential.Stream{Connect: w.conn}})
	}
	round := 0
	hear := func(label string, writes ...req) {
		round++
		all = append(all, writes...)
		done := id("done", round)
		all = append(all, req{Name: fmt.Sprintf("%s: last write", label), As: superuser, Path: at("live_open"), Query: q("fields", "t"), Body: text(row{"id": done, "t": "done"})})
		for _, w := range who {
			all = append(all, req{Name: fmt.Sprintf("%s: heard by %s", label, called(w.as)), Stream: differential.Stream{Collect: w.conn, Until: `"` + done + `"`}})
		}
	}
	everywhere := func(label string, topics ...string) {
		for _, w := range who {
			all = append(all, subscribe(label+": subscribe as "+called(w.as), w.as, w.conn, append(topics, "live_open/*")...))
		}
	}
	write := func(method, collection, recordID, body string) req {
		r := req{Name: fmt.Sprintf("write: %s %s %s", method, collection, recordID), As: superuser, Method: method, Path: at(collection, recordID), Body: body}
		if method == "POST" {
			r.Path = at(collection)
			r.Body = `{"id":"` + recordID + `",` + body[1:]
		}
		return r
	}
	one, two := id("live", 1), id("live", 2)

	everywhere("all topics", "live_own/*", "live_null/*", "live_own/"+one, "live_own", "live_null/"+one)
	hear("creates", write("POST", "live_own", one, `{"t":"a","owner":"`+ownerID+`"}`), write("POST", "live_own", two, `{"t":"shared","owner":"`+userID+`"}`), write("POST", "live_null", one, `{"t":"n"}`), write("POST", "live_open", one, `{"t":"o"}`))
	hear("updates", write("PATCH", "live_own", one, `{"t":"shared"}`), write("PATCH", "live_own", two, `{"owner":"`+ownerID+`"}`), write("PATCH", "live_null", one, `{"t":"m"}`))
	hear("rolled back", req{Name: "write: a batch that fails", As: superuser, Path: "/api/batch", Body: `{"requests":[{"method":"POST","url":"/api/collections/live_open/records","body":{"id":"liveb0000000001","t":"b"}},{"method":"POST","url":"/api/collections/live_open/records","body":{"id":"x"}}]}`},
		req{Name: "write: a batch", As: superuser, Path: "/api/batch", Body: `{"requests":[{"method":"POST","url":"/api/collections/live_open/records","body":{"id":"liveb0000000002","t":"b"}},{"method":"PATCH","url":"/api/collections/live_open/records/liveb0000000002","body":{"t":"c"}},{"method":"DELETE","url":"/api/collections/live_open/records/liveb0000000002"}]}`})
	hear("deletes", write("DELETE", "live_own", one, ``), write("DELETE", "live_own", two, ``), write("DELETE", "live_null", one, ``))

	options := func(json string) string { return "live_open/*?options=" + differential.Q("", json).Encode()[1:] }
	everywhere("options", options(`{"query":{"filter":"n > 5"}}`), options(`{"query":{"fields":"id,t"}}`), options(`{"query":{"expand":"tag","fields":"t,expand.tag.title"}}`), options(`{"query":{"filter":"@request.headers.x_a = 'b'"},"headers":{"X-A":"b"}}`), options(`{"query":{"filter":"nope = 1"}}`), options(`{"query":{"filter":"@request.auth.id != ''"}}`), options(`{"query":{"n":5}}`), options(`{bad`), options(`{"query":{"filter":"tag.title = 'red'"}}`))
	hear("options", write("POST", "live_open", two, `{"t":"o","n":9,"tag":"tag000000000001"}`), write("PATCH", "live_open", two, `{"n":1}`))

	everywhere("auth", "users/*", "users/"+ownerID, "_pb_users_auth_/*", "LIVE_OPEN/*", "nope/*")
	hear("auth", req{Name: "write: rename the owner", As: owner, Method: "PATCH", Path: at("users", ownerID), Query: q("fields", "name"), Body: `{"name":"Olga Owner"}`})
	hear("truncate", req{Name: "write: cascade and truncate", As: superuser, Method: "DELETE", Path: "/api/collections/live_own/truncate"})

	for _, w := range who {
		all = append(all, subscribe("nothing but the end as "+called(w.as), w.as, w.conn, "live_open/"+id("done", round+1)))
	}
	hear("narrowed", write("PATCH", "live_open", two, `{"t":"unheard"}`))
	return all
}
