package areas

import "fmt"

// Modifiers: a field's name with +, - or :modifier in the body of a write.

func modifiers() []req {
	mod := id("mod", 1)
	start := row{"id": mod, "n": 10, "labels": []string{"a", "b"}, "kind": "x", "tags": []string{id("tag", 1), id("tag", 2)}, "tag": id("tag", 1), "t": "text", "j": []int{1}, "u": 7}
	all := []req{
		collection(with(rules(""), row{"name": "modified", "fields": []row{
			field("number", "n", row{"max": 100}), field("number", "u"), field("text", "t", row{"autogeneratePattern": "[z]{4}"}), field("json", "j"), field("bool", "b"), field("text", "plain"),
			field("select", "kind", row{"values": []string{"x", "y"}}), field("select", "labels", row{"values": []string{"a", "b", "c", "d"}, "maxSelect": 4}),
			field("relation", "tag", row{"collectionId": "{{tags}}"}), field("relation", "tags", row{"collectionId": "{{tags}}", "maxSelect": 4}),
			field("file", "files", row{"maxSelect": 4}), field("number", "hid", row{"hidden": true}),
		}})),
		{Name: "start", Path: at("modified"), Body: text(start)},
	}
	for _, body := range []string{
		`{"n+":5}`, `{"n-":3}`, `{"+n":2}`, `{"n+":"4"}`, `{"n+":"abc"}`, `{"n+":null}`, `{"n+":1000}`, `{"n+":1.25}`, `{"n":1,"n+":2}`, `{"n+":2,"n":1}`, `{"n+":1,"n-":1}`, `{"n+":true}`, `{"n+":[1]}`, `{"-n":1}`,
		`{"labels+":"c"}`, `{"labels+":["c","d"]}`, `{"+labels":"d"}`, `{"labels-":"a"}`, `{"labels-":["a","b"]}`, `{"labels-":"missing"}`, `{"labels+":"missing"}`, `{"labels+":[]}`, `{"labels":["b"],"labels+":"a"}`, `{"labels+":null}`, `{"labels":null}`,
		`{"kind+":"y"}`, `{"kind-":"x"}`, `{"kind-":"y"}`, `{"+kind":"y"}`,
		`{"tags+":"tag000000000003"}`, `{"+tags":"tag000000000004"}`, `{"tags-":"tag000000000001"}`, `{"tags+":"missing"}`, `{"tags+":["tag000000000001","tag000000000003"]}`, `{"tags-":["tag000000000001","tag000000000002","tag000000000003","tag000000000004"]}`, `{"tag+":"tag000000000002"}`, `{"tag-":"tag000000000002"}`,
		`{"t:autogenerate":""}`, `{"t:autogenerate":"pre-"}`, `{"t:autogenerate":null}`, `{"t":"","t:autogenerate":"x"}`, `{"plain:autogenerate":"x"}`, `{"t+":"x"}`, `{"t:lower":"X"}`, `{"j+":2}`, `{"b+":true}`, `{"files-":"missing.txt"}`, `{"hid+":5}`, `{"n:length":1}`,
	} {
		all = append(all, req{Name: "update " + body, Method: "PATCH", Path: at("modified", mod), Body: body})
	}
	for i, body := range []string{`{"n+":5}`, `{"n-":5}`, `{"labels+":["a","b"]}`, `{"+labels":"a","labels":["b"]}`, `{"tags+":"tag000000000001"}`, `{"t:autogenerate":"id-"}`, `{"kind+":"x"}`, `{"n+":5,"n":2}`, `{"labels-":"a","labels":["a","b"]}`} {
		all = append(all, req{Name: fmt.Sprintf("create %s", body), Path: at("modified"), Body: body[:1] + fmt.Sprintf(`"id":%q,`, id("modnew", i)) + body[1:]})
	}
	return append(all,
		req{Name: "form", Method: "PATCH", Path: at("modified", mod), Form: []part{{Name: "n+", Content: "1"}, {Name: "labels+", Content: "a"}, {Name: "labels+", Content: "d"}}},
		req{Name: "urlencoded", Method: "PATCH", Path: at("modified", mod), Type: "application/x-www-form-urlencoded", Body: "n%2B=1&labels-=a&tags%2B=tag000000000001"},
		req{Name: "after all", Path: at("modified", mod)},
	)
}
