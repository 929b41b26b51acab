package store

import (
	"slices"
	"strings"

	"github.com/pandobase/pando"
)

// VolatileView tells whether a view can show something else without any write:
// its query, or that of a view that it reads, asks for the time or for chance.
// It goes by the words of the query, so it may say yes too often, and it does
// not know of a column that holds the text "now".
func (c *Catalog) VolatileView(view *pando.Collection) bool {
	return c.volatileView(view, nil)
}

func (c *Catalog) volatileView(view *pando.Collection, seen []string) bool {
	if slices.Contains(seen, view.ID) {
		return false
	}
	seen = append(seen, view.ID)
	query := strings.ToLower(view.ViewQuery)
	for i := 0; i < len(query); {
		n := wordLength(query[i:])
		if n == 0 {
			i++
			continue
		}
		word := query[i : i+n]
		i += n
		if changing[word] || clocks[word] && asksNow(word, query[i:]) {
			return true
		}
		if other := c.byName[word]; other != nil && other.IsView() && c.volatileView(other, seen) {
			return true
		}
	}
	return false
}

// changing are the words of SQL that mean something else each time.
var changing = map[string]bool{
	"now": true, "subsec": true, "subsecond": true, // the latter alone are the time of now, in more detail
	"current_time": true, "current_date": true, "current_timestamp": true,
	"localtime": true, // hangs on the machine's zone, which has summers
	"random":    true, "randomblob": true, "changes": true, "total_changes": true, "last_insert_rowid": true,
}

// clocks are the functions that mean now if they are given no time.
var clocks = map[string]bool{
	"date": true, "time": true, "datetime": true, "julianday": true, "unixepoch": true, "strftime": true,
}

// asksNow tells whether a call of a clock, of which rest is what follows the
// name, is given no time.
func asksNow(clock, rest string) bool {
	rest = strings.TrimLeft(rest, " \t\r\n\"`]")
	if !strings.HasPrefix(rest, "(") {
		return false
	}
	depth, empty, quoted := 0, true, false
	for _, r := range rest {
		switch {
		case r == '\'' || quoted:
			quoted, empty = quoted != (r == '\''), false
			continue
		case r == '(':
			depth++
			continue
		case r == ')':
			if depth--; depth == 0 {
				return clock == "strftime" || empty
			}
		case r == ',' && depth == 1:
			return false // a time follows the format, or a modifier the time
		}
		empty = empty && strings.ContainsRune(" \t\r\n", r)
	}
	return true
}

func wordLength(s string) int {
	for i := range len(s) {
		if b := s[i]; b != '_' && (b < 'a' || b > 'z') && (b < '0' || b > '9') && b < 0x80 {
			return i
		}
	}
	return len(s)
}
