package areas

import (
	"fmt"
	"strings"
)

// Collections: definitions, their validation, and what changes of a
// definition do to the data.

func collections() []req {
	return flat(permissions(), creations(), invalidFields(), viewDefinitions(), authDefinitions(), schemaChanges(), imports(), truncates(), systemOnes())
}

// permissions: every route as everyone.
func permissions() []req {
	var all []req
	for _, as := range everyone {
		for _, r := range []req{
			{Path: "/api/collections", Query: q("sort", "name", "fields", "name,type,system")},
			{Path: "/api/collections", Query: q("filter", "type = 'auth' && system = false", "fields", "name")},
			{Path: "/api/collections/posts"}, {Path: "/api/collections/nope"}, {Path: "/api/collections/meta/scaffolds"},
			{Method: "POST", Path: "/api/collections", Body: `{}`}, {Method: "PATCH", Path: "/api/collections/nope", Body: `{}`}, {Method: "DELETE", Path: "/api/collections/nope"},
			{Method: "DELETE", Path: "/api/collections/nope/truncate"}, {Method: "PUT", Path: "/api/collections/import", Body: `{}`}, {Method: "POST", Path: "/api/collections", Body: `{`},
		} {
			r.As = as
			r.Name = fmt.Sprintf("%s %s as %s", r.Method, r.Path, called(as))
			all = append(all, r)
		}
	}
	for _, raw := range []string{"", "page=2&perPage=3", "sort=-name&perPage=2", "filter=name='posts'", "filter=nope=1", "sort=nope", "filter=name~'post'%26%26type='base'", "filter=id!=''&skipTotal=1&perPage=1", "sort=created&perPage=1", "filter=listRule=''", "filter=system=true&fields=name", "fields=name,indexes", "filter=fields~'x'", "sort=@random&fields=x"} {
		all = append(all, req{Name: "list " + raw, As: superuser, Path: "/api/collections" + mark(raw)})
	}
	return append(all, req{Name: "view by id", As: superuser, Path: "/api/collections/{{posts}}"}, req{Name: "view in another case", As: superuser, Path: "/api/collections/POSTS"})
}

// creations are definitions with something to say about name, type, rules or indexes.
func creations() []req {
	bodies := []string{
		`{"name":"c_plain"}`, `{"name":"c_plain"}`, `{"name":"C_PLAIN"}`, `{"name":""}`, `{"name":"has space"}`, `{"name":"a-b"}`, `{"name":"1digit"}`, `{"name":"a_via_b"}`, `{"name":"_collections"}`, `{"name":"_params"}`, `{"name":"ünï"}`, `{"name":"` + strings.Repeat("n", 256) + `"}`, `{"name":"users"}`, `{"name":"_pb_users_auth_"}`, `{"name":5}`, `{"name":null}`, `{"type":"base"}`,
		`{"name":"c_type","type":"nope"}`, `{"name":"c_type","type":""}`, `{"name":"c_type","type":null}`, `{"name":"c_id","id":"own_id"}`, `{"name":"c_id2","id":"own_id"}`, `{"name":"own_id"}`, `{"name":"c_id3","id":"has space"}`, `{"name":"c_id4","id":"` + strings.Repeat("i", 101) + `"}`, `{"name":"c_sys","system":true}`, `{"name":"c_unknown","nope":1}`, `{"Name":"c_case","TYPE":"base"}`, `{"name":"c_created","created":"2000-01-01 00:00:00.000Z"}`,
		`{"name":"c_rule","listRule":"nope = 1"}`, `{"name":"c_rule2","listRule":"id =","viewRule":"x","createRule":"y = 1","updateRule":"=","deleteRule":"("}`, `{"name":"c_rule3","listRule":"@request.auth.id != ''"}`, `{"name":"c_rule4","listRule":5}`,
		`{"name":"c_idx","fields":[{"name":"a","type":"text"}],"indexes":["CREATE INDEX idx_c ON c_idx (a)"]}`, `{"name":"c_idx1","fields":[{"name":"a","type":"text"}],"indexes":["CREATE INDEX idx_c ON other (a)"]}`, `{"name":"c_idx2","fields":[{"name":"a","type":"text"}],"indexes":["nonsense"]}`, `{"name":"c_idx3","fields":[{"name":"a","type":"text"}],"indexes":["CREATE INDEX idx_c3 ON c_idx3 (nope)"]}`, `{"name":"c_idx4","fields":[{"name":"a","type":"text"}],"indexes":["CREATE INDEX idx_c4 ON c_idx4 (a)","CREATE INDEX idx_c4 ON c_idx4 (a)"]}`, `{"name":"c_idx5","fields":[{"name":"a","type":"text"}],"indexes":["CREATE INDEX idx_c5 ON c_idx5 (a)","CREATE INDEX idx_c6 ON c_idx5 (a)"]}`, `{"name":"c_idx6","fields":[{"name":"a","type":"text"}],"indexes":["CREATE INDEX idx_posts_title ON c_idx6 (a)"]}`, `{"name":"c_idx8","fields":[{"name":"a","type":"text"}],"indexes":["CREATE INDEX idx_c8 ON wrong_table (a)"]}`, `{"name":"c_idx9","fields":[{"name":"a","type":"text"}],"indexes":["DROP TABLE users"]}`, `{"name":"c_idx10","fields":[{"name":"a","type":"text"}],"indexes":[""]}`, `{"name":"c_idx11","fields":[{"name":"a","type":"text"}],"indexes":[5]}`, `{"name":"c_idx12","fields":[{"name":"a","type":"text"}],"indexes":["create unique index if not exists \"idx_c12\" on 'c_idx12' ( \"a\" collate nocase desc , length(a) ) where a != ''"]}`,
		`{"name":"c_fields","fields":[]}`, `{"name":"c_fields1","fields":null}`, `{"name":"c_fields2","fields":{}}`, `{"name":"c_fields3","fields":[{"name":"a","type":"text"},{"name":"a","type":"number"}]}`, `{"name":"c_fields4","fields":[{"name":"a","type":"text"},{"name":"A","type":"text"}]}`, `{"name":"c_fields5","fields":[{"id":"same","name":"a","type":"text"},{"id":"same","name":"b","type":"text"}]}`, `{"name":"c_fields6","fields":["x"]}`, `{"name":"c_fields7","fields":[{"name":"id","type":"number"}]}`, `{"name":"c_fields8","fields":[{"name":"id","type":"text"}]}`, `{"name":"c_fields9","fields":[{"name":"b","type":"text"},{"name":"a","type":"text"}]}`, `{"name":"c_fields10","fields":[{"name":"pk","type":"text","primaryKey":true}]}`, `{"name":"c_schema","schema":[{"name":"old","type":"text"}]}`,
	}
	var all []req
	for i, b := range bodies {
		all = append(all, req{Name: fmt.Sprintf("create %d %.100s", i, b), As: superuser, Path: "/api/collections", Body: b})
	}
	return all
}

// invalidFields are field definitions, each in a collection of its own.
func invalidFields() []req {
	fields := []string{
		`{"name":"","type":"text"}`, `{"name":"a"}`, `{"name":"a","type":"nope"}`, `{"type":"text"}`, `{"name":"has space","type":"text"}`, `{"name":"null","type":"text"}`, `{"name":"collectionId","type":"text"}`, `{"name":"expand","type":"text"}`, `{"name":"_rowid_","type":"text"}`, `{"name":"a_via_b","type":"text"}`, `{"name":"` + strings.Repeat("f", 101) + `","type":"text"}`, `{"name":"1a","type":"text"}`, `{"name":"password","type":"text"}`, `{"name":"passwordConfirm","type":"text"}`, `{"name":"a","type":"text","id":""}`, `{"name":"a","type":"text","id":"` + strings.Repeat("i", 101) + `"}`, `{"name":"a","type":"text","hidden":true,"presentable":true}`, `{"name":"a","type":"text","system":true}`, `{"name":"a","type":"text","nope":1}`,
		`{"name":"a","type":"text","min":-1}`, `{"name":"a","type":"text","min":5,"max":3}`, `{"name":"a","type":"text","pattern":"("}`, `{"name":"a","type":"text","autogeneratePattern":"("}`, `{"name":"a","type":"text","autogeneratePattern":"[a-z]{5}","max":3}`, `{"name":"a","type":"text","max":-5}`, `{"name":"a","type":"text","min":"x"}`,
		`{"name":"a","type":"number","min":5,"max":3}`, `{"name":"a","type":"number","min":1.5,"onlyInt":true}`, `{"name":"a","type":"number","min":null,"max":0}`, `{"name":"a","type":"bool","required":true}`, `{"name":"a","type":"bool","required":"yes"}`,
		`{"name":"a","type":"email","exceptDomains":["a.co"],"onlyDomains":["b.co"]}`, `{"name":"a","type":"email","exceptDomains":["not a domain"]}`, `{"name":"a","type":"email","onlyDomains":[]}`, `{"name":"a","type":"url","exceptDomains":["a.co"],"onlyDomains":["b.co"]}`, `{"name":"a","type":"url","onlyDomains":["http://x"]}`,
		`{"name":"a","type":"editor","maxSize":-1}`, `{"name":"a","type":"editor","convertURLs":true}`, `{"name":"a","type":"date","min":"2022-01-01","max":"2021-01-01"}`, `{"name":"a","type":"date","min":"nope"}`, `{"name":"a","type":"autodate"}`, `{"name":"a","type":"autodate","onUpdate":true}`,
		`{"name":"a","type":"select"}`, `{"name":"a","type":"select","values":[]}`, `{"name":"a","type":"select","values":["a","a"]}`, `{"name":"a","type":"select","values":[""]}`, `{"name":"a","type":"select","values":["a"],"maxSelect":2}`, `{"name":"a","type":"select","values":["a"],"maxSelect":-1}`, `{"name":"a","type":"select","values":["a"],"maxSelect":0}`,
		`{"name":"a","type":"json","maxSize":-1}`, `{"name":"a","type":"file","maxSelect":-1}`, `{"name":"a","type":"file","thumbs":["nope"]}`, `{"name":"a","type":"file","thumbs":["0x0"]}`, `{"name":"a","type":"file","thumbs":["10x10","10x10f","0x5"],"mimeTypes":["image/png"],"protected":true,"maxSelect":99,"maxSize":1}`, `{"name":"a","type":"file","mimeTypes":["nope"]}`, `{"name":"a","type":"file","maxSize":-1}`,
		`{"name":"a","type":"relation"}`, `{"name":"a","type":"relation","collectionId":"nope"}`, `{"name":"a","type":"relation","collectionId":"users"}`, `{"name":"a","type":"relation","collectionId":"{{summary}}"}`, `{"name":"a","type":"relation","collectionId":"{{tags}}","minSelect":3,"maxSelect":2}`, `{"name":"a","type":"relation","collectionId":"{{tags}}","maxSelect":-1}`, `{"name":"a","type":"relation","collectionId":"{{tags}}","minSelect":-1}`,
		`{"name":"a","type":"password","min":-1}`, `{"name":"a","type":"password","max":100}`, `{"name":"a","type":"password","cost":3}`, `{"name":"a","type":"password","cost":32}`, `{"name":"a","type":"password","pattern":"("}`, `{"name":"a","type":"password","min":10,"max":5}`, `{"name":"a","type":"geoPoint","required":true}`,
	}
	var all []req
	for i, f := range fields {
		all = append(all, req{Name: fmt.Sprintf("field %.110s", f), As: superuser, Path: "/api/collections", Body: fmt.Sprintf(`{"name":"field_%d","fields":[%s]}`, i, f)})
	}
	return append(all,
		req{Name: "several bad fields", As: superuser, Path: "/api/collections", Body: `{"name":"","listRule":"x","fields":[{"name":"","type":"text"},{"name":"ok","type":"text"},{"name":"a","type":"select"}],"indexes":["x"]}`},
		req{Name: "auth field names", As: superuser, Path: "/api/collections", Body: `{"name":"auth_names","type":"auth","fields":[{"name":"passwordConfirm","type":"text"},{"name":"oldPassword","type":"text"}]}`},
		req{Name: "auth field of another type", As: superuser, Path: "/api/collections", Body: `{"name":"auth_names2","type":"auth","fields":[{"name":"email","type":"text"}]}`},
	)
}

func viewDefinitions() []req {
	var all []req
	for i, query := range []string{
		"", "select", "select 1", "select id", "select * from posts", "select id from posts", "select id, title from posts", "select title from posts", "select id from nope", "select id, title as id from posts", "select p.id, p.title as \"has space\" from posts p", "select id from posts; select id from tags", "select id from posts;", "delete from posts", "insert into posts (id) values ('x')", "SELECT id, (SELECT count(*) FROM comments) AS total FROM posts", "select id, count(*) as n from posts group by kind", "select id, sum(n) as s, avg(n) as a, max(day) as m, min(title) as t, total(n) as tt from posts group by kind", "select id, cast(n as int) as i, cast(n as real) as r, cast(n as text) as t, cast(live as bool) as b, cast(live as boolean) as bb, cast(title as blob) as bl, cast(n as numeric) as nu from posts", "select id, author, tags, labels, kind, meta, place, day, live, body, contact, link, owner, created from posts", "select p.id, a.id as author_id, a.name, t.id as tag_id from posts p join authors a on a.id = p.author left join tags t on t.id = 'x'", "select id, 1 as one, 'x' as two, null as three, n+1 as four from posts", "with x as (select id, title from posts) select id, title from x", "select id, title from (select id, title from posts)", "select (row_number() over ()) as id, title from posts", "select id, email from users", "select id, password from users", "select id, tokenKey from users", "select id, internal from posts", "select id, title from posts where title = '@request.auth.id'", "select id, json_extract(meta, '$.k') as k from posts", "select id, id as other from posts", "select posts.id, posts.title from posts", "select id, replies from summary", "select id, author.name from posts", "select id, TITLE from posts", "select id, created as expand from posts",
	} {
		name := fmt.Sprintf("view_%d", i)
		all = append(all,
			req{Name: "view: " + query, As: superuser, Path: "/api/collections", Body: text(row{"name": name, "type": "view", "viewQuery": query, "listRule": ""})},
			req{Name: "records of view: " + query, Path: at(name), Query: q("sort", "id", "perPage", "2")})
	}
	for _, b := range []string{`{"name":"v_rules","type":"view","viewQuery":"select id from posts","createRule":""}`, `{"name":"v_idx","type":"view","viewQuery":"select id from posts","indexes":["CREATE INDEX v_i ON v_idx (id)"]}`, `{"name":"v_fields","type":"view","viewQuery":"select id from posts","fields":[{"name":"x","type":"text"}]}`, `{"name":"v_rule","type":"view","viewQuery":"select id, n from posts","listRule":"n > 1"}`, `{"name":"v_rule2","type":"view","viewQuery":"select id from posts","listRule":"n > 1"}`} {
		all = append(all, req{Name: "view definition " + b, As: superuser, Path: "/api/collections", Body: b})
	}
	return append(all,
		req{Name: "change a view's query", As: superuser, Method: "PATCH", Path: "/api/collections/v_rule", Body: `{"viewQuery":"select id, n, title from posts"}`},
		req{Name: "change a view's query against its rule", As: superuser, Method: "PATCH", Path: "/api/collections/v_rule", Body: `{"viewQuery":"select id, title from posts"}`},
		req{Name: "delete what a view reads", As: superuser, Method: "DELETE", Path: "/api/collections/comments"},
		req{Name: "truncate a view", As: superuser, Method: "DELETE", Path: "/api/collections/v_rule/truncate"},
		req{Name: "delete a view", As: superuser, Method: "DELETE", Path: "/api/collections/v_rule"},
	)
}

func authDefinitions() []req {
	var all []req
	for i, o := range []string{
		`"manageRule":""`, `"manageRule":"id = @request.auth.id"`, `"manageRule":"nope = 1"`, `"authRule":null`, `"authRule":"nope = 1"`, `"authRule":"verified = true"`,
		`"passwordAuth":{"enabled":true,"identityFields":[]}`, `"passwordAuth":{"enabled":true,"identityFields":["nope"]}`, `"passwordAuth":{"enabled":true,"identityFields":["name"]}`, `"passwordAuth":{"enabled":false,"identityFields":[]}`, `"passwordAuth":{"enabled":false}`, `"passwordAuth":{"identityFields":["email","email"]}`, `"passwordAuth":null`,
		`"authToken":{"duration":5}`, `"authToken":{"duration":0}`, `"authToken":{"duration":99999999999}`, `"authToken":{"secret":"short"}`, `"authToken":{"duration":"x"}`, `"fileToken":{"duration":10}`, `"mfa":{"enabled":true}`, `"mfa":{"enabled":true,"rule":"nope = 1"}`, `"mfa":{"enabled":true},"otp":{"enabled":true}`, `"otp":{"enabled":true,"length":3}`, `"otp":{"enabled":true,"duration":5,"length":6}`, `"otp":{"enabled":true,"length":6,"duration":100}`,
		`"oauth2":{"enabled":true}`, `"oauth2":{"enabled":true,"providers":[{"name":"nope","clientId":"a","clientSecret":"b"}]}`, `"oauth2":{"enabled":false,"providers":[{"name":"github","clientId":"a","clientSecret":"b"},{"name":"github","clientId":"a","clientSecret":"b"}]}`, `"oauth2":{"mappedFields":{"name":"nope"}}`,
		`"authAlert":{"enabled":false}`, `"authAlert":{"enabled":true,"emailTemplate":{"subject":"","body":""}}`, `"verificationTemplate":{"subject":"s","body":"no placeholder"}`, `"resetPasswordTemplate":{"subject":"s","body":"{TOKEN}"}`, `"indexes":[]`, `"indexes":["CREATE UNIQUE INDEX own_email ON auth_def_34 (email) WHERE email != ''"]`, `"fields":[{"name":"email","type":"email","required":false}]`, `"fields":[{"name":"name","type":"text"}]`,
	} {
		all = append(all, req{Name: "auth with " + o, As: superuser, Path: "/api/collections", Body: fmt.Sprintf(`{"name":"auth_def_%d","type":"auth",%s}`, i, o)})
	}
	return all
}

// schemaChanges alter a collection with data and look at the data.
func schemaChanges() []req {
	c, one := "/api/collections/altered", at("altered", id("alt", 1))
	all := []req{
		collection(with(rules(""), row{"name": "altered", "fields": []row{
			field("text", "a", row{"id": "field_a"}), field("number", "b", row{"id": "field_b"}), field("select", "s", row{"id": "field_s", "values": []string{"x", "y"}}),
			field("select", "m", row{"id": "field_m", "values": []string{"x", "y"}, "maxSelect": 2}), field("relation", "r", row{"id": "field_r", "collectionId": "{{tags}}"})},
			"indexes": []string{"CREATE INDEX idx_alt_a ON altered (a)"}})),
		records("altered", row{"id": id("alt", 1), "a": "text", "b": 5, "s": "x", "m": []string{"x", "y"}, "r": id("tag", 1)})[0],
	}
	full := `{"id":"field_a","name":"a","type":"text"},{"id":"field_b","name":"b","type":"number"},{"id":"field_s","name":"s","type":"select","values":["x","y"]},{"id":"field_m","name":"m","type":"select","values":["x","y"],"maxSelect":2},{"id":"field_r","name":"r","type":"relation","collectionId":"{{tags}}"}`
	for _, body := range []string{
		`{}`, `{"listRule":null}`, `{"listRule":""}`, `{"name":"users"}`, `{"type":"auth"}`, `{"type":"base"}`, `{"system":true}`, `{"nope":1}`, `{"indexes":[]}`, `{"indexes":["CREATE INDEX idx_alt_b ON altered (b)"]}`, `{"indexes":["CREATE UNIQUE INDEX idx_alt_u ON altered (a)"]}`, `{"listRule":"b > 1"}`,
		`{"fields":[` + full + `,{"name":"extra","type":"text"}]}`, `{"fields":[` + full + `]}`, `{"fields":[` + swap(full, `"name":"b"`, `"name":"renamed"`) + `],"listRule":"renamed > 1"}`, `{"fields":[` + full + `],"listRule":""}`,
		`{"fields":[` + swap(full, `"name":"a","type":"text"`, `"name":"a","type":"number"`) + `]}`, `{"fields":[` + swap(full, `"collectionId":"{{tags}}"`, `"collectionId":"{{posts}}"`) + `]}`,
		`{"fields":[` + swap(swap(full, `"values":["x","y"]},{"id":"field_m"`, `"values":["x","y"],"maxSelect":2},{"id":"field_m"`), `,"maxSelect":2},{"id":"field_r"`, `},{"id":"field_r"`) + `]}`, `{"fields":[` + full + `]}`,
		`{"fields":[` + full + `,{"name":"a2","id":"field_a","type":"text"}]}`, `{"fields":[{"id":"field_a","name":"a","type":"text","required":true,"min":100}]}`, `{"fields":[]}`, `{"name":"altered_too"}`,
	} {
		all = append(all, req{Name: fmt.Sprintf("alter %.150s", body), As: superuser, Method: "PATCH", Path: c, Body: body}, req{Name: "data after it", Path: one})
	}
	return append(all,
		req{Name: "renamed collection", Path: at("altered_too", id("alt", 1))},
		req{Name: "rename back", As: superuser, Method: "PATCH", Path: "/api/collections/altered_too", Query: q("fields", "name,indexes"), Body: `{"name":"altered"}`},
		req{Name: "duplicates against a new unique index", As: superuser, Method: "PATCH", Path: "/api/collections/many", Body: `{"indexes":["CREATE UNIQUE INDEX idx_many_n ON many (n)"]}`},
		req{Name: "delete a referenced collection", As: superuser, Method: "DELETE", Path: "/api/collections/closed"},
		req{Name: "delete it", As: superuser, Method: "DELETE", Path: "/api/collections/altered"},
		req{Name: "gone", Path: at("altered")},
		req{Name: "delete it again", As: superuser, Method: "DELETE", Path: "/api/collections/altered"},
		req{Name: "drop a field that a rule uses", As: superuser, Method: "PATCH", Path: "/api/collections/comments", Body: `{"fields":[]}`},
	)
}

func imports() []req {
	var all []req
	for _, body := range []string{
		``, `{}`, `{"collections":[]}`, `{"collections":null}`, `{"collections":{}}`, `{"collections":[{}]}`, `{"collections":["x"]}`, `{"collections":[{"name":"imp_a","type":"base","fields":[{"name":"t","type":"text"}]}]}`, `{"collections":[{"name":"imp_a","type":"base","fields":[{"name":"u","type":"number"}]}]}`, `{"collections":[{"id":"imp_id","name":"imp_b","type":"base","listRule":"","fields":[{"id":"f1","name":"t","type":"text","max":10}]}]}`, `{"collections":[{"id":"imp_id","name":"imp_b","fields":[{"id":"f2","name":"u","type":"number"}]}]}`, `{"collections":[{"id":"imp_id","name":"imp_renamed","listRule":null}]}`, `{"collections":[{"id":"imp_id","fields":[{"id":"f1","name":"t","type":"number"}]}]}`, `{"collections":[{"name":"imp_bad","fields":[{"name":"x","type":"nope"}]}]}`, `{"collections":[{"name":"imp_ok","type":"base"},{"name":"imp_rule","listRule":"nope = 1"}]}`, `{"collections":[{"name":"imp_v","type":"view","viewQuery":"select id, t from imp_z"},{"name":"imp_z","type":"base","fields":[{"name":"t","type":"text"}]}]}`, `{"collections":[{"name":"imp_r1","id":"circle_1","fields":[{"name":"r","type":"relation","collectionId":"circle_2"}]},{"name":"imp_r2","id":"circle_2","fields":[{"name":"r","type":"relation","collectionId":"circle_1"}]}]}`, `{"collections":[{"name":"users","id":"_pb_users_auth_","type":"base"}]}`, `{"deleteMissing":true}`,
	} {
		all = append(all, req{Name: fmt.Sprintf("import %.150s", body), As: superuser, Method: "PUT", Path: "/api/collections/import", Body: body})
	}
	for _, name := range []string{"imp_a", "imp_b", "imp_renamed", "imp_ok", "imp_v", "imp_z", "imp_r1"} {
		all = append(all, req{Name: "imported " + name, As: superuser, Path: "/api/collections/" + name})
	}
	return append(all, req{Name: "delete one of a circle", As: superuser, Method: "DELETE", Path: "/api/collections/imp_r1"})
}

func truncates() []req {
	return flat([]req{collection(with(rules(""), row{"name": "emptied", "fields": []row{field("text", "t")}})),
		collection(with(rules(""), row{"name": "needs_emptied", "fields": []row{field("relation", "r", row{"collectionId": "{{emptied}}", "required": true})}}))},
		records("emptied", row{"id": id("empt", 1)}), records("needs_emptied", row{"id": id("need", 1), "r": id("empt", 1)}),
		[]req{
			{Name: "delete a required record", Method: "DELETE", Path: at("emptied", id("empt", 1))},
			{Name: "truncate a required collection", As: superuser, Method: "DELETE", Path: "/api/collections/emptied/truncate"},
			{Name: "still there", Path: at("emptied")},
			{Name: "truncate the other", As: superuser, Method: "DELETE", Path: "/api/collections/needs_emptied/truncate"},
			{Name: "truncate now", As: superuser, Method: "DELETE", Path: "/api/collections/emptied/truncate"},
			{Name: "empty", Path: at("emptied")},
			{Name: "truncate by GET", As: superuser, Path: "/api/collections/emptied/truncate"},
			{Name: "truncate superusers", As: owner, Method: "DELETE", Path: "/api/collections/_superusers/truncate"},
		},
		cascades())
}

// cascades: what a deleted record takes along.
func cascades() []req {
	return flat([]req{
		collection(with(rules(""), row{"name": "parents", "fields": []row{field("text", "t")}})),
		collection(with(rules(""), row{"name": "children", "fields": []row{field("relation", "parent", row{"collectionId": "{{parents}}", "cascadeDelete": true}), field("relation", "friends", row{"collectionId": "{{parents}}", "maxSelect": 3})}})),
		collection(with(rules(""), row{"name": "grandchildren", "fields": []row{field("relation", "parent", row{"collectionId": "{{children}}", "cascadeDelete": true})}}))},
		records("parents", row{"id": id("par", 1)}, row{"id": id("par", 2)}, row{"id": id("par", 3)}),
		records("children", row{"id": id("chi", 1), "parent": id("par", 1)}, row{"id": id("chi", 2), "parent": id("par", 2), "friends": []string{id("par", 1), id("par", 3)}}),
		records("grandchildren", row{"id": id("gra", 1), "parent": id("chi", 1)}, row{"id": id("gra", 2), "parent": id("chi", 2)}),
		[]req{
			{Name: "cascade", Method: "DELETE", Path: at("parents", id("par", 1))},
			{Name: "children after it", Path: at("children")},
			{Name: "grandchildren after it", Path: at("grandchildren")},
			{Name: "delete a friend", Method: "DELETE", Path: at("parents", id("par", 3))},
			{Name: "friends after it", Path: at("children")},
		})
}

func systemOnes() []req {
	var all []req
	for _, c := range []string{"_superusers", "_externalAuths", "_mfas", "_otps", "_authOrigins"} {
		for _, body := range []string{`{}`, `{"name":"renamed"}`, `{"listRule":""}`, `{"fields":[]}`, `{"system":false}`} {
			all = append(all, req{Name: c + " with " + body, As: superuser, Method: "PATCH", Path: "/api/collections/" + c, Body: body})
		}
		all = append(all, req{Name: "delete " + c, As: superuser, Method: "DELETE", Path: "/api/collections/" + c})
	}
	return append(all, req{Name: "users as they are", As: superuser, Path: "/api/collections/users"},
		req{Name: "superusers with oauth2", As: superuser, Method: "PATCH", Path: "/api/collections/_superusers", Body: `{"oauth2":{"enabled":true}}`},
		req{Name: "superusers without password", As: superuser, Method: "PATCH", Path: "/api/collections/_superusers", Query: q("fields", "passwordAuth"), Body: `{"passwordAuth":{"enabled":false}}`},
		req{Name: "superusers with authRule", As: superuser, Method: "PATCH", Path: "/api/collections/_superusers", Query: q("fields", "authRule"), Body: `{"authRule":null}`})
}
