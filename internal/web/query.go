package web

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/pandobase/pando"
)

// eachParam calls f with the pairs of a raw query, decoded, until f returns
// false. Pairs that do not decode are passed over, as url.ParseQuery does; no
// map is built.
func eachParam(raw string, f func(key, value string) bool) {
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		if pair == "" || strings.Contains(pair, ";") {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		key, ok := unescape(key)
		if !ok {
			continue
		}
		if value, ok = unescape(value); !ok {
			continue
		}
		if !f(key, value) {
			return
		}
	}
}

func unescape(s string) (string, bool) {
	if !strings.ContainsAny(s, "%+") {
		return s, true
	}
	s, err := url.QueryUnescape(s)
	return s, err == nil
}

// queryValue is the first value of a parameter.
func queryValue(raw, name string) (value string, found bool) {
	if raw == "" {
		return "", false
	}
	eachParam(raw, func(k, v string) bool {
		if k == name {
			value, found = v, true
		}
		return !found
	})
	return value, found
}

// listQuery reads the parameters of a list. Of repeated parameters the first
// counts.
func (c *call) listQuery() (pando.ListQuery, error) {
	var q pando.ListQuery
	if c.r.URL.RawQuery == "" {
		return q, nil
	}
	var seen [7]bool
	var bad string
	first := func(i int) bool {
		was := seen[i]
		seen[i] = true
		return !was
	}
	eachParam(c.r.URL.RawQuery, func(key, value string) bool {
		ok := true
		switch {
		case key == "page" && first(0):
			q.Page, ok = number(value)
		case key == "perPage" && first(1):
			q.PerPage, ok = number(value)
		case key == "skipTotal" && first(2):
			q.SkipTotal, ok = boolean(value)
		case key == "sort" && first(3):
			q.Sort = value
		case key == "filter" && first(4):
			q.Filter = value
		case key == "expand" && first(5):
			q.Expand = value
		case key == "fields" && first(6):
			q.Fields = value
		}
		if !ok {
			bad = key
		}
		return ok
	})
	if bad != "" {
		return q, &pando.Error{Kind: pando.KindInvalid}
	}
	return q, nil
}

// number takes what an unsigned or signed decimal looks like, but no plus sign.
func number(s string) (int, bool) {
	if s == "" {
		return 0, true
	}
	if s[0] == '+' {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}

func boolean(s string) (bool, bool) {
	if s == "" {
		return false, true
	}
	b, err := strconv.ParseBool(s)
	return b, err == nil
}
