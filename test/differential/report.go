package differential

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// repeated is from how many requests on the same difference is shown once,
// for all of them.
const repeated = 6

// Report writes the differences of results for people: first what differs
// alike in many requests, then by area each request with what differs, then
// the counts.
func Report(w io.Writer, a, b string, results []Result) {
	often := repeats(results)
	reportRepeats(w, a, b, often)
	byArea := map[string][]Result{}
	for _, r := range results {
		byArea[r.Request.Area] = append(byArea[r.Request.Area], r)
	}
	areas := slices.Sorted(maps.Keys(byArea))
	for _, area := range areas {
		heading := false
		for _, r := range byArea[area] {
			own := slices.DeleteFunc(slices.Clone(r.Differences), func(d Difference) bool { return often[d] != nil })
			if len(own) == 0 {
				continue
			}
			if !heading {
				heading = true
				fmt.Fprintf(w, "\n══ %s\n", area)
			}
			fmt.Fprintf(w, "\n● %s\n  %s\n  %s %d, %s %d\n", r.Request.ID(), Describe(r.Request), a, r.A.Status, b, r.B.Status)
			for _, d := range own {
				reportOne(w, a, b, d)
			}
		}
	}
	fmt.Fprintf(w, "\n%-14s %9s %9s %9s %9s\n", "area", "requests", "status", "sdk key", "other")
	for _, area := range areas {
		reportCount(w, area, byArea[area])
	}
	reportCount(w, "all", results)
}

// repeats are the differences that many requests share, with their requests.
// Differing statuses are not among them: each has a story of its own.
func repeats(results []Result) map[Difference][]string {
	often := map[Difference][]string{}
	for _, r := range results {
		for _, d := range r.Differences {
			if d.Class != Status {
				often[d] = append(often[d], r.Request.ID())
			}
		}
	}
	maps.DeleteFunc(often, func(_ Difference, ids []string) bool { return len(ids) < repeated })
	return often
}

func reportRepeats(w io.Writer, a, b string, often map[Difference][]string) {
	if len(often) == 0 {
		return
	}
	all := slices.Collect(maps.Keys(often))
	slices.SortFunc(all, func(x, y Difference) int {
		return cmp.Or(len(often[y])-len(often[x]), strings.Compare(x.Where, y.Where), strings.Compare(x.A+x.B, y.A+y.B))
	})
	fmt.Fprintln(w, "\n══ alike in many requests")
	for _, d := range all {
		ids := often[d]
		fmt.Fprintf(w, "\n● %d requests, such as %s, %s\n", len(ids), ids[0], ids[len(ids)/2])
		reportOne(w, a, b, d)
	}
}

func reportOne(w io.Writer, a, b string, d Difference) {
	fmt.Fprintf(w, "    %-7s %s\n      %-6s %s\n      %-6s %s\n", d.Class, d.Where, a, short(d.A), b, short(d.B))
}

func reportCount(w io.Writer, name string, results []Result) {
	n := Count(results)
	fmt.Fprintf(w, "%-14s %9d %9d %9d %9d\n", name, len(results), n[Status], n[SDKKey], n[Other])
}

// Describe shows a request on one line.
func Describe(q Request) string {
	var s strings.Builder
	switch {
	case q.Stream.Connect != "":
		return "open a realtime connection as " + q.Stream.Connect
	case q.Stream.Collect != "":
		return "read events of " + q.Stream.Collect + " until " + q.Stream.Until
	}
	method := q.Method
	if method == "" {
		method = "GET"
		if q.Body != "" || q.Form != nil {
			method = "POST"
		}
	}
	fmt.Fprintf(&s, "%s %s", method, q.Path)
	if len(q.Query) > 0 {
		query, err := url.QueryUnescape(q.Query.Encode())
		if err != nil {
			query = q.Query.Encode()
		}
		fmt.Fprintf(&s, "?%s", query)
	}
	if q.As == Guest {
		s.WriteString(" as guest")
	} else {
		fmt.Fprintf(&s, " as %s", q.As)
	}
	for name, value := range q.Headers {
		fmt.Fprintf(&s, " [%s: %s]", name, value)
	}
	if q.Type != "" {
		fmt.Fprintf(&s, " (%s)", q.Type)
	}
	if q.Body != "" {
		fmt.Fprintf(&s, " %s", short(q.Body))
	}
	for _, p := range q.Form {
		if p.Filename != "" {
			fmt.Fprintf(&s, " %s=@%s(%d bytes)", p.Name, p.Filename, len(p.Content))
		} else {
			fmt.Fprintf(&s, " %s=%s", p.Name, short(p.Content))
		}
	}
	return s.String()
}

// Dump writes every request with its answer, to read what a server does.
func Dump(w io.Writer, requests []Request, run Run) {
	area := ""
	for i, q := range requests {
		if q.Area != area {
			area = q.Area
			fmt.Fprintf(w, "\n══ %s\n", area)
		}
		a := run.Answers[i]
		fmt.Fprintf(w, "\n● %s\n  %s\n  ", q.Name, Describe(q))
		switch {
		case a.Err != nil:
			fmt.Fprintf(w, "no answer: %v\n", a.Err)
		case json.Valid(a.Body):
			fmt.Fprintf(w, "%d %s\n", a.Status, strings.TrimSpace(string(a.Body)))
		default:
			fmt.Fprintf(w, "%d %s %s\n", a.Status, a.Header.Get("Content-Type"), opaque(q, a.Body))
		}
	}
}

func short(s string) string {
	const most = 600
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + fmt.Sprintf("… (%d bytes)", len(s))
	}
	return s
}
