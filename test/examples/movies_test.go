// Package examples runs what lies in examples/, as its readers would: the movies
// site over real data, and the program that embeds Pando, built from outside the
// repository.
package examples

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando/test/node"
	"github.com/pandobase/pando/test/target"
)

// data is where npm puts the files of vega-datasets.
const data = "node_modules/vega-datasets/data"

// movies imports the data as examples/movies/README.md says, and serves it.
func movies(t *testing.T) *site {
	t.Helper()
	node.Install(t, ".")
	bin, err := target.BuildPando(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	root, err := target.Root()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "data")
	for _, step := range []struct {
		args []string
		want string
	}{
		{[]string{"movies.json", "--collection", "movies", "--public"}, "3,201 rows imported into movies (new), 0 not taken.\n"},
		{[]string{"airports.csv", "--collection", "airports", "--public"}, "3,376 rows imported into airports (new), 0 not taken.\n"},
		{[]string{"flights-20k.json", "--collection", "flights", "--public", "--match", "origin=airports.iata", "--match", "destination=airports.iata"},
			"20,000 rows imported into flights (new), 0 not taken.\n"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		args := append([]string{"import", filepath.Join(data, step.args[0])}, step.args[1:]...)
		cmd := exec.CommandContext(ctx, bin, append(args, "--dir", dir)...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		err := cmd.Run()
		cancel()
		if err != nil || stdout.String() != step.want {
			t.Fatalf("%q: %v\nstdout: %s\nwant:   %s\nstderr: %s", args, err, stdout.String(), step.want, stderr.String())
		}
	}
	s, err := target.StartPandoWith(t.Context(), dir, "--pages-dir", filepath.Join(root, "examples/movies/pages"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return &site{s, t.Context()}
}

func TestMovies(t *testing.T) {
	s := movies(t)
	t.Run("expand as JSON", func(t *testing.T) { testExpand(t, s) })
	t.Run("pages show the records", func(t *testing.T) { testPages(t, s) })
	t.Run("links work", func(t *testing.T) { testLinks(t, s) })
	t.Run("a reload runs no query", func(t *testing.T) { testReload(t, s) })
	t.Run("login", func(t *testing.T) { testLogin(t, s) })
	t.Run("a browser without JavaScript", func(t *testing.T) { testBrowser(t, s) })
}

// testExpand compares every flight, in the order of the file, with the file.
func testExpand(t *testing.T, s *site) {
	text, err := os.ReadFile(filepath.Join(data, "flights-20k.json"))
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		Date, Origin, Destination string
		Delay, Distance           float64
	}
	if err := json.Unmarshal(text, &rows); err != nil {
		t.Fatal(err)
	}
	type airport struct{ ID, IATA string }
	seen := 0
	for page := 1; page <= 20; page++ {
		var list struct {
			TotalItems int
			Items      []struct {
				Date, Origin, Destination string
				Delay, Distance           float64
				Expand                    struct{ Origin, Destination airport }
			}
		}
		s.json(t, fmt.Sprintf("/api/collections/flights/records?expand=origin,destination&perPage=1000&page=%d", page), &list)
		if list.TotalItems != len(rows) {
			t.Fatalf("%d flights, want %d", list.TotalItems, len(rows))
		}
		for _, got := range list.Items {
			want := rows[seen]
			seen++
			date, err := time.Parse("2006/01/02 15:04", want.Date)
			if err != nil {
				t.Fatal(err)
			}
			if got.Expand.Origin.IATA != want.Origin || got.Expand.Destination.IATA != want.Destination ||
				got.Origin != got.Expand.Origin.ID || got.Destination != got.Expand.Destination.ID ||
				got.Delay != want.Delay || got.Distance != want.Distance || got.Date != date.Format("2006-01-02 15:04:05.000Z") {
				t.Fatalf("flight %d is %+v, want %+v", seen, got, want)
			}
		}
	}
	if seen != len(rows) {
		t.Errorf("%d flights, want %d", seen, len(rows))
	}
}

// testPages compares pages with what the web API says.
func testPages(t *testing.T, s *site) {
	type movie struct {
		ID, Title, Director string
		IMDBRating          float64 `json:"IMDB_Rating"`
		IMDBVotes           float64 `json:"IMDB_Votes"`
	}
	var best, kubrick struct {
		Items      []movie
		TotalItems int
	}
	s.json(t, "/api/collections/movies/records?sort=-IMDB_Rating,Title&perPage=10&filter="+url.QueryEscape("IMDB_Votes > 50000"), &best)
	s.json(t, "/api/collections/movies/records?sort=Title&perPage=25&filter="+url.QueryEscape("Title ~ 'kubrick' || Director ~ 'kubrick'"), &kubrick)
	if len(best.Items) != 10 || best.Items[0].IMDBRating < 9 || kubrick.TotalItems == 0 {
		t.Fatalf("best %+v, kubrick %+v", best, kubrick)
	}

	s.shows(t, "/", 200, titles(best.Items, func(m movie) string {
		return fmt.Sprintf(`<a href="/movies/%s">%s</a> <span class="muted">%v</span>`, m.ID, html.EscapeString(m.Title), m.IMDBRating)
	})...)
	first := best.Items[0]
	s.shows(t, "/movies/"+first.ID, 200, "<title>"+html.EscapeString(first.Title)+"</title>", "<h1>"+html.EscapeString(first.Title)+"</h1>", html.EscapeString(first.Director))
	s.shows(t, "/movies?q=KUBRICK", 200, append(titles(kubrick.Items, func(m movie) string {
		return fmt.Sprintf(`<a href="/movies/%s">%s</a>`, m.ID, html.EscapeString(m.Title))
	}), `value="KUBRICK"`, fmt.Sprintf("Page 1 of 1, %d in all", kubrick.TotalItems))...)
	s.shows(t, "/movies?q="+url.QueryEscape(`"><script>alert(1)</script>' || Title != '`), 200, "Nothing found.", "&#34;&gt;&lt;script&gt;")
	s.shows(t, "/movies", 200, "Page 1 of 129, 3,201 in all", `<a rel="next" href="/movies?page=2">`)
	s.shows(t, "/movies?page=129&q=", 200, "Page 129 of 129", `<a rel="prev" href="/movies?page=128&amp;q=">`)
	s.shows(t, "/airports", 200, "Page 1 of 68, 3,376 in all")
	s.shows(t, "/flights", 200, "Page 1 of 667, 20,000 in all")
	s.shows(t, "/login", 200, `<form action="/-/login" method="post">`)
	s.shows(t, "/nowhere", 404, "There is no page at /nowhere.")
	s.shows(t, "/movies/nosuchmovie", 404, "There is no page at /movies/nosuchmovie.")

	var airports struct {
		Items []struct{ ID, Name, City string }
	}
	s.json(t, "/api/collections/airports/records?perPage=1&filter="+url.QueryEscape("iata = 'ORD'"), &airports)
	ord := airports.Items[0]
	s.shows(t, "/airports/"+ord.ID, 200, "<h1>Chicago O&#39;Hare International (ORD)</h1>", ord.City+", IL, USA")
}

func titles[T any](list []T, f func(T) string) []string {
	out := make([]string, len(list))
	for i, item := range list {
		out[i] = f(item)
	}
	return out
}

var (
	href    = regexp.MustCompile(`href="([^"]*)"`)
	blemish = regexp.MustCompile(`ZgotmplZ|&lt;no value&gt;|<no value>|\de\+\d|map\[|%!`)
)

// testLinks follows links from the start, a few of each page, and looks at what
// it gets.
func testLinks(t *testing.T, s *site) {
	const fromEach, atMost = 8, 120
	queue, known, kinds := []string{"/"}, map[string]bool{"/": true}, map[string]int{}
	for n := 0; len(queue) > 0 && n < atMost; n++ {
		at := queue[0]
		queue = queue[1:]
		kinds[kind(at)]++
		res := s.get(t, at)
		if res.status != 200 || !strings.Contains(res.body, "<h1>") || !strings.HasSuffix(strings.TrimSpace(res.body), "</html>") {
			t.Errorf("%s: %d\n%.300s", at, res.status, res.body)
		}
		if bad := blemish.FindString(res.body); bad != "" {
			t.Errorf("%s shows %q", at, bad)
		}
		followed := map[string]int{}
		for _, m := range href.FindAllStringSubmatch(res.body, -1) {
			to := html.UnescapeString(m[1])
			if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") {
				t.Errorf("%s has a link to %q", at, to)
			}
			if followed[kind(to)]++; !known[to] && followed[kind(to)] <= fromEach {
				known[to] = true
				queue = append(queue, to)
			}
		}
	}
	for _, want := range []string{"/", "/movies", "/movies/*", "/airports", "/airports/*", "/flights", "/login"} {
		if kinds[want] == 0 {
			t.Errorf("no link led to %s, only to %v", want, kinds)
		}
	}
}

// kind is the page that a link is of, without its parameters.
func kind(link string) string {
	link, _, _ = strings.Cut(link, "?")
	if path.Dir(link) != "/" {
		return path.Dir(link) + "/*"
	}
	return link
}

// testReload asks for each page twice; the second time, the database is asked
// nothing.
func testReload(t *testing.T, s *site) {
	var one struct{ Items []struct{ ID string } }
	paths := []string{"/", "/movies", "/movies?page=3", "/movies?q=alien", "/airports", "/flights", "/flights?page=4", "/login", "/nowhere"}
	for _, name := range []string{"movies", "airports"} {
		s.json(t, "/api/collections/"+name+"/records?perPage=1", &one)
		paths = append(paths, "/"+name+"/"+one.Items[0].ID)
	}
	bodies := map[string]string{}
	for _, p := range paths {
		bodies[p] = s.get(t, p).body
	}
	before := s.metrics(t)
	for _, p := range paths {
		if again := s.get(t, p).body; again != bodies[p] {
			t.Errorf("%s is another page when it is asked for again", p)
		}
	}
	after := s.metrics(t)
	const hits = `pando_cache_requests_total{result="hit",tier="memory"}`
	for _, name := range []string{`pando_cache_requests_total{result="miss",tier="memory"}`, `pando_cache_requests_total{result="shared",tier="memory"}`, "pando_db_reads_total"} {
		was, counted := before[name]
		if !counted {
			t.Errorf("there is no metric %s", name)
		}
		if after[name] != was {
			t.Errorf("%s went from %v to %v", name, was, after[name])
		}
	}
	if n := after[hits] - before[hits]; n < 9 {
		t.Errorf("%v hits in the cache: the pages did not ask it", n)
	}
}

// testLogin logs in by form; the page is then the user's own.
func testLogin(t *testing.T, s *site) {
	token := s.superuser(t)
	status, answer := s.send(t, "POST", "/api/collections/users/records", token, map[string]any{
		"email": "ada@example.com", "password": "ada-password", "passwordConfirm": "ada-password", "verified": true, "emailVisibility": true,
	})
	if status != 200 {
		t.Fatalf("sign up: %d %s", status, answer)
	}
	c := s.browser(t)
	c.submit(t, "/login", "/-/login", url.Values{"identity": {"ada@example.com"}, "password": {"wrong-password"}, "next": {"/"}})
	if !strings.Contains(c.page.body, "Wrong e-mail or password.") {
		t.Errorf("a wrong password shows %s", c.page.body)
	}
	c.submit(t, "/login", "/-/login", url.Values{"identity": {"ada@example.com"}, "password": {"ada-password"}, "next": {"/flights"}})
	if !strings.Contains(c.page.body, "<h1>Flights</h1>") || !strings.Contains(c.page.body, "ada@example.com") || c.page.header.Get("Cache-Control") != "private, no-store" {
		t.Errorf("logged in: %v %.400s", c.page.header, c.page.body)
	}
	c.submit(t, "/flights", "/-/logout", url.Values{"next": {"/"}})
	if strings.Contains(c.page.body, "ada@example.com") || !strings.Contains(c.page.body, "Log in") {
		t.Errorf("logged out: %.400s", c.page.body)
	}
}

// testBrowser walks the site in Chromium with JavaScript off: browser.mjs.
func testBrowser(t *testing.T, s *site) {
	node.NeedBrowser(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	// PANDO_SCREENSHOTS=DIR keeps pictures to look at.
	cmd := exec.CommandContext(ctx, "node", "browser.mjs", s.URL, os.Getenv("PANDO_SCREENSHOTS"))
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasSuffix(string(out), "11 steps\n") {
		t.Errorf("%v\n%s", err, out)
	}
}
