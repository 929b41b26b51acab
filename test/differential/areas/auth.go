package areas

import (
	"encoding/base64"
	"fmt"
)

// Auth: logins, tokens and what auth records take.

func auths() []req {
	return flat(
		[]req{
			collection(with(rules(""), row{"name": "members", "type": "auth", "manageRule": "@request.auth.role = 'admin'", "fields": []row{
				field("text", "username", row{"required": true}), field("text", "role"), field("text", "hush", row{"hidden": true}),
				field("relation", "boss", row{"collectionId": usersCollection})},
				"indexes":      []string{"CREATE UNIQUE INDEX idx_members_username ON members (username COLLATE NOCASE)"},
				"passwordAuth": row{"enabled": true, "identityFields": []string{"email", "username"}},
				"authToken":    row{"duration": 3600}})),
			collection(with(rules(""), row{"name": "approved", "type": "auth", "authRule": "verified = true"})),
			collection(with(rules(""), row{"name": "nobody", "type": "auth", "authRule": nil})),
			collection(with(rules(""), row{"name": "passwordless", "type": "auth", "passwordAuth": row{"enabled": false, "identityFields": []string{"email"}}})),
		},
		records("members",
			row{"id": id("memb", 1), "username": "Admin", "email": "admin@example.com", "role": "admin", "hush": "h", "password": secret, "passwordConfirm": secret, "boss": ownerID},
			row{"id": id("memb", 2), "username": "plain", "email": "plain@example.com", "role": "", "password": secret, "passwordConfirm": secret, "emailVisibility": true},
			row{"id": id("memb", 3), "username": "mail@example.com", "email": "other@example.com", "password": secret, "passwordConfirm": secret}),
		records("approved", row{"id": id("appr", 1), "email": "yes@example.com", "password": secret, "passwordConfirm": secret, "verified": true},
			row{"id": id("appr", 2), "email": "no@example.com", "password": secret, "passwordConfirm": secret}),
		records("nobody", row{"id": id("nobo", 1), "email": "n@example.com", "password": secret, "passwordConfirm": secret}),
		records("passwordless", row{"id": id("pwls", 1), "email": "p@example.com", "password": secret, "passwordConfirm": secret}),
		logins(), methodsAndRefresh(), impersonation(), tokens(), authWrites(), rotation(), superusers(),
	)
}

func logins() []req {
	all := []req{login("admin", "members", "admin@example.com", secret), login("plain", "members", "plain", secret)}
	for _, t := range []struct{ collection, body string }{
		{"users", ``}, {"users", `{}`}, {"users", `{"identity":"","password":""}`}, {"users", `{"identity":"owner@example.com"}`}, {"users", `{"password":"x"}`}, {"users", `{"identity":"owner@example.com","password":"wrong"}`}, {"users", `{"identity":"nobody@example.com","password":"` + secret + `"}`}, {"users", `{"identity":"OWNER@example.com","password":"` + secret + `"}`}, {"users", `{"identity":" owner@example.com","password":"` + secret + `"}`}, {"users", `{"identity":"owner@example.com","password":"` + secret + `","identityField":"email"}`}, {"users", `{"identity":"owner@example.com","password":"` + secret + `","identityField":"name"}`}, {"users", `{"identity":1,"password":2}`}, {"users", `{"Identity":"owner@example.com","PASSWORD":"` + secret + `"}`}, {"users", `{"identity":"owner@example.com","password":"` + secret + `","extra":1}`}, {"users", `[]`}, {"users", `{"identity":"`}, {"users", `{"identity":"user00000000001","password":"` + secret + `"}`},
		{"members", `{"identity":"ADMIN","password":"` + secret + `"}`}, {"members", `{"identity":"admin","password":"` + secret + `","identityField":"username"}`}, {"members", `{"identity":"admin","password":"` + secret + `","identityField":"email"}`}, {"members", `{"identity":"mail@example.com","password":"` + secret + `"}`}, {"members", `{"identity":"admin@example.com","password":"` + secret + `","identityField":"role"}`},
		{"approved", `{"identity":"yes@example.com","password":"` + secret + `"}`}, {"approved", `{"identity":"no@example.com","password":"` + secret + `"}`}, {"approved", `{"identity":"no@example.com","password":"wrong"}`}, {"nobody", `{"identity":"n@example.com","password":"` + secret + `"}`}, {"passwordless", `{"identity":"p@example.com","password":"` + secret + `"}`}, {"passwordless", `{}`},
		{"posts", `{"identity":"a","password":"b"}`}, {"nope", `{"identity":"a","password":"b"}`}, {"summary", `{"identity":"a","password":"b"}`}, {"_superusers", `{"identity":"{{root.email}}","password":"wrong"}`}, {"USERS", `{"identity":"owner@example.com","password":"` + secret + `"}`}, {"_pb_users_auth_", `{"identity":"owner@example.com","password":"` + secret + `"}`},
	} {
		all = append(all, req{Name: fmt.Sprintf("login %s %s", t.collection, t.body), Method: "POST", Path: "/api/collections/" + t.collection + "/auth-with-password", Body: t.body})
	}
	path, body := "/api/collections/members/auth-with-password", `{"identity":"admin","password":"`+secret+`"}`
	return append(all,
		req{Name: "login with expand and fields", Path: path, Query: q("expand", "boss", "fields", "record.username,record.expand,record.hush"), Body: body},
		req{Name: "login with expand", Path: path, Query: q("expand", "boss"), Body: body},
		req{Name: "login while logged in", As: owner, Path: path, Body: body},
		req{Name: "login as a superuser already", As: superuser, Path: path, Body: body},
		req{Name: "login by form", Path: path, Form: []part{{Name: "identity", Content: "admin"}, {Name: "password", Content: secret}}},
		req{Name: "login urlencoded", Path: path, Type: "application/x-www-form-urlencoded", Body: "identity=admin&password=" + secret},
		req{Name: "login by GET", Method: "GET", Path: path},
	)
}

func methodsAndRefresh() []req {
	var all []req
	for _, c := range []string{"users", "members", "approved", "nobody", "passwordless", "_superusers", "posts", "nope"} {
		all = append(all, req{Name: "methods of " + c, Path: "/api/collections/" + c + "/auth-methods"})
	}
	all = append(all, req{Name: "methods as the SDK asks", Path: "/api/collections/users/auth-methods", Query: q("fields", "mfa,otp,password,oauth2")})
	for _, c := range []string{"users", "members", "_superusers", "posts", "nope", "approved"} {
		for _, as := range []string{guest, owner, "admin", superuser} {
			all = append(all, req{Name: fmt.Sprintf("refresh %s as %s", c, called(as)), As: as, Method: "POST", Path: "/api/collections/" + c + "/auth-refresh"})
		}
	}
	return append(all,
		req{Name: "refresh with a body", As: owner, Path: "/api/collections/users/auth-refresh", Body: `{"a":1}`},
		req{Name: "refresh with a bad body", As: owner, Path: "/api/collections/users/auth-refresh", Body: `{`},
		req{Name: "refresh with expand", As: "admin", Method: "POST", Path: "/api/collections/members/auth-refresh", Query: q("expand", "boss", "fields", "record.expand.boss.name,record.email")},
		req{Name: "refresh by GET", As: owner, Method: "GET", Path: "/api/collections/users/auth-refresh"},
	)
}

func impersonation() []req {
	var all []req
	for _, as := range []string{guest, owner, "admin", superuser} {
		all = append(all, req{Name: "impersonate as " + called(as), As: as, Path: "/api/collections/users/impersonate/" + userID, Body: `{}`})
	}
	for _, body := range []string{``, `{"duration":0}`, `{"duration":100}`, `{"duration":-1}`, `{"duration":"x"}`, `{"duration":"50"}`, `{"duration":1.5}`, `{`} {
		all = append(all, req{Name: "impersonate for " + body, As: superuser, Method: "POST", Path: "/api/collections/users/impersonate/" + userID, Body: body})
	}
	return append(all,
		req{Name: "impersonate and keep", As: superuser, Path: "/api/collections/users/impersonate/" + userID, Body: `{"duration":1000}`, Capture: map[string]string{"imp": "token"}},
		req{Name: "use it", As: "imp", Path: at("users", userID)},
		req{Name: "refresh it", As: "imp", Method: "POST", Path: "/api/collections/users/auth-refresh"},
		req{Name: "impersonate nobody", As: superuser, Path: "/api/collections/users/impersonate/" + id("none", 1), Body: `{}`},
		req{Name: "impersonate in posts", As: superuser, Path: "/api/collections/posts/impersonate/" + id("post", 1), Body: `{}`},
		req{Name: "impersonate against authRule", As: superuser, Path: "/api/collections/approved/impersonate/" + id("appr", 2), Body: `{}`},
		req{Name: "impersonate where nobody may", As: superuser, Path: "/api/collections/nobody/impersonate/" + id("nobo", 1), Body: `{}`},
		req{Name: "impersonate with fields", As: superuser, Path: "/api/collections/members/impersonate/" + id("memb", 1), Query: q("fields", "record.hush,record.email", "expand", "boss"), Body: `{}`},
	)
}

// tokens are forms of the Authorization header on a route that needs one.
func tokens() []req {
	forged := func(payload string) string {
		enc := base64.RawURLEncoding.EncodeToString
		return enc([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + enc([]byte(payload)) + "." + enc([]byte("not a signature at all, no"))
	}
	unsigned := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"id":"`+ownerID+`","collectionId":"_pb_users_auth_","type":"auth","exp":4000000000}`)) + "."
	var all []req
	for _, t := range []struct{ name, value string }{
		{"plain", "{{owner}}"}, {"bearer", "Bearer {{owner}}"}, {"bearer in lower case", "bearer {{owner}}"}, {"two spaces", "Bearer  {{owner}}"}, {"basic", "Basic {{owner}}"}, {"word before", "Token {{owner}}"}, {"cut", "eyJhbGciOiJIUzI1NiJ9"}, {"empty", ""}, {"text", "x"}, {"with a tail", "{{owner}}x"},
		{"forged", forged(`{"id":"` + ownerID + `","collectionId":"_pb_users_auth_","type":"auth","exp":4000000000,"refreshable":true}`)}, {"forged superuser", forged(`{"id":"x","collectionId":"pbc_3142635823","type":"auth","exp":4000000000}`)}, {"unsigned", unsigned}, {"of nobody", forged(`{"id":"nobody","collectionId":"nope","type":"auth","exp":4000000000}`)},
	} {
		h := map[string]string{"Authorization": t.value}
		all = append(all,
			req{Name: "token " + t.name + " on refresh", Method: "POST", Path: "/api/collections/users/auth-refresh", Headers: h},
			req{Name: "token " + t.name + " on own record", Path: at("users", ownerID), Headers: h},
			req{Name: "token " + t.name + " on collections", Path: "/api/collections", Query: q("perPage", "1", "fields", "name"), Headers: h})
	}
	return all
}

// authWrites are creations and changes of auth records.
func authWrites() []req {
	var all []req
	for _, body := range []string{
		`{}`, `{"email":"x@example.com"}`, `{"email":"x@example.com","password":"12345678"}`, `{"email":"x@example.com","password":"12345678","passwordConfirm":"other123"}`, `{"email":"bad","password":"12345678","passwordConfirm":"12345678"}`, `{"email":"x@example.com","password":"1234567","passwordConfirm":"1234567"}`, `{"email":"owner@example.com","password":"12345678","passwordConfirm":"12345678"}`, `{"password":"12345678","passwordConfirm":"12345678"}`, `{"id":"user00000000050","email":"fifty@example.com","password":"12345678","passwordConfirm":"12345678","verified":true}`, `{"id":"user00000000051","email":"OWNER@EXAMPLE.COM","password":"12345678","passwordConfirm":"12345678"}`, `{"id":"user00000000052","email":"e@example.com","emailVisibility":true,"password":"12345678","passwordConfirm":"12345678","tokenKey":"short"}`, `{"id":"user00000000053","email":"g@example.com","password":"` + longPassword + `","passwordConfirm":"` + longPassword + `"}`, `{"id":"user00000000054","email":"h@example.com","password":"  12345678  ","passwordConfirm":"  12345678  "}`, `{"id":"user00000000055","email":" i@example.com ","password":"12345678","passwordConfirm":"12345678"}`,
	} {
		all = append(all,
			req{Name: "sign up " + body, Path: at("users"), Body: body},
			req{Name: "sign up by superuser " + body, As: superuser, Path: at("users"), Body: swap(body, "user0000000005", "user0000000006")})
	}
	for _, body := range []string{
		`{"name":"New Name"}`, `{"email":"new@example.com"}`, `{"email":"third@example.com"}`, `{"verified":true}`, `{"verified":false}`, `{"emailVisibility":true}`, `{"password":"12345678"}`, `{"password":"12345678","passwordConfirm":"12345678"}`, `{"password":"12345678","passwordConfirm":"12345678","oldPassword":"wrong"}`, `{"oldPassword":"` + secret + `"}`, `{"passwordConfirm":"x"}`, `{"password":"","passwordConfirm":""}`, `{"tokenKey":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}`, `{"password":null}`,
	} {
		for _, as := range []string{guest, user, "third"} {
			all = append(all, req{Name: fmt.Sprintf("change the third as %s %s", called(as), body), As: as, Method: "PATCH", Path: at("users", thirdID), Body: body})
		}
	}
	member := at("members", id("memb", 2))
	for _, as := range []string{guest, "plain", "admin", superuser} {
		for _, body := range []string{`{"email":"{{as}}@example.com"}`, `{"verified":true}`, `{"hush":"x"}`, `{"verified":false,"role":"r"}`} {
			all = append(all, req{Name: fmt.Sprintf("manage as %s %s", called(as), body), As: as, Method: "PATCH", Path: member, Body: swap(body, "{{as}}", called(as)+"-mail")})
		}
		all = append(all, req{Name: "list members as " + called(as), As: as, Path: at("members"), Query: q("sort", "id")},
			req{Name: "filter members by email as " + called(as), As: as, Path: at("members"), Query: q("filter", "email ~ 'admin'", "fields", "username")})
	}
	return append(all,
		req{Name: "manage a password", As: "admin", Method: "PATCH", Path: at("members", id("memb", 3)), Body: `{"password":"managed-1234","passwordConfirm":"managed-1234"}`},
		req{Name: "manage without confirmation", As: "admin", Method: "PATCH", Path: at("members", id("memb", 3)), Body: `{"password":"managed-1234"}`},
		req{Name: "username taken", Path: at("members"), Body: `{"username":"ADMIN","email":"z@example.com","password":"12345678","passwordConfirm":"12345678"}`},
		req{Name: "create with all by manager", As: "admin", Path: at("members"), Body: `{"id":"memb00000000009","username":"nine","email":"nine@example.com","verified":true,"password":"12345678","passwordConfirm":"12345678"}`},
		req{Name: "delete as guest", Method: "DELETE", Path: at("users", thirdID)},
	)
}

// rotation is when tokens die.
func rotation() []req {
	one := at("users", id("user", 70))
	me := req{Path: "/api/collections/users/auth-refresh", Method: "POST", As: "seventy"}
	check := func(name string) req { r := me; r.Name = name; return r }
	patch := func(name, as, body string) req {
		return req{Name: name, As: as, Method: "PATCH", Path: one, Query: q("fields", "name,email,verified"), Body: body}
	}
	return []req{
		records("users", row{"id": id("user", 70), "email": "seventy@example.com", "password": secret, "passwordConfirm": secret})[0],
		login("seventy", "users", "seventy@example.com", secret),
		check("rotation: fresh"),
		patch("rotation: rename", "seventy", `{"name":"n"}`), check("rotation: after rename"),
		patch("rotation: verified", superuser, `{"verified":true}`), check("rotation: after verification"),
		patch("rotation: new password", "seventy", `{"oldPassword":"`+secret+`","password":"changed-1234","passwordConfirm":"changed-1234"}`), check("rotation: after a new password"),
		{Name: "rotation: stale token on an open list", As: "seventy", Path: at("tags"), Query: q("perPage", "1")},
		{Name: "rotation: stale token on a ruled list", As: "seventy", Path: at("users")},
		{Name: "rotation: stale token on a superuser route", As: "seventy", Path: "/api/settings"},
		login("seventy", "users", "seventy@example.com", "changed-1234"),
		patch("rotation: new email", superuser, `{"email":"seventy-one@example.com"}`), check("rotation: after a new email"),
		login("seventy", "users", "seventy-one@example.com", "changed-1234"),
		{Name: "rotation: delete", As: "seventy", Method: "DELETE", Path: one}, check("rotation: after delete"),
		{Name: "rotation: rule change", As: superuser, Method: "PATCH", Path: "/api/collections/members", Query: q("fields", "authRule"), Body: `{"authRule":"id != ''"}`},
		{Name: "rotation: after a rule change", As: "admin", Method: "POST", Path: "/api/collections/members/auth-refresh"},
		login("admin", "members", "admin@example.com", secret),
		{Name: "rotation: other change", As: superuser, Method: "PATCH", Path: "/api/collections/members", Query: q("fields", "viewRule"), Body: `{"viewRule":null}`},
		{Name: "rotation: after another change", As: "admin", Method: "POST", Path: "/api/collections/members/auth-refresh"},
		{Name: "rotation: secret change", As: superuser, Method: "PATCH", Path: "/api/collections/members", Query: q("fields", "authToken"), Body: `{"authToken":{"secret":"aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd","duration":1000}}`},
		{Name: "rotation: after a secret change", As: "admin", Method: "POST", Path: "/api/collections/members/auth-refresh"},
		login("admin", "members", "admin@example.com", secret),
	}
}

func superusers() []req {
	body := `{"id":"superuser000002","email":"second@example.com","password":"12345678","passwordConfirm":"12345678"}`
	var all []req
	for _, as := range []string{guest, owner, superuser} {
		all = append(all, req{Name: "create a superuser as " + called(as), As: as, Path: at("_superusers"), Body: body})
	}
	return append(all,
		req{Name: "view a superuser", As: superuser, Path: at("_superusers", id("superuser", 2))},
		req{Name: "unverify a superuser", As: superuser, Method: "PATCH", Path: at("_superusers", id("superuser", 2)), Body: `{"verified":false}`},
		req{Name: "delete a superuser", As: superuser, Method: "DELETE", Path: at("_superusers", id("superuser", 2))},
		req{Name: "delete the last superuser", As: superuser, Method: "DELETE", Path: at("_superusers") + "/{{root.id}}"},
		req{Name: "superuser's email as guest", Path: at("_superusers") + "/{{root.id}}"},
	)
}

const longPassword = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" // 72 characters, one too many
