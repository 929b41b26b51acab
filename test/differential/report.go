package differential

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"sort"
	"strings"
)

// Report writes the differences of results for people: grouped by area, each
// with its request and what differs.
func Report(w io.Writer, a, b string, results []Result) {
	byArea := map[string][]Result{}
	var areas []string
	for _, r := range results {
		if len(r.Differences) == 0 {
			continue
		}
		if byArea[r.Request.Area] == nil {
			areas = append(areas, r.Request.Area)
		}
		byArea[r.Request.Area] = append(byArea[r.Request.Area], r)
	}
	sort.Strings(areas)
	for _, area := range areas {
		fmt.Fprintf(w, "\n══ %s (%d)\n", area, len(byArea[area]))
		for _, r := range byArea[area] {
			fmt.Fprintf(w, "\n● %s\n  %s\n  %s %d, %s %d\n", r.Request.ID(), Describe(r.Request), a, r.A.Status, b, r.B.Status)
			for _, d := range r.Differences {
				fmt.Fprintf(w, "    %-7s %s\n      %-6s %s\n      %-6s %s\n", d.Class, d.Where, a, short(d.A), b, short(d.B))
			}
		}
	}
	n := Count(results)
	fmt.Fprintf(w, "\n%d requests: %d with another status, %d with another SDK key, %d with other differences\n",
		len(results), n[Status], n[SDKKey], n[Other])
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
