package faults

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestBadQueries(t *testing.T) {
	a := start(t)
	a.collection(t, "things", everyField()...)
	id := a.create(t, "things", map[string]any{"text": "a", "number": 1})
	repeat := strings.Repeat
	tests := map[string]struct {
		query  string
		status int
	}{
		"filter too long":                {query("filter", "text = '"+repeat("x", 3_500)+"'"), 400},
		"filter too deep":                {query("filter", repeat("(", 100)+"text='a'"+repeat(")", 100)), 400},
		"filter of open brackets":        {query("filter", repeat("(", 3_000)), 400},
		"too many comparisons":           {query("filter", repeat("id=1||", 201)+"id=1"), 400},
		"filter of nothing":              {query("filter", " "), 400},
		"filter without an operand":      {query("filter", "text ="), 400},
		"filter with an unknown field":   {query("filter", "nobody = 1"), 400},
		"filter with SQL":                {query("filter", "1=1; DROP TABLE things"), 400},
		"filter with a quote":            {query("filter", "text = 'a' OR 1=1 --'"), 400},
		"filter with NUL":                {query("filter", "text = 'a\x00b'"), 400},
		"filter with invalid UTF-8":      {"?filter=text%3D%27%ff%27", 400},
		"filter with an unknown macro":   {query("filter", "created > @nobody"), 400},
		"filter with a function":         {query("filter", "load_extension('x') = 1"), 400},
		"function without arguments":     {query("filter", "geoDistance() < 1"), 400},
		"function of too many arguments": {query("filter", "geoDistance("+repeat("1,", 1_000)+"1) < 1"), 400},
		"functions in functions":         {query("filter", repeat("geoDistance(", 200)+"1"+repeat(")", 200)+" < 1"), 400},
		"filter by a password":           {query("filter", "secret ~ 'a'"), 400},
		"sort by a password":             {query("sort", "secret"), 400},
		"filter by another collection":   {query("filter", "@collection.users.id != ''"), 403},
		"filter by the request":          {query("filter", "@request.auth.id != ''"), 403},
		"a path of 1,000 steps":          {query("filter", repeat("json.", 1_000)+"a = 1"), 0},
		"sort by an unknown field":       {query("sort", "nobody"), 400},
		"sort by SQL":                    {query("sort", "text;DROP TABLE things"), 400},
		"sort by too many fields":        {query("sort", repeat("text,", 20)+"text"), 400},
		"sort by a long field":           {query("sort", repeat("x", 300)), 400},
		"sort with NUL":                  {query("sort", "te\x00xt"), 400},
		"page is a word":                 {query("page", "one"), 400},
		"page beyond integers":           {query("page", "99999999999999999999"), 400},
		"largest page":                   {query("page", "9223372036854775807", "perPage", "1000"), 200},
		"page below zero":                {query("page", "-9223372036854775808"), 200},
		"perPage beyond integers":        {query("perPage", "1e9"), 400},
		"largest perPage":                {query("perPage", "9223372036854775807"), 200},
		"perPage below zero":             {query("perPage", "-1"), 200},
		"hexadecimal page":               {query("page", "0x10"), 400},
		"skipTotal is a word":            {query("skipTotal", "perhaps"), 400},
		"unknown modifier":               {query("fields", "text:shout(1)"), 400},
		"open modifier":                  {query("fields", "text:excerpt("), 400},
		"huge excerpt":                   {query("fields", "text:excerpt(99999999999999999999)"), 400},
		"many fields":                    {query("fields", repeat("a.b.c.d,", 5_000)), 200},
		"deep fields":                    {query("fields", repeat("a.", 20_000)+"a"), 200},
		"expand nothing":                 {query("expand", repeat("nobody.", 1_000)+",,,"+repeat("a,", 10_000)), 200},
		"expand with NUL":                {query("expand", "a\x00b"), 200},
		"a bad escape":                   {"?filter=%zz&page=%q", 200},
		"10,000 parameters":              {"?" + repeat("a=b&", 10_000), 200},
		"10,000 empty parameters":        {"?" + repeat("&", 10_000) + repeat("=", 10_000), 200},
		"semicolons":                     {"?page=1;perPage=2", 200},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			got := a.get(t, records("things")+tt.query, "")
			switch {
			case tt.status == 0 && got.status == 200: // either will do
			case tt.status >= 400 || tt.status == 0:
				isError(t, got, max(tt.status, 400))
			case got.status != tt.status:
				t.Errorf("status %d, want %d: %.300s", got.status, tt.status, got.body)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("took %s", took)
			}
			// The same on one record, and for a superuser: other code, same care.
			for _, path := range []string{records("things") + "/" + id, records("things"), "/api/collections", "/api/health"} {
				got := a.get(t, path+tt.query, a.token)
				if got.status != 200 {
					isError(t, got, 400, 403)
				}
			}
		})
	}
	a.healthy(t)
}

// TestRulesSeeBadRequests lets rules look at what is not valid UTF-8.
func TestRulesSeeBadRequests(t *testing.T) {
	a := start(t)
	a.collection(t, "things", map[string]any{"name": "text", "type": "text"})
	a.create(t, "things", map[string]any{"text": "a"})
	a.must(t, a.json(t, "PATCH", "/api/collections/things", a.token, map[string]any{
		"listRule": "@request.query.q = text || @request.headers.x_q ~ text || text:lower = @request.query.q",
		"viewRule": "@request.query.q ~ text && @request.headers.x_q != text",
	}), 200)
	for _, q := range []string{"%ff%fe", "%00", "a%00b", "%c0%af", strings.Repeat("%25", 10_000), "%ed%a0%80", "a"} {
		req, err := http.NewRequest("GET", a.URL+records("things")+"?q="+q, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Q", "\xff\xfe%_\\")
		res, err := a.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 200 {
			t.Errorf("%s: status %d", q, res.StatusCode)
		}
	}
	a.healthy(t)
}

// TestExpandBomb asks for relations forth and back again: 300 posts of one
// author, each with the author, each with its 300 posts, and so on.
func TestExpandBomb(t *testing.T) {
	a := startIn(t, t.TempDir()+"/data", []string{"GOMEMLIMIT=256MiB"})
	a.collection(t, "authors", map[string]any{"name": "name", "type": "text"})
	authors := str(t, a.must(t, a.get(t, "/api/collections/authors", a.token), 200).body, "id")
	a.collection(t, "posts", map[string]any{"name": "author", "type": "relation", "collectionId": authors, "maxSelect": 1})
	author := a.create(t, "authors", map[string]any{"name": "one"})
	for range 300 {
		a.create(t, "posts", map[string]any{"author": author})
	}
	const turn = "posts_via_author.author"
	modest := a.get(t, records("authors")+query("expand", turn), "")
	if modest.status != 200 || strings.Count(string(modest.body), author) < 600 {
		t.Errorf("one turn: %d, %d bytes", modest.status, len(modest.body))
	}
	bomb := turn + "." + turn + "." + turn
	for _, path := range []string{records("authors") + query("expand", bomb), records("authors") + "/" + author + query("expand", bomb),
		records("posts") + query("expand", "author."+bomb, "perPage", "1000")} {
		got := a.get(t, path, "")
		isError(t, got, 400)
	}
	// What is written is written: its answer just does without.
	made := a.must(t, a.post(t, records("posts")+query("expand", "author."+bomb), "", map[string]any{"author": author}), 200)
	if len(made.body) > 1000 {
		t.Errorf("the answer to a create has %d bytes", len(made.body))
	}
	if _, peak := a.rss(t); peak > 512<<20 {
		t.Errorf("the server took %d MB", peak>>20)
	}
	if n := a.count(t, "posts"); n != 301 {
		t.Errorf("%d posts", n)
	}
	a.healthy(t)
}

// TestQueryBomb asks for something that takes the database hours: no such
// question may keep others from being answered.
func TestQueryBomb(t *testing.T) {
	a := start(t, "--query-timeout", "3s")
	a.collection(t, "authors", map[string]any{"name": "name", "type": "text"})
	authors := str(t, a.must(t, a.get(t, "/api/collections/authors", a.token), 200).body, "id")
	a.collection(t, "posts", map[string]any{"name": "author", "type": "relation", "collectionId": authors, "maxSelect": 1},
		map[string]any{"name": "text", "type": "text"})
	author := a.create(t, "authors", map[string]any{"name": "one"})
	for range 600 {
		a.create(t, "posts", map[string]any{"author": author, "text": "x"})
	}
	const turn = "author.posts_via_author."
	filter := "id = 1" + strings.Repeat(" || "+turn+turn+turn+"text = 'y'", 30)
	done := make(chan error)
	const askers = 12
	for i := range askers {
		go func() {
			got, err := a.try("GET", records("posts")+query("filter", filter+strings.Repeat(" ", i)), "", "", nil)
			if err == nil && got.status != 503 {
				err = fmt.Errorf("status %d: %s", got.status, got.body)
			}
			done <- err
		}()
	}
	began := time.Now()
	a.until(t, "all are asking", func() bool { return a.metric(t, "pando_http_inflight_requests") >= askers })
	for i := range 5 {
		began := time.Now()
		a.must(t, a.get(t, records("authors")+query("filter", "name = 'one'", "page", fmt.Sprint(i)), ""), 200)
		took := time.Since(began)
		t.Logf("somebody else's list took %s", took.Round(time.Millisecond))
		if took > 15*time.Second { // twelve times three seconds, if they came one after the other
			t.Error("it had to wait for all the others")
		}
	}
	for range askers {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	t.Logf("all answered after %s", time.Since(began).Round(time.Millisecond))
	a.healthy(t)
}

// TestQueryMemory asks ever different questions, each as long as may be: what
// the server remembers of them must not grow with their number.
func TestQueryMemory(t *testing.T) {
	a := startIn(t, t.TempDir()+"/data", []string{"GOMEMLIMIT=256MiB"})
	a.collection(t, "things", everyField()...)
	for range 5 {
		a.create(t, "things", map[string]any{"text": "x"})
	}
	ask := func(worker, i int) error {
		// Other names each time: statements differ by their shape, not by values.
		var b strings.Builder
		names := []string{"text", "number", "bool", "email", "url", "date", "choice", "id", "json.a", "point.lon", "files:length"}
		for k := range 160 {
			n := (i*31 + worker*7 + k*(1+i%13)) % len(names)
			op := []string{"=", "!=", "~", ">", "!~", "?="}[(k+i/3+worker)%6]
			fmt.Fprintf(&b, "%s%s%d||", names[n], op, k)
		}
		filter := b.String() + "id=1"
		got, err := a.try("GET", records("things")+query("filter", filter, "sort", []string{"text", "-date", "number"}[i%3],
			"fields", fmt.Sprintf("id,text:excerpt(%d,true)", i), "expand", strings.Repeat("nobody.", i%9)), "", "", nil)
		if err == nil && got.status != 200 && got.status != 400 {
			err = fmt.Errorf("%d %s", got.status, got.body)
		}
		return err
	}
	rounds := 60
	if long() {
		rounds = 2_000
	}
	var last int64
	for _, part := range []int{1, 2, 3} {
		done := make(chan error)
		for w := range 8 {
			go func() {
				for i := range rounds / 3 {
					if err := ask(w, part*1000+i); err != nil {
						done <- err
						return
					}
				}
				done <- nil
			}()
		}
		for range 8 {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		last, _ = a.rss(t)
		t.Logf("after %d questions: resident %d MB", 8*part*rounds/3, last>>20)
	}
	if last > 256<<20 {
		t.Errorf("the server takes %d MB", last>>20)
	}
	a.healthy(t)
}
