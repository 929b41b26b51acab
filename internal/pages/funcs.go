package pages

import (
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"

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
	depth  int // of templates that are being executed
}

// data is the dot of the page.
func (v *visit) data() (map[string]any, error) {
	user, err := shown(v.user)
	if err != nil {
		return nil, err
	}
	query := map[string]string{}
	for k, values := range v.r.URL.Query() {
		query[k] = values[0]
	}
	return map[string]any{
		"Path":   v.r.URL.Path,
		"URL":    v.r.URL.RequestURI(),
		"Params": v.params,
		"Query":  query,
		"User":   user,
	}, nil
}

// funcs are the functions that pages may call. None reaches files, the
// environment or the network. Those that html/template has too are replaced by
// forms with bounds, and by comparisons that know numbers of any kind.
func (v *visit) funcs() template.FuncMap {
	return template.FuncMap{
		"list":  v.list,
		"view":  v.view,
		"param": func(name string) string { return v.params[name] },
		"query": func(name string) string { return v.r.URL.Query().Get(name) },
		"link":  v.link,

		"dict":  dict,
		"quote": quote,
		"file":  fileURL,
		"add":   func(a, b any) int { return whole(a) + whole(b) },
		"sub":   func(a, b any) int { return whole(a) - whole(b) },
		"date":  formatDate,
		"num":   formatNumber,

		"eq": equal, "ne": unequal, "lt": less, "le": atMost, "gt": greater, "ge": atLeast,

		"print":    bounded(fmt.Sprint),
		"println":  bounded(fmt.Sprintln),
		"printf":   printf,
		"html":     bounded(template.HTMLEscaper),
		"js":       bounded(template.JSEscaper),
		"urlquery": bounded(template.URLQueryEscaper),

		"tick": v.tick, "enter": v.enter, "leave": v.leave,
	}
}

// list is {{list "movies" "sort" "-year" "filter" "…" "page" 2 "perPage" 20
// "expand" "…" "fields" "…" "skipTotal" true}}: the page of records as the web
// API answers it, with items, page, perPage, totalItems and totalPages.
func (v *visit) list(collection string, options ...any) (map[string]any, error) {
	o, err := dict(options...)
	if err != nil {
		return nil, err
	}
	q := pando.ListQuery{Page: whole(o["page"]), PerPage: whole(o["perPage"])}
	q.Sort, q.Filter = str(o["sort"]), str(o["filter"])
	q.Expand, q.Fields = str(o["expand"]), str(o["fields"])
	q.SkipTotal, _ = o["skipTotal"].(bool)
	for key := range o {
		switch key {
		case "page", "perPage", "sort", "filter", "expand", "fields", "skipTotal":
		default:
			return nil, fmt.Errorf("list has no option %q", key)
		}
	}
	answer, err := v.pages.o.Records.List(v.ctx, v.request(), collection, q)
	if pando.KindOf(err) == pando.KindNotFound {
		// Not wrapped: the page is there, its author misspelt a name.
		return nil, fmt.Errorf("there is no collection %q", collection)
	}
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
	if err := json.Unmarshal(answer, &out); err != nil {
		return nil, err
	}
	withNumbers(out)
	return out, nil
}

// request is what rules see of the visit.
func (v *visit) request() *pando.Request {
	return &pando.Request{
		Context: "default", Method: http.MethodGet, Auth: v.user, RealIP: v.pages.realIP(v.r),
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
	if weigh(out, maxDict) < 0 {
		return nil, errTooMuch
	}
	return out, nil
}

// maxDict bounds what a dict may hold, what is in it twice counted twice: dicts
// of dicts grow fast.
const maxDict = 4 * maxOutput

// quote makes a text into a literal of the filter language, so that what a
// visitor typed stays a text: {{list "movies" "filter" (printf "title ~ %s"
// (quote .Query.q))}}.
func quote(v any) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(str(v)) + "'"
}

// fileURL is the address of a record's file: {{file . "poster" "100x100"}}.
func fileURL(record map[string]any, field string, thumb ...string) string {
	value := record[field]
	if names, ok := value.([]any); ok {
		if len(names) == 0 {
			return ""
		}
		value = names[0]
	}
	name := str(value)
	if name == "" {
		return ""
	}
	u := "/api/files/" + url.PathEscape(str(record["collectionId"])) + "/" + url.PathEscape(str(record["id"])) + "/" + url.PathEscape(name)
	if len(thumb) > 0 {
		u += "?thumb=" + url.QueryEscape(thumb[0])
	}
	return u
}
