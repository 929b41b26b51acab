package pages

import (
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/pandobase/pando"
)

// visit is one rendering: what its template's functions work on. The zero visit
// only names the functions, for parsing.
type visit struct {
	ctx    context.Context
	pages  *Pages
	r      *http.Request
	user   *pando.Record
	params map[string]string
}

// data is the dot of the page.
func (v *visit) data() map[string]any {
	query := map[string]string{}
	for k, values := range v.r.URL.Query() {
		query[k] = values[0]
	}
	return map[string]any{
		"Path":   v.r.URL.Path,
		"URL":    v.r.URL.RequestURI(),
		"Params": v.params,
		"Query":  query,
		"User":   shown(v.user),
	}
}

// funcs are the functions that pages may call. None reaches files, the
// environment or the network.
func (v *visit) funcs() template.FuncMap {
	return template.FuncMap{
		"list":  v.list,
		"view":  v.view,
		"param": func(name string) string { return v.params[name] },
		"query": func(name string) string { return v.r.URL.Query().Get(name) },
		"link":  v.link,
		"tick":  v.tick,

		"dict":  dict,
		"quote": quote,
		"file":  fileURL,
		"add":   func(a, b any) int { return whole(a) + whole(b) },
		"sub":   func(a, b any) int { return whole(a) - whole(b) },
		"date":  formatDate,
		"num":   formatNumber,
	}
}

// tick ends a template that runs too long.
func (v *visit) tick() (string, error) { return "", v.ctx.Err() }

// list is {{list "movies" "sort" "-year" "filter" "…" "page" 2 "perPage" 20
// "expand" "…" "fields" "…"}}: the page of records as the web API answers it,
// with items, page, perPage, totalItems and totalPages.
func (v *visit) list(collection string, options ...any) (map[string]any, error) {
	o, err := dict(options...)
	if err != nil {
		return nil, err
	}
	q := pando.ListQuery{Page: whole(o["page"]), PerPage: whole(o["perPage"])}
	q.Sort, q.Filter = str(o["sort"]), str(o["filter"])
	q.Expand, q.Fields = str(o["expand"]), str(o["fields"])
	for key := range o {
		switch key {
		case "page", "perPage", "sort", "filter", "expand", "fields":
		default:
			return nil, fmt.Errorf("list has no option %q", key)
		}
	}
	answer, err := v.pages.o.Records.List(v.ctx, v.request(), collection, q)
	return decode(answer, err)
}

// view is {{view "movies" id "director"}}: one record, with the relations named
// last expanded. A record that is not there makes the page not found.
func (v *visit) view(collection, id string, expand ...string) (map[string]any, error) {
	p := pando.Projection{Expand: strings.Join(expand, ",")}
	answer, err := v.pages.o.Records.View(v.ctx, v.request(), collection, id, p)
	return decode(answer, err)
}

func decode(answer pando.Answer, err error) (map[string]any, error) {
	if err != nil {
		return nil, err
	}
	var out map[string]any
	err = json.Unmarshal(answer, &out)
	return out, err
}

// request is what rules see of the visit.
func (v *visit) request() *pando.Request {
	req := &pando.Request{
		Context: "default", Method: http.MethodGet, Auth: v.user,
		Query: func(name string) (string, bool) {
			values, ok := v.r.URL.Query()[name]
			if !ok {
				return "", false
			}
			return values[0], true
		},
		Header: func(name string) (string, bool) {
			value := v.r.Header.Get(strings.ReplaceAll(name, "_", "-"))
			return value, value != ""
		},
	}
	if v.pages.o.RealIP != nil {
		req.RealIP = v.pages.o.RealIP(v.r)
	}
	return req
}

// link is this page's address with some query values replaced:
// {{link "page" 2}}. An empty value takes the key away.
func (v *visit) link(pairs ...any) (string, error) {
	o, err := dict(pairs...)
	if err != nil {
		return "", err
	}
	q := v.r.URL.Query()
	for k, value := range o {
		if s := str(value); s != "" {
			q.Set(k, s)
		} else {
			q.Del(k)
		}
	}
	if len(q) == 0 {
		return v.r.URL.Path, nil
	}
	return v.r.URL.Path + "?" + q.Encode(), nil
}

// dict makes a map of names and values.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("%d arguments do not make pairs of a name and a value", len(pairs))
	}
	out := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("%v is no name", pairs[i])
		}
		out[name] = pairs[i+1]
	}
	return out, nil
}

// quote makes a text into a literal of the filter language, so that what a
// visitor typed stays a text: {{list "movies" "filter" (printf "title ~ %s"
// (quote .Query.q))}}.
func quote(v any) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(str(v)) + "'"
}

// fileURL is the address of a record's file: {{file . "poster" "100x100"}}.
func fileURL(record map[string]any, field string, thumb ...string) string {
	name := str(record[field])
	if names, ok := record[field].([]any); ok && len(names) > 0 {
		name = str(names[0])
	}
	if name == "" {
		return ""
	}
	u := "/api/files/" + url.PathEscape(str(record["collectionId"])) + "/" + url.PathEscape(str(record["id"])) + "/" + url.PathEscape(name)
	if len(thumb) > 0 {
		u += "?thumb=" + url.QueryEscape(thumb[0])
	}
	return u
}

// formatDate writes a stored date in one of Go's layouts.
func formatDate(layout string, v any) string {
	t, err := time.Parse(pando.TimeLayout, str(v))
	if err != nil {
		return str(v)
	}
	return t.Format(layout)
}

// formatNumber writes a number with thin groups of three digits.
func formatNumber(v any) string {
	f, ok := v.(float64)
	if !ok {
		return str(v)
	}
	text := strconv.FormatFloat(f, 'f', -1, 64)
	whole, fraction, _ := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0 && whole[i-1] != '-'; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction != "" {
		return whole + "." + fraction
	}
	return whole
}

func str(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

func whole(v any) int {
	switch v := v.(type) {
	case int:
		return v
	case float64:
		return int(v)
	case string:
		n, _ := strconv.Atoi(v)
		return n
	}
	return 0
}
