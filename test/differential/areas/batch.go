package areas

import (
	"fmt"
	"strings"
)

// Batch: several writes in one transaction.

func batches() []req {
	all := []req{
		collection(with(rules(""), row{"name": "batched", "updateRule": "owner = @request.auth.id", "deleteRule": nil, "fields": []row{
			field("text", "title", row{"required": true}), field("number", "n"), field("file", "doc"), field("file", "docs", row{"maxSelect": 3}),
			field("relation", "owner", row{"collectionId": usersCollection})}})),
		collection(with(rules("@request.context = 'batch'"), row{"name": "batched_only", "fields": []row{field("text", "title")}})),
	}
	all = append(all, records("batched", row{"id": id("bat", 1), "title": "kept", "owner": ownerID}, row{"id": id("bat", 2), "title": "other", "owner": userID})...)
	for i, t := range batchBodies {
		all = append(all, req{Name: fmt.Sprintf("%d %.60s", i, t.body), As: t.as, Method: "POST", Path: "/api/batch", Body: t.body})
	}
	many := func(n int) string {
		return `{"requests":[` + strings.TrimSuffix(strings.Repeat(`{"method":"POST","url":"/api/collections/batched/records","body":{"title":"many"}},`, n), ",") + `]}`
	}
	return append(all,
		req{Name: "fifty", As: owner, Path: "/api/batch", Query: q("fields", "status"), Body: many(50)},
		req{Name: "fifty-one", As: owner, Path: "/api/batch", Body: many(51)},
		req{Name: "form", As: owner, Path: "/api/batch", Form: []part{
			{Name: "@jsonPayload", Content: `{"requests":[{"method":"POST","url":"/api/collections/batched/records","body":{"id":"bat000000000101","title":"with files"}},{"method":"PATCH","url":"/api/collections/batched/records/bat000000000001","body":{"title":"renamed"}}]}`},
			{Name: "requests.0.doc", Filename: "a.txt", Content: "first"},
			{Name: "requests[1].docs", Filename: "b.txt", Content: "second"},
			{Name: "requests[1].docs+", Filename: "c.txt", Content: "third"}}},
		req{Name: "form without payload", As: owner, Path: "/api/batch", Form: []part{{Name: "requests.0.method", Content: "POST"}}},
		req{Name: "form with broken payload", As: owner, Path: "/api/batch", Form: []part{{Name: "@jsonPayload", Content: "{"}}},
		req{Name: "form with a file for no request", As: owner, Path: "/api/batch", Form: []part{
			{Name: "@jsonPayload", Content: `{"requests":[{"method":"POST","url":"/api/collections/batched/records","body":{"id":"bat000000000102","title":"x"}}]}`},
			{Name: "requests.7.doc", Filename: "a.txt", Content: "first"}}},
		req{Name: "wrong method", Method: "GET", Path: "/api/batch"},
		req{Name: "switch off", Method: "PATCH", As: superuser, Path: "/api/settings", Query: q("fields", "batch"), Body: `{"batch":{"enabled":false}}`},
		req{Name: "switched off", As: superuser, Path: "/api/batch", Body: many(1)},
		req{Name: "switched off with a bad body", Path: "/api/batch", Body: "{"},
		req{Name: "two at most", Method: "PATCH", As: superuser, Path: "/api/settings", Query: q("fields", "batch"), Body: `{"batch":{"enabled":true,"maxRequests":2}}`},
		req{Name: "three of two", As: superuser, Path: "/api/batch", Body: many(3)},
		req{Name: "small bodies", Method: "PATCH", As: superuser, Path: "/api/settings", Query: q("fields", "batch"), Body: `{"batch":{"maxBodySize":100,"maxRequests":50}}`},
		req{Name: "body over the limit", As: superuser, Path: "/api/batch", Body: many(3)},
		req{Name: "back to normal", Method: "PATCH", As: superuser, Path: "/api/settings", Query: q("fields", "batch"), Body: `{"batch":{"maxBodySize":0}}`},
		req{Name: "what is there", Path: at("batched"), Query: q("filter", "id ~ 'bat0'", "sort", "id")},
	)
}

var batchBodies = []struct{ as, body string }{
	{guest, ``}, {guest, `{}`}, {guest, `{"requests":[]}`}, {guest, `{"requests":null}`}, {guest, `{"requests":{}}`}, {guest, `{"requests":[{}]}`}, {guest, `[]`}, {guest, `{"requests":["x"]}`}, {guest, `{"requests":[{"method":"POST"}]}`}, {guest, `{"requests":[{"url":"/api/collections/batched/records"}]}`},
	{guest, `{"requests":[{"method":"GET","url":"/api/collections/batched/records"}]}`},
	{guest, `{"requests":[{"method":"POST","url":"/api/health"}]}`},
	{guest, `{"requests":[{"method":"POST","url":"/api/collections/users/auth-with-password","body":{"identity":"owner@example.com","password":"x"}}]}`},
	{guest, `{"requests":[{"method":"post","url":"/api/collections/batched/records","body":{"title":"lower case method"}}]}`},
	{guest, `{"requests":[{"method":"POST","url":"http://example.com/api/collections/batched/records","body":{"title":"absolute"}}]}`},
	{guest, `{"requests":[{"method":"POST","url":"api/collections/batched/records","body":{"title":"relative"}}]}`},
	{guest, `{"requests":[{"method":"POST","url":"/api/collections/nope/records","body":{}}]}`},
	{guest, `{"requests":[{"method":"POST","url":"/api/collections/batched/records","body":{"id":"bat000000000010","title":"one","n":1}}]}`},
	{guest, `{"requests":[{"method":"POST","url":"/api/collections/batched/records?fields=id,title&expand=owner","body":{"id":"bat000000000011","title":"picked","owner":"user00000000001"}}]}`},
	{guest, `{"requests":[{"method":"POST","url":"/api/collections/batched/records","body":{"id":"bat000000000012","title":"rolled back"}},{"method":"POST","url":"/api/collections/batched/records","body":{}}]}`},
	{guest, `{"requests":[{"method":"PATCH","url":"/api/collections/batched/records/bat000000000001","body":{"title":"not mine"}}]}`},
	{guest, `{"requests":[{"method":"DELETE","url":"/api/collections/batched/records/bat000000000001"}]}`},
	{owner, `{"requests":[{"method":"PATCH","url":"/api/collections/batched/records/bat000000000001","body":{"n+":5}},{"method":"PATCH","url":"/api/collections/batched/records/bat000000000001","body":{"n+":5}}]}`},
	{owner, `{"requests":[{"method":"PATCH","url":"/api/collections/batched/records/bat000000000001","body":{"n":1}},{"method":"PATCH","url":"/api/collections/batched/records/bat000000000002","body":{"n":1}}]}`},
	{owner, `{"requests":[{"method":"PATCH","url":"/api/collections/batched/records/bat000000000001","headers":{"Authorization":"x"},"body":{"n":2}}]}`},
	{owner, `{"requests":[{"method":"PUT","url":"/api/collections/batched/records","body":{"id":"bat000000000001","title":"upserted","owner":"user00000000001"}},{"method":"PUT","url":"/api/collections/batched/records","body":{"id":"bat000000000020","title":"new by upsert"}}]}`},
	{owner, `{"requests":[{"method":"PUT","url":"/api/collections/batched/records","body":{"title":"upsert without id"}}]}`},
	{owner, `{"requests":[{"method":"PUT","url":"/api/collections/batched/records/bat000000000001","body":{"title":"put one"}}]}`},
	{superuser, `{"requests":[{"method":"POST","url":"/api/collections/batched/records","body":{"id":"bat000000000030","title":"short life"}},{"method":"DELETE","url":"/api/collections/batched/records/bat000000000030"}]}`},
	{superuser, `{"requests":[{"method":"DELETE","url":"/api/collections/batched/records/bat000000000404"}]}`},
	{superuser, `{"requests":[{"method":"POST","url":"/api/collections/batched/records","body":"x"}]}`},
	{superuser, `{"requests":[{"method":"POST","url":"/api/collections/batched/records"}]}`},
	{superuser, `{"requests":[{"method":"POST","url":"/api/collections/batched/records","body":null}]}`},
	{superuser, `{"requests":[{"method":"POST","url":"/api/collections/batched/records","body":{"title":"t","n":"5"}}],"extra":1}`},
	{guest, `{"requests":[{"method":"POST","url":"/api/collections/batched_only/records","body":{"title":"in a batch"}}]}`},
	{guest, `{"requests":[{"method":"POST","url":"/api/collections/summary/records","body":{}}]}`},
	{guest, `{"requests":[{"method":"POST","url":"/api/collections/rule_null/records","body":{}}]}`},
	{guest, `{"requests":[{"method":"POST","url":"/api/collections/users/records","body":{"id":"user00000000090","email":"batch@example.com","password":"12345678","passwordConfirm":"12345678"}}]}`},
	{guest, `{"requests":[{"method":"POST","url":"/api/collections/users/records","body":{"email":"batch@example.com","password":"12345678","passwordConfirm":"x"}}]}`},
	{superuser, `{"requests":[{"method":"DELETE","url":"/api/collections/users/records/user00000000090"}]}`},
	{guest, `{"requests":[{"method":"POST","url":"/api/batch","body":{}}]}`},
	{guest, `{"requests":[{"method":"POST","url":"/api/collections/batched/records","body":{"title":"a"},"headers":{"X-A":1}}]}`},
	{guest, `{"requests":[{"METHOD":"POST","Url":"/api/collections/batched/records","body":{"id":"bat000000000040","title":"case of keys"}}]}`},
	{guest, `{"requests":[{"method":"POST","url":"/api/collections/batched/records/","body":{"title":"slash"}}]}`},
	{guest, `{"requests":[{"method":"OPTIONS","url":"/api/collections/batched/records"}]}`},
}
